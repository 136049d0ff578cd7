//! The allocator that fails when told to.

use crate::{KIB, both_limited};
use mem_block::{AllocError, MemoryAllocator, testing::FailingAllocator};

fn outcomes(allocator: &dyn MemoryAllocator, count: usize) -> Vec<bool> {
    (0..count).map(|_| allocator.allocate(8).is_ok()).collect()
}

#[test]
fn the_next_allocations_fail_and_nothing_is_counted() {
    for inner in both_limited(KIB) {
        let failing = FailingAllocator::new(inner);
        assert_eq!(outcomes(&*failing, 1), [true]);
        failing.fail_next(2);
        let error = failing.allocate(8).unwrap_err();
        let mode = failing.mode();
        assert!(matches!(error, AllocError::Refused { mode: m, size: 8, .. } if m == mode));
        assert!(failing.allocate_zeroed(8).is_err());
        assert_eq!(outcomes(&*failing, 2), [true, true]);
        assert_eq!((failing.failed(), failing.live_bytes()), (2, 0));
        failing.fail_next(5);
        failing.fail_next(0);
        assert_eq!(outcomes(&*failing, 1), [true]);
    }
}

#[test]
fn always_until_told_otherwise() {
    let [inner, _] = both_limited(KIB);
    let failing = FailingAllocator::new(inner);
    failing.fail_always(true);
    assert_eq!(outcomes(&*failing, 3), [false; 3]);
    failing.fail_always(false);
    assert_eq!(outcomes(&*failing, 1), [true]);
}

#[test]
fn random_failures_repeat_with_their_seed() {
    let [inner, _] = both_limited(KIB);
    let failing = FailingAllocator::new(inner);
    let run = |seed| {
        failing.fail_at_random(seed, 300);
        outcomes(&*failing, 1000)
    };
    let first = run(7);
    assert_eq!(run(7), first);
    assert_ne!(run(8), first);
    let failed = first.iter().filter(|ok| !**ok).count();
    assert!((250..350).contains(&failed), "{failed} of 1000");
    failing.fail_at_random(7, 0);
    assert_eq!(outcomes(&*failing, 50), [true; 50]);
}

#[test]
fn everything_else_is_passed_on() {
    let [inner, _] = both_limited(256 * KIB);
    let failing = FailingAllocator::new(inner);
    failing.allocate(128 * KIB).unwrap().free();
    assert_eq!(failing.kept_bytes(), 128 * KIB);
    assert_eq!(failing.good_size(129), 160);
    assert_eq!(failing.trim(1), 128 * KIB);
    failing.set_limit(8);
    assert_eq!(failing.limit(), 8);
}
