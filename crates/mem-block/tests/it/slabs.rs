//! Off-heap blocks of 64 KiB to 1 MiB: cut off huge pages where there is room for one, counted as a
//! whole.

use crate::{KIB, MIB};
use mem_block::{AllocatorOptions, MemoryAllocator, MemoryBlock, OffHeapAllocator};
use std::sync::Arc;

fn off_heap(limit: u64) -> Arc<OffHeapAllocator> {
    OffHeapAllocator::new(AllocatorOptions::limited(limit))
}

fn address(block: &MemoryBlock) -> u64 {
    block.as_slice().as_ptr().addr() as u64
}

#[test]
fn blocks_of_one_slab_adjoin_and_fill_it() {
    let memory = off_heap(64 * MIB);
    let first = memory.allocate(64 * KIB).unwrap();
    assert!(address(&first).is_multiple_of(2 * MIB));
    let stats = memory.stats();
    assert_eq!((stats.live, stats.kept), (64 * KIB, 2 * MIB - 64 * KIB));
    let mut next = address(&first) + 64 * KIB;
    let mut blocks = vec![first];
    for size in [128 * KIB, MIB, 80 * KIB, 112 * KIB, 640 * KIB] {
        let block = memory.allocate(size).unwrap();
        assert_eq!(address(&block), next);
        next += size;
        blocks.push(block);
    }
    let stats = memory.stats();
    assert_eq!((stats.held(), stats.kept), (2 * MIB, 0));
    assert_eq!((stats.fresh, stats.reused), (6, 0));
}

#[test]
fn the_rest_of_a_slab_is_zero_and_blocks_do_not_overlap() {
    let memory = off_heap(16 * MIB);
    let mut blocks: Vec<_> = (0..40)
        .map(|n| {
            let mut block = memory.allocate_zeroed(64 * KIB).unwrap();
            assert!(block.as_slice().iter().all(|&byte| byte == 0));
            block.fill(n);
            block
        })
        .collect();
    for (n, block) in (0..).zip(&blocks) {
        assert!(block.as_slice().iter().all(|&byte| byte == n));
    }
    drop(blocks.split_off(20));
    let block = memory.allocate_zeroed(64 * KIB).unwrap();
    assert!(block.as_slice().iter().all(|&byte| byte == 0));
    assert_eq!(memory.stats().reused, 1);
}

#[test]
fn a_slab_is_made_only_where_it_fits_under_the_limit() {
    let memory = off_heap(2 * MIB + 60 * KIB);
    let small = memory.allocate(64 * KIB).unwrap();
    assert_eq!(memory.kept_bytes(), 2 * MIB - 64 * KIB);
    let other = memory.allocate(2 * MIB - 4 * KIB).unwrap();
    assert_eq!(memory.kept_bytes(), 0, "the rest made room");
    assert!(memory.stats().peak <= 2 * MIB + 60 * KIB);
    drop((small, other));

    let memory = off_heap(2 * MIB - 1);
    let _small = memory.allocate(64 * KIB).unwrap();
    assert_eq!(memory.stats().held(), 64 * KIB);
}

#[test]
fn a_slab_is_made_only_where_its_rest_may_be_kept() {
    let mut options = AllocatorOptions::limited(64 * MIB);
    options.kept_max = MIB;
    let memory = OffHeapAllocator::new(options);
    let small = memory.allocate(64 * KIB).unwrap();
    assert_eq!(memory.stats().held(), 64 * KIB);
    let large = memory.allocate(MIB).unwrap();
    assert_eq!(memory.kept_bytes(), MIB);
    drop((small, large));
    assert!(memory.kept_bytes() <= MIB);
}

#[test]
fn rests_are_trimmed_and_age_while_their_blocks_live() {
    let mut options = AllocatorOptions::limited(64 * MIB);
    options.kept_age = 10;
    let memory = OffHeapAllocator::new(options);
    let mut trimmed = memory.allocate(64 * KIB).unwrap();
    trimmed.fill(1);
    assert_eq!(memory.trim(1), 2 * MIB - 64 * KIB);
    let mut aged = memory.allocate(64 * KIB).unwrap();
    aged.fill(2);
    for _ in 0..10 {
        memory.allocate(4 * MIB).unwrap().free();
        assert_eq!(memory.kept_bytes(), 6 * MIB - 64 * KIB);
    }
    memory.allocate(4 * MIB).unwrap().free();
    assert_eq!(memory.kept_bytes(), 4 * MIB);
    for (block, byte) in [(&trimmed, 1), (&aged, 2)] {
        assert!(block.as_slice().iter().all(|&other| other == byte));
    }
}

#[test]
fn a_slab_in_pieces_serves_whole_blocks_again() {
    const LIMIT: u64 = 4 * MIB;
    let memory = off_heap(LIMIT);
    for _ in 0..3 {
        let small: Vec<_> = (0..LIMIT / (64 * KIB))
            .map(|_| memory.allocate(64 * KIB).unwrap())
            .collect();
        assert_eq!((memory.live_bytes(), memory.kept_bytes()), (LIMIT, 0));
        drop(small);
        assert_eq!(memory.kept_bytes(), LIMIT);
        let mut whole = memory.allocate(LIMIT).unwrap();
        whole.fill(1);
        assert_eq!((memory.live_bytes(), memory.kept_bytes()), (LIMIT, 0));
    }
    assert_eq!(memory.stats().peak, LIMIT);
}
