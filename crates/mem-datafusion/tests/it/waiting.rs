//! Who waits, for what, and how that ends.

use std::sync::Arc;
use std::time::Duration;

use datafusion_common::DataFusionError;
use datafusion_execution::memory_pool::MemoryReservation;
use mem_datafusion::{HearthRuntime, RuntimeOptions};
use mem_policy::ManagerOptions;

use crate::support::{
    MIB, fill, holder, plain, runtime, runtime_on_a_clock, runtime_with, spiller, task,
    two_workers, until_parked, until_somebody_waits,
};

/// A task that holds all memory of a runtime.
fn hog(runtime: &HearthRuntime) -> MemoryReservation {
    let (pool, _) = task(runtime);
    let hog = holder(&pool, "hog");
    hog.try_grow(64 * MIB).unwrap();
    hog
}

#[test]
fn a_worker_waits_and_is_handed_what_others_give_back() {
    let runtime = runtime(64 * MIB);
    let hog = hog(&runtime);
    two_workers().block_on(async {
        let (pool, hearth) = task(&runtime);
        let waits = tokio::spawn(async move {
            let build = holder(&pool, "HashJoinInput");
            build.try_grow(16 * MIB).map(|()| build)
        });
        until_somebody_waits(&runtime).await;
        hog.shrink(15 * MIB);
        // While somebody waits, no task keeps anything back: this is the last byte that is missing.
        hog.shrink(MIB - 1);
        assert_eq!(runtime.stats().waiting, 1);
        hog.shrink(1);
        let build = waits.await.unwrap().unwrap();
        assert_eq!(build.size(), 16 * MIB);
        assert_eq!(hearth.stats().waits, 1);
    });
}

#[test]
fn what_others_keep_for_small_requests_is_collected_first() {
    let runtime = runtime(64 * MIB);
    let ((one, hog), (two, _)) = (task(&runtime), task(&runtime));
    let large = holder(&one, "large");
    large.try_grow(64 * MIB).unwrap();
    large.shrink(MIB / 32);
    assert_eq!(hog.stats().granted, 64 << 20, "it is kept for the next");
    let small = holder(&two, "small");
    // Not waiting either: it is there.
    small.try_grow(MIB / 32).unwrap();
}

#[test]
fn where_blocking_would_hold_up_others_it_is_refused_at_once() {
    let runtime = runtime(64 * MIB);
    let _hog = hog(&runtime);
    let refused = || {
        let (pool, hearth) = task(&runtime);
        let build = holder(&pool, "HashJoinInput");
        let error = build.try_grow(16 * MIB).unwrap_err();
        assert!(matches!(error, DataFusionError::ResourcesExhausted(_)));
        let told = error.to_string();
        assert!(told.contains("it must not wait here"), "{told}");
        assert_eq!(hearth.stats().waits, 0);
    };
    refused();
    let one = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    one.block_on(async { refused() });
    let local = tokio::task::LocalSet::new();
    two_workers().block_on(local.run_until(async { refused() }));
}

#[test]
fn nobody_waits_for_memory_of_its_own_task_that_nobody_could_spill() {
    let (runtime, _stands_still) = runtime_on_a_clock(64 * MIB);
    two_workers().block_on(async {
        let (pool, hearth) = task(&runtime);
        let worker = tokio::spawn(async move {
            let first = holder(&pool, "first");
            fill(&first, MIB);
            let second = holder(&pool, "second");
            assert!(second.try_grow(16 * MIB).is_err());
        });
        worker.await.unwrap();
        assert_eq!(hearth.stats().waits, 0);
    });
}

/// One that would fail waits for the largest to spill, and no longer.
#[test]
fn one_that_would_fail_has_another_spill_and_waits_for_it() {
    let (runtime, clock) = runtime_on_a_clock(64 * MIB);
    two_workers().block_on(async {
        let (pool, hearth) = task(&runtime);
        let (sorter, small) = (spiller(&pool, "large"), spiller(&pool, "small"));
        small.try_grow(4 * MIB).unwrap();
        fill(&sorter, MIB);
        let waits = tokio::spawn(async move {
            let build = holder(&pool, "HashJoinInput");
            build.try_grow(16 * MIB).map(|()| build)
        });
        until_parked(&clock);
        assert_eq!(hearth.stats().pressures, 1);
        assert!(sorter.try_grow(1).is_err());
        // It looks again, finds too little, and has the other told once more.
        small.free();
        while hearth.stats().pressures < 2 {
            std::thread::yield_now();
        }
        assert!(sorter.try_grow(1).is_err());
        sorter.free();
        let build = waits.await.unwrap().unwrap();
        assert_eq!(build.size(), 16 * MIB);
        assert_eq!(hearth.stats().waits, 0, "of those for other tasks");
        // Nobody is pressed for it any more.
        assert!(fill(&sorter, MIB) >= 46 * MIB);
        hearth.check();
    });
}

