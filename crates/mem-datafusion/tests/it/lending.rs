//! What consumers leave to each other: siblings, sorts and their merges, and those that merge runs.

use std::sync::Arc;

use datafusion_execution::memory_pool::{MemoryPool, MemoryReservation};

use crate::support::{MIB, fill, holder, runtime, spiller, task};

const TOTAL: usize = 64 * MIB;

/// A sorter and its merge, as DataFusion calls them.
fn sort(pool: &Arc<dyn MemoryPool>, partition: usize) -> [MemoryReservation; 2] {
    [
        spiller(pool, &format!("ExternalSorter[{partition}]")),
        holder(pool, &format!("ExternalSorterMerge[{partition}]")),
    ]
}

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
    assert_eq!(fill(ahead, MIB / 4), TOTAL - 24 * MIB - MIB / 2);
    for other in others {
        assert!(fill(other, MIB / 4) >= 7 * MIB, "{:?}", hearth.stats());
    }
    // What one gives back is for those that lack, not for the largest.
    others[0].free();
    assert!(ahead.try_grow(MIB).is_err());
    hearth.check();
}

/// What flows through a repartitioning is spilled by the batch: nobody saves up for it.
#[test]
fn what_flows_through_is_left_nothing() {
    let runtime = runtime(TOTAL);
    let (pool, _hearth) = task(&runtime);
    let [channel, ..] = &four(&pool, "RepartitionExec");
    assert_eq!(fill(channel, MIB / 4), TOTAL - MIB / 2);
}

/// A sort fails if its first batch is refused, so others leave an eighth until all have begun.
#[test]
fn sorts_that_have_yet_to_begin_are_left_an_eighth() {
    let runtime = runtime(TOTAL);
    let (pool, _hearth) = task(&runtime);
    let [sorter, merge] = sort(&pool, 0);
    let aggregate = spiller(&pool, "SingleHashAggregateStream[0]");
    let taken = fill(&aggregate, MIB / 4);
    assert_eq!(taken, TOTAL - TOTAL / 8);
    merge.try_grow(MIB).unwrap();
    sorter.try_grow(4 * MIB).unwrap();
    assert_eq!(fill(&aggregate, MIB / 4), taken + 5 * MIB / 2);
}

/// The first partition of a sort may run before the others are there.
#[test]
fn the_first_partition_of_a_sort_leaves_an_eighth() {
    let runtime = runtime(TOTAL);
    let (pool, _hearth) = task(&runtime);
    let [first, _merge] = sort(&pool, 0);
    assert_eq!(fill(&first, MIB / 4), TOTAL - TOTAL / 8);
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

/// What a sort gives back while it spills is for its merge, which can't spill, and not for whoever waits:
/// the merge would fail, and with it the query.
#[test]
fn what_a_sort_gives_back_while_it_spills_is_for_its_merge() {
    let runtime = runtime(TOTAL);
    let (pool, hearth) = task(&runtime);
    let [sorter, merge] = sort(&pool, 0);
    let other = spiller(&pool, "other");
    merge.try_grow(2 * MIB).unwrap();
    let buffered = fill(&sorter, MIB);
    fill(&other, MIB / 2);
    assert!(sorter.try_grow(MIB).is_err());
    merge.free();
    // Each run that is sorted takes half as much, and is handed to the merge.
    let runs: Vec<_> = (0..4).map(|_| sorter.split(buffered / 4)).collect();
    for run in &runs {
        run.shrink(run.size() / 2);
    }
    fill(&other, MIB / 2);
    // It does not need to gather what it writes: that is refused at once, and does not end the spill.
    assert!(sorter.try_grow(MIB).is_err());
    for run in &runs {
        let batch = run.free();
        merge.try_grow(batch + batch / 2).unwrap();
    }
    hearth.check();
    // What the run took is anybody's, but for what the two will ask for again.
    merge.free();
    assert!(fill(&other, MIB / 2) > 50 * MIB);
    // It takes beforehand what it had, and comes back with what it was refused.
    merge.try_grow(2 * MIB).unwrap();
    sorter.try_grow(MIB).unwrap();
    hearth.check();
    drop((runs, sorter, merge, other));
    assert_eq!(runtime.stats().execution, 0);
}

/// The same where all input is there, and the sort merges without having been refused anything.
#[test]
fn what_a_sort_hands_to_its_merge_is_not_anybodys() {
    let runtime = runtime(TOTAL);
    let (pool, hearth) = task(&runtime);
    let [sorter, merge] = sort(&pool, 0);
    let other = spiller(&pool, "other");
    sorter.try_grow(40 * MIB).unwrap();
    fill(&other, MIB / 2);
    let runs: Vec<_> = (0..4).map(|_| sorter.split(10 * MIB)).collect();
    for run in &runs {
        run.shrink(5 * MIB);
        fill(&other, MIB / 2);
    }
    for run in &runs {
        let batch = run.free();
        merge.try_grow(batch * 3 / 2).unwrap();
        fill(&other, MIB / 2);
    }
    // The merge has all of them; what it gives back from now on is anybody's.
    merge.shrink(5 * MIB);
    assert!(fill(&other, MIB / 2) >= 34 * MIB, "{:?}", hearth.stats());
    hearth.check();
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
