//! Sorts and their merges, and what they leave to each other.

use std::sync::Arc;
use std::time::Duration;

use datafusion_execution::memory_pool::{MemoryPool, MemoryReservation};

use crate::support::{
    MIB, fill, holder, runtime, runtime_on_a_clock, spiller, task, two_workers, until_parked,
};

const TOTAL: usize = 64 * MIB;

/// A sorter and its merge, as DataFusion calls them.
fn sort(pool: &Arc<dyn MemoryPool>, partition: usize) -> [MemoryReservation; 2] {
    [
        spiller(pool, &format!("ExternalSorter[{partition}]")),
        holder(pool, &format!("ExternalSorterMerge[{partition}]")),
    ]
}

/// A sort fails if its first batch is refused, so others leave a thirty-second part until all have begun.
#[test]
fn sorts_that_have_yet_to_begin_are_left_a_thirty_second() {
    let runtime = runtime(TOTAL);
    let (pool, _hearth) = task(&runtime);
    let [sorter, merge] = sort(&pool, 0);
    let aggregate = spiller(&pool, "SingleHashAggregateStream[0]");
    let taken = fill(&aggregate, MIB / 4);
    assert_eq!(taken, TOTAL - TOTAL / 32);
    merge.try_grow(MIB / 4).unwrap();
    sorter.try_grow(MIB).unwrap();
    assert_eq!(fill(&aggregate, MIB / 4), taken + MIB / 4);
}

/// A sort that has begun shows what the others will ask for: memory for the merge, and a batch.
#[test]
fn sorts_are_left_what_they_go_on_with() {
    let runtime = runtime(TOTAL);
    let (pool, hearth) = task(&runtime);
    let [ahead, others @ ..] = [0, 1, 2, 3].map(|partition| sort(&pool, partition));
    ahead[1].try_grow(8 * MIB).unwrap();
    // 9 MiB for each of the three, and a little.
    let taken = fill(&ahead[0], MIB);
    assert_eq!(taken, TOTAL - 8 * MIB - 28 * MIB);
    for [sorter, merge] in &others {
        merge.try_grow(8 * MIB).unwrap();
        sorter.try_grow(MIB).unwrap();
    }
    // As long as one of them spills, even those that have little leave it what it comes back for.
    let [sorter, merge] = &others[0];
    ahead[0].free();
    assert!(sorter.try_grow(TOTAL).is_err());
    assert_eq!(sorter.free() + merge.free(), 9 * MIB);
    fill(&others[1][0], MIB);
    fill(&ahead[0], MIB);
    merge.try_grow(8 * MIB).unwrap();
    sorter.try_grow(MIB).unwrap();
    hearth.check();
}

/// The first partition of a sort may run before the others are there.
#[test]
fn the_first_partition_of_a_sort_waits_for_the_others() {
    let (runtime, clock) = runtime_on_a_clock(TOTAL);
    let (pool, _hearth) = task(&runtime);
    let [first, _merge] = sort(&pool, 0);
    let workers = two_workers();
    assert_eq!(clock.parked(), 0);
    let filled = workers.spawn(async move { (fill(&first, MIB / 4), first) });
    let mut others = Vec::new();
    for partition in [1, 2, 3] {
        until_parked(&clock);
        clock.advance(Duration::from_millis(15));
        others.push(sort(&pool, partition));
    }
    until_parked(&clock);
    clock.advance(Duration::from_millis(20));
    let (taken, _first) = workers.block_on(filled).unwrap();
    assert_eq!(taken, TOTAL - 24 * MIB - MIB / 4);
}

#[test]
fn the_first_partition_of_a_sort_waits_for_others_that_do_not_come() {
    let (runtime, clock) = runtime_on_a_clock(TOTAL);
    let (pool, _hearth) = task(&runtime);
    let [first, _merge] = sort(&pool, 0);
    let workers = two_workers();
    let filled = workers.spawn(async move { (fill(&first, MIB / 4), first) });
    until_parked(&clock);
    clock.advance(Duration::from_secs(1));
    let (taken, _first) = workers.block_on(filled).unwrap();
    assert_eq!(taken, TOTAL - TOTAL / 32);
}

/// On a runtime of one thread it can't wait for them.
#[test]
fn the_first_partition_of_a_sort_leaves_a_thirty_second() {
    let runtime = runtime(TOTAL);
    let (pool, _hearth) = task(&runtime);
    let [first, _merge] = sort(&pool, 0);
    assert_eq!(fill(&first, MIB / 4), TOTAL - TOTAL / 32);
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