#[test]
fn one_that_would_fail_waits_in_vain_only_once() {
    let (runtime, clock) = runtime_on_a_clock(64 * MIB);
    two_workers().block_on(async {
        let (pool, hearth) = task(&runtime);
        let sorter = spiller(&pool, "sorter");
        fill(&sorter, MIB);
        let waits = tokio::spawn(async move {
            let build = holder(&pool, "HashJoinInput");
            let first = build.try_grow(16 * MIB).is_err();
            // The clock stands still now: a second wait would not end.
            first && build.try_grow(16 * MIB).is_err()
        });
        until_parked(&clock);
        clock.advance(Duration::from_secs(1));
        assert!(waits.await.unwrap());
        hearth.check();
    });
}

#[test]
fn a_wait_ends_at_its_deadline_and_says_who_holds_what() {
    let (runtime, clock) = runtime_on_a_clock(64 * MIB);
    let _hog = hog(&runtime);
    two_workers().block_on(async {
        let (pool, hearth) = task(&runtime);
        let waits = tokio::spawn(async move {
            let sorter = spiller(&pool, "ExternalSorter");
            let told = sorter.try_grow(16 * MIB).unwrap_err().to_string();
            (told, sorter)
        });
        until_somebody_waits(&runtime).await;
        clock.advance(Duration::from_secs(600));
        let (told, _sorter) = waits.await.unwrap();
        assert!(told.contains("did not give back in time"), "{told}");
        assert!(
            told.contains("hearth.wait.timeout would have helped"),
            "{told}"
        );
        assert!(told.contains("task 1 holds 67108864"), "{told}");
        assert_eq!(hearth.stats().waited, Duration::from_secs(600));
    });
}

#[test]
fn one_that_can_spill_waits_in_vain_only_once() {
    let (runtime, clock) = runtime_on_a_clock(64 * MIB);
    let hog = hog(&runtime);
    hog.shrink(2 * MIB);
    two_workers().block_on(async {
        let (pool, hearth) = task(&runtime);
        let sorter = Arc::new(spiller(&pool, "ExternalSorter"));
        // It holds something, less than its minimum: it could spill, and may wait.
        sorter.grow(MIB);
        let again = Arc::clone(&sorter);
        let waits = tokio::spawn(async move { again.try_grow(8 * MIB).is_err() });
        until_somebody_waits(&runtime).await;
        clock.advance(Duration::from_secs(600));
        assert!(waits.await.unwrap());
        // The clock stands still: a second wait would not end.
        let again = Arc::clone(&sorter);
        let refused = tokio::spawn(async move { again.try_grow(8 * MIB).is_err() });
        assert!(refused.await.unwrap());
        assert_eq!(hearth.stats().waits, 1);
    });
}

#[test]
fn a_cancelled_wait_is_no_lack_of_memory() {
    let runtime = runtime(64 * MIB);
    let _hog = hog(&runtime);
    two_workers().block_on(async {
        let (pool, hearth) = task(&runtime);
        let waits = tokio::spawn(async move {
            let build = holder(&pool, "HashJoinInput");
            build.try_grow(16 * MIB).unwrap_err()
        });
        until_somebody_waits(&runtime).await;
        hearth.cancel_token().cancel();
        let error = waits.await.unwrap();
        assert!(!matches!(error, DataFusionError::ResourcesExhausted(_)));
        assert!(error.to_string().contains("cancelled"), "{error}");
    });
}

#[test]
fn with_no_time_to_wait_it_is_refused() {
    let options = RuntimeOptions {
        wait: Duration::ZERO,
        ..plain()
    };
    let runtime = runtime_with(64 * MIB, ManagerOptions::default(), options);
    let _hog = hog(&runtime);
    two_workers().block_on(async {
        let (pool, _) = task(&runtime);
        let refused = tokio::spawn(async move { holder(&pool, "late").try_grow(MIB).is_err() });
        assert!(refused.await.unwrap());
    });
}
