//! What Spark's suite says of its allocators, as far as it concerns Hearth (summary of its
//! `PlatformUtilSuite`), and blocks themselves. Double frees and frees to the wrong allocator are
//! not here: they don't compile.

use crate::{KIB, MIB, both, both_limited};
use mem_block::{AllocatorOptions, MemoryMode};

#[test]
fn modes_have_names() {
    let modes = both_limited(0).map(|allocator| allocator.mode());
    assert_eq!(modes, [MemoryMode::OnHeap, MemoryMode::OffHeap]);
    assert_eq!(modes.map(|mode| mode.to_string()), ["on-heap", "off-heap"]);
}

#[test]
fn a_freed_mebibyte_is_the_next_mebibyte() {
    for allocator in both_limited(16 * MIB) {
        let block = allocator.allocate(MIB).unwrap();
        let place = block.location();
        block.free();
        assert_eq!(allocator.allocate(MIB).unwrap().location(), place);
    }
}

#[test]
fn small_blocks_are_not_kept() {
    for allocator in both_limited(16 * MIB) {
        for size in [513, 514, 64 * KIB - 8] {
            allocator.allocate(size).unwrap().free();
            assert_eq!(allocator.kept_bytes(), 0);
        }
    }
}

#[test]
fn a_block_serves_a_request_that_is_a_little_larger_than_it_was_asked_for() {
    for allocator in both_limited(16 * MIB) {
        let block = allocator.allocate(1_048_577).unwrap();
        assert_eq!(block.len(), 1_048_577);
        let place = block.location();
        block.free();
        let block = allocator.allocate(1_048_583).unwrap();
        assert_eq!((block.len(), block.location()), (1_048_583, place));
    }
}

#[test]
fn a_block_of_a_mebibyte_and_a_byte_serves_the_next_mebibyte() {
    for allocator in both_limited(16 * MIB) {
        let mut block = allocator.allocate(MIB + 1).unwrap();
        block.fill(9);
        let place = block.location();
        block.free();
        let block = allocator.allocate(MIB).unwrap();
        assert_eq!(block.location(), place);
        assert_eq!((block.len(), block.capacity()), (MIB, MIB));
        assert!(block.as_slice().iter().all(|&byte| byte == 9));
        let stats = allocator.stats();
        assert_eq!((stats.fresh, stats.reused), (1, 1));
        // What was too much went back at once.
        assert_eq!((stats.live, stats.kept, stats.held()), (MIB, 0, MIB));
    }
}

#[test]
fn debug_fill_shows_in_small_and_reused_blocks() {
    let mut options = AllocatorOptions::limited(16 * MIB);
    options.debug_fill = true;
    for allocator in both(options) {
        assert_eq!(allocator.allocate(1).unwrap().as_slice(), [0xa5]);
        for _ in 0..2 {
            let mut block = allocator.allocate(MIB).unwrap();
            assert!(block.as_slice().iter().all(|&byte| byte == 0xa5));
            block.fill(0);
        }
        assert_eq!(allocator.stats().reused, 1);
        let zeroed = allocator.allocate_zeroed(MIB).unwrap();
        assert!(zeroed.as_slice().iter().all(|&byte| byte == 0));
    }
}

#[test]
fn fresh_blocks_are_zero_and_reused_ones_when_asked() {
    for allocator in both_limited(16 * MIB) {
        for size in [0, 1, 7, 64 * KIB - 1, 64 * KIB, MIB + 1, 3 * MIB] {
            let mut block = allocator.allocate(size).unwrap();
            assert!(block.as_slice().iter().all(|&byte| byte == 0));
            block.fill(7);
            block.free();
            let zeroed = allocator.allocate_zeroed(size).unwrap();
            assert!(zeroed.as_slice().iter().all(|&byte| byte == 0));
        }
        assert!(allocator.stats().reused >= 3);
    }
}

#[test]
fn an_empty_block_takes_no_memory() {
    for allocator in both_limited(0) {
        let block = allocator.allocate(0).unwrap();
        assert_eq!((block.len(), block.capacity()), (0, 0));
        assert!(block.as_slice().is_empty());
        assert!(block.as_words().is_empty());
    }
}

#[test]
fn words_can_be_set_read_and_zeroed() {
    for allocator in both_limited(KIB) {
        let mut block = allocator.allocate(2 * 8 + 7).unwrap();
        assert_eq!(block.as_words().len(), 2);
        block.as_mut_words().copy_from_slice(&[1, u64::MAX]);
        assert_eq!(block.as_words(), [1, u64::MAX]);
        assert_eq!(block.as_slice()[..8], 1_u64.to_ne_bytes());
        block.fill(0);
        assert_eq!(block.as_words(), [0, 0]);
    }
}

#[test]
fn blocks_start_at_words_and_large_off_heap_ones_at_huge_pages() {
    for allocator in both_limited(64 * MIB) {
        for size in [1, 100, 64 * KIB, MIB, 2 * MIB, 2 * MIB + 8, 5 * MIB] {
            let block = allocator.allocate(size).unwrap();
            let mapped = allocator.mode() == MemoryMode::OffHeap && size >= 2 * MIB;
            let alignment = if mapped { 2 << 20 } else { 8 };
            assert_eq!(block.as_slice().as_ptr().align_offset(alignment), 0);
        }
    }
}

#[test]
fn live_blocks_have_identities_of_their_own() {
    for allocator in both_limited(16 * MIB) {
        let one = allocator.allocate(MIB).unwrap();
        let other = allocator.allocate(MIB).unwrap();
        assert_ne!(one.location(), other.location());
        let is_object = allocator.mode() == MemoryMode::OnHeap;
        assert_eq!(one.location().object().is_some(), is_object);
        assert_eq!(
            one.location().object() == other.location().object(),
            !is_object
        );
    }
}

#[test]
fn a_block_outlives_its_allocator() {
    for allocator in both_limited(16 * MIB) {
        let mut block = allocator.allocate(MIB).unwrap();
        drop(allocator);
        block.fill(3);
        assert_eq!(block.as_slice().last(), Some(&3));
    }
}

#[test]
fn debug_shows_no_contents() {
    for allocator in both_limited(MIB) {
        let block = allocator.allocate(MIB).unwrap();
        assert!(format!("{block:?}").len() < 300);
        assert!(format!("{allocator:?}").contains("live: 1048576"));
    }
}
