//! Who is refused, what it is told, and what happens then.

use datafusion_common::DataFusionError;

use crate::support::{MIB, fill, holder, runtime, spiller, task};

fn text(result: datafusion_common::Result<()>) -> String {
    match result.unwrap_err() {
        DataFusionError::ResourcesExhausted(text) => text,
        other => panic!("operators look for ResourcesExhausted at the top: {other:?}"),
    }
}

#[test]
fn a_refusal_says_what_people_need_in_order_to_act() {
    let runtime = runtime(64 * MIB);
    let ((one, _), (two, _)) = (task(&runtime), task(&runtime));
    let build = holder(&one, "HashJoinInput[0]");
    build.try_grow(40 * MIB).unwrap();
    let sorter = spiller(&two, "ExternalSorter[1]");
    sorter.try_grow(20 * MIB).unwrap();
    let told = text(sorter.try_grow(30 * MIB));
    assert_eq!(
        told,
        "Hearth refused 31457280 bytes to ExternalSorter[1] of task 2, which holds 20971520: \
         granted 4194304, free 4194304 of 67108864, active tasks 2, at most 33554432 bytes each; \
         other tasks hold the execution memory; spark.memory.offHeap.size would have helped; \
         largest holders: ExternalSorter[1] with 20971520 (spills when it is refused); \
         task 1 holds 41943040"
    );
    // Above its share, the share is what bites.
    let told = text(build.try_grow(MIB));
    assert!(
        told.contains("a task may hold at most 33554432 bytes now"),
        "{told}"
    );
    assert!(
        told.contains("HashJoinInput[0] with 41943040 (can't spill)"),
        "{told}"
    );
}

#[test]
fn the_three_largest_holders_are_named_in_order() {
    let runtime = runtime(64 * MIB);
    let (pool, _hearth) = task(&runtime);
    let held: Vec<_> = [3, 9, 1, 7, 5]
        .map(|size| {
            let each = holder(&pool, &format!("holder{size}"));
            each.try_grow(size * MIB).unwrap();
            each
        })
        .into();
    let told = text(held[0].try_grow(60 * MIB));
    let named = told.split("largest holders:").nth(1).unwrap();
    let at = |name| named.find(name).unwrap();
    assert!(at("holder9") < at("holder7") && at("holder7") < at("holder5"));
    assert!(!named.contains("holder3") && !named.contains("holder1"));
}

#[test]
fn all_that_is_free_is_lent_but_a_little() {
    let runtime = runtime(64 * MIB);
    let (pool, hearth) = task(&runtime);
    let sorter = spiller(&pool, "ExternalSorter");
    assert_eq!(fill(&sorter, MIB / 8), 64 * MIB - MIB / 8);
    // Once somebody was refused, it is more.
    sorter.free();
    assert_eq!(fill(&sorter, MIB / 4), 63 * MIB + MIB / 2);
    let told = text(sorter.try_grow(MIB / 2));
    assert!(
        told.contains("524288 bytes are left to its siblings"),
        "{told}"
    );
    // Who has nothing, or can't spill, gets what is left.
    let late = spiller(&pool, "late sorter");
    late.try_grow(MIB / 4).unwrap();
    let merge = holder(&pool, "merge");
    merge.try_grow(MIB / 4).unwrap();
    assert_eq!(pool.reserved(), 64 * MIB);
    assert_eq!(hearth.stats().overdraft, 0);
}

#[test]
fn one_that_fails_has_the_largest_spill() {
    let runtime = runtime(64 * MIB);
    let (pool, hearth) = task(&runtime);
    let (large, small) = (spiller(&pool, "large"), spiller(&pool, "small"));
    small.try_grow(8 * MIB).unwrap();
    large.try_grow(40 * MIB).unwrap();
    let join = holder(&pool, "HashJoinInput");
    assert!(join.try_grow(20 * MIB).is_err());
    assert_eq!(hearth.stats().pressures, 1);
    // There are 16 free, but 20 are wanted.
    let told = text(large.try_grow(1));
    assert!(
        told.contains("was refused 20971520 bytes and can't"),
        "{told}"
    );
    small.try_grow(1).unwrap();
    large.free();
    join.try_grow(20 * MIB).unwrap();
    large.try_grow(10 * MIB).unwrap();
}

#[test]
fn pressure_is_over_once_there_is_room() {
    let runtime = runtime(64 * MIB);
    let (pool, hearth) = task(&runtime);
    let (large, other) = (spiller(&pool, "large"), holder(&pool, "other"));
    other.try_grow(20 * MIB).unwrap();
    large.try_grow(30 * MIB).unwrap();
    let join = holder(&pool, "HashJoinInput");
    assert!(join.try_grow(20 * MIB).is_err());
    assert_eq!(hearth.stats().pressures, 1);
    other.free();
    large.try_grow(MIB).unwrap();
}

#[test]
fn what_a_refused_consumer_gives_back_is_kept_for_its_retry() {
    let runtime = runtime(64 * MIB);
    let (pool, hearth) = task(&runtime);
    let (one, two) = (spiller(&pool, "one"), spiller(&pool, "two"));
    one.try_grow(30 * MIB).unwrap();
    assert_eq!(fill(&two, MIB), 33 * MIB);
    assert!(one.try_grow(8 * MIB).is_err());
    one.free();
    // Others take all that they can get in between.
    let taken = fill(&two, MIB / 2);
    assert!(taken < 64 * MIB - 8 * MIB);
    one.try_grow(8 * MIB).unwrap();
    hearth.check();
    // That was once, and with more it would hold more than a quarter.
    assert!(one.try_grow(9 * MIB).is_err());
    one.free();
    one.try_grow(MIB).unwrap();
    two.try_grow(4 * MIB).unwrap();
    hearth.check();
}

#[test]
fn what_is_kept_for_a_retry_goes_when_nobody_comes_or_somebody_would_fail() {
    let runtime = runtime(64 * MIB);
    let (pool, hearth) = task(&runtime);
    let (one, two) = (spiller(&pool, "one"), spiller(&pool, "two"));
    one.try_grow(40 * MIB).unwrap();
    two.try_grow(22 * MIB).unwrap();
    assert!(one.try_grow(30 * MIB).is_err());
    one.free();
    // 30 are kept, 12 are free: one that can't spill and would fail takes from both.
    let join = holder(&pool, "HashJoinInput");
    join.try_grow(35 * MIB).unwrap();
    hearth.check();
    drop(join);
    assert!(one.try_grow(50 * MIB).is_err());
    drop(one);
    hearth.check();
    two.try_grow(34 * MIB).unwrap();
}

#[test]
fn reservations_of_a_consumer_count_together() {
    let runtime = runtime(64 * MIB);
    let (pool, hearth) = task(&runtime);
    let mut sorter = spiller(&pool, "sorter");
    sorter.try_grow(62 * MIB).unwrap();
    let taken = sorter.take();
    assert_eq!((sorter.size(), taken.size()), (0, 62 * MIB));
    // The reservation has nothing; the consumer has.
    sorter.try_grow(MIB).unwrap();
    assert!(sorter.try_grow(2 * MIB).is_err());
    let held = &hearth.stats().consumers[0];
    assert_eq!(held.held, u64::try_from(63 * MIB).unwrap());
    drop(taken);
    hearth.check();
    sorter.try_grow(2 * MIB).unwrap();
}
