//! What consumers leave to each other: siblings, rows on their way, and those that merge runs.

use std::sync::Arc;

use datafusion_execution::memory_pool::{MemoryPool, MemoryReservation};

use crate::support::{MIB, fill, holder, runtime, spiller, task};

const TOTAL: usize = 64 * MIB;

/// Four partitions of an operator that can spill.
fn four(pool: &Arc<dyn MemoryPool>, name: &str) -> [MemoryReservation; 4] {
    [0, 1, 2, 3].map(|partition| spiller(pool, &format!("{name}[{partition}]")))
}

#[test]
fn siblings_are_left_what_they_lack_of_half_an_even_part() {
    let runtime = runtime(TOTAL);
    let (pool, hearth) = task(&runtime);
    let [ahead, others @ ..] = &four(&pool, "FinalHashAggregateStream");
    // 8 MiB for each of three, and a little.
    assert_eq!(fill(ahead, MIB / 4), TOTAL - 24 * MIB - MIB / 4);
    for other in others {
        assert!(fill(other, MIB / 4) >= 7 * MIB, "{:?}", hearth.stats());
    }
    // What one gives back is for those that lack, not for the largest.
    others[0].free();
    assert!(ahead.try_grow(MIB).is_err());
    hearth.check();
}

/// Who has little leaves no more to each of the others.
#[test]
fn siblings_are_left_no_more_than_one_has() {
    let runtime = runtime(TOTAL);
    let (pool, _hearth) = task(&runtime);
    let [ahead, ..] = &four(&pool, "PartialHashAggregateStream");
    let other = holder(&pool, "HashJoinInput");
    other.try_grow(43 * MIB).unwrap();
    // Of 21 MiB, what it has four times over, and a little.
    assert_eq!(fill(ahead, MIB / 4), 5 * MIB);
}

/// What flows through a repartitioning is spilled by the batch: nobody saves up for it.
#[test]
fn what_flows_through_is_left_nothing() {
    let runtime = runtime(TOTAL);
    let (pool, _hearth) = task(&runtime);
    let [channel, ..] = &four(&pool, "RepartitionExec");
    assert_eq!(fill(channel, MIB / 8), TOTAL - MIB / 8);
}

/// Nor for the files of those that spill, which can't be refused, do they save up: rows are spilled instead.
#[test]
fn what_flows_through_leaves_what_spills_are_written_through() {
    let runtime = runtime(TOTAL);
    let (pool, _hearth) = task(&runtime);
    let [channel, late, ..] = &four(&pool, "RepartitionExec");
    let join = holder(&pool, "HashJoinInput");
    join.try_grow(TOTAL - MIB).unwrap();
    channel.try_grow(MIB - MIB / 8).unwrap();
    assert!(late.try_grow(MIB / 8).is_err());
    late.try_grow(MIB / 16).unwrap_err();
    join.shrink(MIB / 16);
    late.try_grow(MIB / 16).unwrap();
}

/// Operators of one kind are told apart by the order in which their partitions come.
#[test]
fn partitions_of_another_operator_are_no_siblings() {
    let runtime = runtime(TOTAL);
    let (pool, _hearth) = task(&runtime);
    let [ahead, ..] = &four(&pool, "FinalHashAggregateStream");
    let _others = four(&pool, "FinalHashAggregateStream");
    assert_eq!(fill(ahead, MIB / 4), TOTAL - 24 * MIB - MIB / 4);
}

/// As long as nobody was refused, those that have begun are left to take for themselves.
#[test]
fn who_has_begun_is_left_something_once_memory_is_short() {
    let runtime = runtime(TOTAL);
    let (pool, _hearth) = task(&runtime);
    let all @ [ahead, ..] = &four(&pool, "FinalHashAggregateStream");
    for each in all {
        each.try_grow(MIB / 4).unwrap();
    }
    assert_eq!(fill(ahead, MIB / 4), TOTAL - MIB);
    ahead.free();
    assert_eq!(fill(ahead, MIB / 4), TOTAL - 24 * MIB - MIB / 2);
}

/// Once they had to be spilled, others leave room for two batches of each channel.
#[test]
fn what_flows_through_is_left_a_little_once_it_was_refused() {
    let runtime = runtime(TOTAL);
    let (pool, hearth) = task(&runtime);
    let channel = spiller(&pool, "RepartitionExec[0]");
    let aggregate = spiller(&pool, "FinalHashAggregateStream[0]");
    channel.try_grow(MIB).unwrap();
    assert_eq!(fill(&aggregate, MIB / 4), TOTAL - MIB - MIB / 4);
    assert!(channel.try_grow(MIB).is_err());
    channel.free();
    aggregate.free();
    fill(&aggregate, MIB / 4);
    channel.try_grow(MIB).unwrap();
    channel.try_grow(MIB).unwrap();
    hearth.check();
}

/// A few batches make a run that is worth writing, even where the others have taken their part.
#[test]
fn a_little_is_never_refused_for_others() {
    let runtime = runtime(TOTAL);
    let (pool, _hearth) = task(&runtime);
    let (large, small) = (spiller(&pool, "sorter[0]"), spiller(&pool, "sorter[1]"));
    let late = spiller(&pool, "sorter[2]");
    fill(&large, MIB / 4);
    assert!(large.try_grow(MIB).is_err());
    assert!(fill(&small, MIB / 4) >= 5 * MIB);
    late.try_grow(MIB).unwrap();
}

/// An aggregate that has spilled and gives all back merges its runs: as many as fit its part.
#[test]
fn who_merges_runs_takes_no_more_than_its_part() {
    let runtime = runtime(TOTAL);
    let (pool, hearth) = task(&runtime);
    let [one, ..] = &four(&pool, "FinalHashAggregateStream");
    let held = fill(one, MIB);
    one.shrink(held - MIB);
    one.try_grow(MIB).unwrap();
    one.free();
    assert_eq!(fill(one, MIB), TOTAL / 16);
    // Its answer, in a reservation of its own, can't be spilled: it is refused only where there is nothing.
    let answer = one.new_empty();
    assert!(fill(&answer, MIB) > 32 * MIB);
    hearth.check();
}
