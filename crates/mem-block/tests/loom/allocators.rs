//! Every interleaving of two threads on one allocator, as far as they touch its lock.

use mem_block::{AllocatorOptions, HeapAllocator, MemoryAllocator, MemoryBlock, OffHeapAllocator};
use mem_sync::thread;
use std::sync::Arc;

const KIB: u64 = 1 << 10;

/// An allocator that keeps one freed block of `kept` bytes.
fn keeping(kept: u64, options: AllocatorOptions) -> Arc<HeapAllocator> {
    let allocator = HeapAllocator::new(options);
    allocator.allocate(kept).unwrap().free();
    assert_eq!(allocator.kept_bytes(), kept);
    allocator
}

fn allocate_beside(
    allocator: &Arc<impl MemoryAllocator + 'static>,
    other: u64,
    own: u64,
) -> [MemoryBlock; 2] {
    let beside = thread::spawn({
        let allocator = Arc::clone(allocator);
        move || allocator.allocate(other).unwrap()
    });
    let own = allocator.allocate(own).unwrap();
    [own, beside.join().unwrap()]
}

/// Fails if `release` doesn't notify (one thread waits for ever), and if memory on its way to the
/// system isn't counted (the peak is too high).
#[test]
fn an_allocation_waits_for_memory_that_another_gives_back() {
    loom::model(|| {
        let limit = 128 * KIB;
        let allocator = keeping(limit, AllocatorOptions::limited(limit));
        let blocks = allocate_beside(&allocator, 64 * KIB, 64 * KIB);
        let stats = allocator.stats();
        assert_eq!(
            (stats.live, stats.held(), stats.peak),
            (limit, limit, limit)
        );
        drop(blocks);
    });
}

/// Fails if `fitted` doesn't notify, and if the tail isn't counted until it is gone.
#[test]
fn an_allocation_waits_for_the_tail_that_another_cuts_off() {
    loom::model(|| {
        let limit = 80 * KIB;
        let allocator = keeping(limit, AllocatorOptions::limited(limit));
        let blocks = allocate_beside(&allocator, 16 * KIB, 64 * KIB);
        let stats = allocator.stats();
        assert_eq!(
            (stats.live, stats.held(), stats.peak),
            (limit, limit, limit)
        );
        drop(blocks);
    });
}

/// Fails if a rest that has come is not announced (who needs its room waits for ever), and if it isn't
/// counted while it comes (the peak is too high).
#[test]
fn an_allocation_waits_for_the_rest_of_a_slab() {
    loom::model(|| {
        let limit = 2048 * KIB;
        let allocator = OffHeapAllocator::new(AllocatorOptions::limited(limit));
        let blocks = allocate_beside(&allocator, limit - 64 * KIB, 64 * KIB);
        let stats = allocator.stats();
        assert_eq!(
            (stats.live, stats.held(), stats.peak),
            (limit, limit, limit)
        );
        drop(blocks);
    });
}

/// A block that is freed while another is allocated: whichever comes first, kept blocks stay within
/// their bound and the counters end where they belong.
#[test]
fn freeing_beside_allocating() {
    loom::model(|| {
        let mut options = AllocatorOptions::limited(256 * KIB);
        options.kept_max = 64 * KIB;
        let allocator = keeping(64 * KIB, options);
        let block = allocator.allocate(64 * KIB).unwrap();
        let beside = thread::spawn({
            let allocator = Arc::clone(&allocator);
            move || allocator.allocate(64 * KIB).unwrap()
        });
        block.free();
        let other = beside.join().unwrap();
        let stats = allocator.stats();
        assert_eq!((stats.live, stats.releasing), (64 * KIB, 0));
        assert!(stats.kept <= 64 * KIB && stats.peak <= 192 * KIB);
        other.free();
        assert_eq!(allocator.kept_bytes(), 64 * KIB);
    });
}
