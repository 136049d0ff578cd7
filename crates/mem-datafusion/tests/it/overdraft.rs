//! What can't be refused and was not there.

use crate::support::{check_empty, fill, holder, runtime, spiller, task};

const TOTAL: usize = 32_000;

#[test]
fn infallible_growth_takes_what_is_free_and_meters_the_rest() {
    let runtime = runtime(TOTAL);
    let (pool, hearth) = task(&runtime);
    let join = holder(&pool, "SortMergeJoin");
    join.try_grow(TOTAL - 500).unwrap();
    join.grow(400);
    assert_eq!(hearth.stats().overdraft, 0);
    join.grow(400);
    let stats = runtime.stats();
    assert_eq!((stats.overdraft, stats.execution), (300, stats.total));
    assert_eq!(stats.peak, stats.total + 300);
    // Nothing is granted until it is repaid, not even to one that has nothing.
    let other = spiller(&pool, "ExternalSorter");
    assert!(other.try_grow(1).is_err());
    join.shrink(300);
    assert_eq!(runtime.stats().overdraft, 0);
    assert!(other.try_grow(1).is_err(), "it was repaid, and no more");
    join.shrink(1);
    other.try_grow(1).unwrap();
    drop((join, other, pool));
    assert_eq!(hearth.stats().used, 0);
    drop(hearth);
    check_empty(&runtime);
    assert_eq!(runtime.stats().overdraft_peak, 300);
}

#[test]
fn what_other_tasks_give_back_repays_it_too() {
    let runtime = runtime(TOTAL);
    let ((one, _one), (two, hearth)) = (task(&runtime), task(&runtime));
    let first = holder(&one, "first");
    first.try_grow(TOTAL / 2).unwrap();
    let second = holder(&two, "second");
    second.grow(TOTAL / 2 + 1000);
    assert_eq!(hearth.stats().overdraft, 1000);
    // Free are 600 now, and all of them are spoken for.
    first.shrink(600);
    assert!(first.try_grow(1).is_err());
    let third = holder(&one, "third");
    let error = third.try_grow(1).unwrap_err().to_string();
    assert!(
        error.contains("an overdraft of 1000 bytes is repaid first"),
        "{error}"
    );
    first.shrink(600);
    third.try_grow(200).unwrap();
    assert!(third.try_grow(1).is_err());
    second.free();
    third.try_grow(1000).unwrap();
}

#[test]
fn the_debtors_own_requests_repay_first() {
    let runtime = runtime(TOTAL);
    let (pool, hearth) = task(&runtime);
    let (one, two) = (holder(&pool, "one"), holder(&pool, "two"));
    one.try_grow(TOTAL).unwrap();
    two.grow(500);
    runtime
        .set_limit(u64::try_from(TOTAL).unwrap() + 400)
        .unwrap();
    // 400 are free now. They go to the overdraft, though less was asked for.
    assert!(two.try_grow(100).is_err());
    assert_eq!(hearth.stats().overdraft, 100);
    runtime
        .set_limit(u64::try_from(TOTAL).unwrap() + 600)
        .unwrap();
    two.try_grow(100).unwrap();
    assert_eq!(hearth.stats().overdraft, 0);
    hearth.check();
    assert!(two.try_grow(1).is_err());
}

/// Promise: an overdraft never comes from a path that could refuse.
#[test]
fn what_can_be_refused_is_never_overdrawn() {
    let runtime = runtime(TOTAL);
    let (pool, hearth) = task(&runtime);
    let spills = spiller(&pool, "spills");
    let holds = holder(&pool, "holds");
    fill(&spills, 7);
    fill(&holds, 7);
    let fresh = spiller(&pool, "fresh");
    assert!(fresh.try_grow(100).is_err());
    assert_eq!(hearth.stats().overdraft, 0);
    assert!(pool.reserved() <= TOTAL);
    assert_eq!(runtime.stats().overdraft_peak, 0);
}
