//! Kept blocks: bounded, aged, trimmed.

use crate::{KIB, MIB, both, both_limited};
use mem_block::AllocatorOptions;

#[test]
fn kept_bytes_are_bounded_and_the_oldest_go() {
    let mut options = AllocatorOptions::limited(64 * MIB);
    options.kept_max = 2 * MIB;
    for allocator in both(options) {
        let blocks = [MIB, 512 * KIB, 768 * KIB].map(|size| allocator.allocate(size).unwrap());
        for block in blocks {
            block.free();
            assert!(allocator.kept_bytes() <= 2 * MIB);
        }
        assert_eq!(allocator.kept_bytes(), 1280 * KIB, "the MiB was the oldest");
        allocator.allocate(3 * MIB).unwrap().free();
        assert_eq!(allocator.kept_bytes(), 1280 * KIB, "3 MiB never fit");
    }
}

#[test]
fn a_bound_of_zero_keeps_nothing() {
    let mut options = AllocatorOptions::limited(64 * MIB);
    options.kept_max = 0;
    for allocator in both(options) {
        allocator.allocate(MIB).unwrap().free();
        assert_eq!(allocator.stats().held(), 0);
    }
}

#[test]
fn a_block_that_nobody_wants_ages_and_goes() {
    let mut options = AllocatorOptions::limited(64 * MIB);
    options.kept_age = 10;
    for allocator in both(options) {
        allocator.allocate(8 * MIB).unwrap().free();
        for _ in 0..10 {
            allocator.allocate(2 * MIB).unwrap().free();
            assert_eq!(allocator.kept_bytes(), 10 * MIB);
        }
        allocator.allocate(2 * MIB).unwrap().free();
        assert_eq!(
            allocator.kept_bytes(),
            2 * MIB,
            "the one in use stays young"
        );
    }
}

#[test]
fn small_allocations_age_nothing() {
    let mut options = AllocatorOptions::limited(64 * MIB);
    options.kept_age = 0;
    for allocator in both(options) {
        allocator.allocate(2 * MIB).unwrap().free();
        allocator.allocate(KIB).unwrap().free();
        assert_eq!(allocator.kept_bytes(), 2 * MIB);
        allocator.allocate(4 * MIB).unwrap().free();
        assert_eq!(allocator.kept_bytes(), 4 * MIB);
    }
}

#[test]
fn trimming_gives_back_the_oldest_until_it_is_enough() {
    for allocator in both_limited(64 * MIB) {
        let blocks: Vec<_> = (0..30).map(|_| allocator.allocate(MIB).unwrap()).collect();
        drop(blocks);
        assert_eq!(allocator.trim(0), 0);
        assert_eq!(allocator.trim(1), MIB);
        assert_eq!(allocator.trim(20 * MIB), 20 * MIB, "more than one batch");
        assert_eq!(allocator.trim(u64::MAX), 9 * MIB);
        assert_eq!(allocator.trim(u64::MAX), 0);
        assert_eq!(allocator.stats().held(), 0);
    }
}

#[test]
fn a_block_much_larger_than_asked_for_is_not_used() {
    for allocator in both_limited(64 * MIB) {
        allocator.allocate(8 * MIB).unwrap().free();
        let block = allocator.allocate(2 * MIB).unwrap();
        assert_eq!((allocator.stats().reused, block.len()), (0, 2 * MIB));
        assert_eq!(allocator.kept_bytes(), 8 * MIB);
    }
}

/// Resident bytes of this process, as the kernel counts them.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4 * KIB
}

#[test]
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn off_heap_memory_that_goes_back_leaves_the_process() {
    const SIZE: u64 = 256 * MIB; // far above what other tests hold at the same time
    let [_, allocator] = both_limited(SIZE);
    let mut block = allocator.allocate(SIZE).unwrap();
    block.fill(1);
    let full = resident();
    assert!(full >= SIZE);
    block.free();
    assert_eq!(allocator.kept_bytes(), SIZE);
    assert_eq!(allocator.trim(u64::MAX), SIZE);
    assert!(resident() < full - SIZE / 2);
}
