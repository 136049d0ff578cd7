//! The limit: exact for what is granted, with kept blocks making room.

use crate::{KIB, MIB, both, both_limited};
use mem_block::{AllocError, AllocatorOptions, MAXIMUM_PAGE_SIZE_BYTES, MemoryMode};

#[test]
fn a_budget_is_allocatable_to_the_last_byte_whatever_the_sizes() {
    for (size, count) in [
        (13, 77),
        (65_537, 10),
        (MIB + 1, 9),
        (3 * MIB, 3),
        (1001, 1),
    ] {
        for allocator in both_limited(size * count) {
            // The second round finds kept blocks of the first, and others in its way.
            for sizes in [[size, size], [size - 1, size + 1]] {
                let blocks: Vec<_> = (0..count)
                    .map(|at| sizes[usize::from(at % 2 == 1)])
                    .map(|size| allocator.allocate(size).unwrap())
                    .collect();
                let granted: u64 = blocks.iter().map(|block| block.len()).sum();
                assert_eq!(allocator.live_bytes(), granted);
                assert!(size * count - granted <= 1);
                assert!(matches!(
                    allocator.allocate(size * count - granted + 1),
                    Err(AllocError::Limit { .. })
                ));
            }
        }
    }
}

#[test]
fn sizes_that_are_whole_units_hold_exactly_what_was_granted() {
    for allocator in both_limited(10 * MIB) {
        let sizes = [5 * MIB, 3 * MIB + 64 * KIB, MIB, MIB - 64 * KIB];
        let blocks = sizes.map(|size| allocator.allocate(size).unwrap());
        let stats = allocator.stats();
        assert_eq!((stats.live, stats.rounding), (10 * MIB, 0));
        assert_eq!(stats.peak, 10 * MIB);
        drop(blocks);
    }
}

#[test]
fn rounding_is_metered_and_kept_blocks_pay_for_it() {
    for allocator in both_limited(4 * MIB) {
        allocator.allocate(2 * MIB).unwrap().free();
        let odd = allocator.allocate(2 * MIB - 1).unwrap();
        assert_eq!(allocator.stats().rounding, 1);
        odd.free();
        // Held: 2 MiB kept. A block of 2 MiB + 1 takes more than the other half.
        let odd = allocator.allocate(3 * MIB + 1).unwrap();
        let stats = allocator.stats();
        assert_eq!((stats.live, stats.kept), (3 * MIB + 1, 0));
        assert_eq!(stats.rounding, odd.capacity() - odd.len());
        assert!(stats.peak <= 4 * MIB);
    }
}

#[test]
fn kept_blocks_make_room() {
    for allocator in both_limited(4 * MIB) {
        let blocks: Vec<_> = (0..4).map(|_| allocator.allocate(MIB).unwrap()).collect();
        drop(blocks);
        assert_eq!(allocator.kept_bytes(), 4 * MIB);
        let small = allocator.allocate(64 * KIB).unwrap();
        assert_eq!(allocator.kept_bytes(), 3 * MIB);
        let large = allocator.allocate(4 * MIB - 64 * KIB).unwrap();
        assert_eq!(allocator.kept_bytes(), 0);
        assert_eq!(allocator.stats().peak, 4 * MIB);
        drop((small, large));
    }
}

#[test]
fn kept_blocks_are_part_of_the_limit_when_they_are_used_again() {
    for allocator in both_limited(4 * MIB) {
        let sizes = [MIB + MIB / 4; 3];
        drop(sizes.map(|size| allocator.allocate(size).unwrap()));
        // Each is served by a larger kept block; the fourth must fit too.
        let blocks = [MIB; 4].map(|size| allocator.allocate(size).unwrap());
        let stats = allocator.stats();
        assert_eq!(
            (stats.reused, stats.live, stats.held()),
            (3, 4 * MIB, 4 * MIB)
        );
        drop(blocks);
    }
}

#[test]
fn refusals_say_what_was_in_the_way() {
    for allocator in both_limited(MIB) {
        let mode = allocator.mode();
        let half = allocator.allocate(MIB / 2).unwrap();
        let refused = AllocError::Limit {
            mode,
            size: MIB,
            live: MIB / 2,
            limit: MIB,
        };
        assert_eq!(allocator.allocate(MIB).unwrap_err(), refused);
        assert_eq!(allocator.live_bytes(), MIB / 2);
        drop(half);
        assert_eq!(allocator.allocate(MIB).unwrap().len(), MIB);
    }
}

#[test]
fn sizes_that_no_block_can_have() {
    let [heap, off_heap] = both_limited(u64::MAX);
    let (mode, size) = (MemoryMode::OnHeap, MAXIMUM_PAGE_SIZE_BYTES + 1);
    assert_eq!(
        heap.allocate(size).unwrap_err(),
        AllocError::TooLarge {
            mode,
            size,
            max: MAXIMUM_PAGE_SIZE_BYTES
        }
    );
    assert!(matches!(
        off_heap.allocate(u64::MAX),
        Err(AllocError::TooLarge { .. })
    ));
    // More than the machine's address space: the system says no, and nothing stays counted.
    let error = off_heap.allocate(1 << 60).unwrap_err();
    assert!(matches!(error, AllocError::Refused { size, .. } if size == 1 << 60));
    assert_eq!(off_heap.stats().held(), 0);
}

#[test]
fn good_sizes_are_whole_classes() {
    for allocator in both_limited(u64::MAX) {
        for (size, good) in [
            (0, 0),
            (1, 8),
            (33, 40),
            (64 * KIB, 64 * KIB),
            (64 * KIB + 1, 80 * KIB),
            (MIB, MIB),
            (MIB + 1, MIB + MIB / 4),
            (7 * MIB + 1, 8 * MIB),
        ] {
            assert_eq!(allocator.good_size(size), good);
            assert_eq!(allocator.good_size(good), good);
        }
        assert_eq!(allocator.good_size(u64::MAX), u64::MAX);
    }
    let [heap, _] = both_limited(0);
    let largest = MAXIMUM_PAGE_SIZE_BYTES;
    assert_eq!(heap.good_size(largest), largest);
}

#[test]
fn the_limit_can_change() {
    for allocator in both_limited(4 * MIB) {
        let block = allocator.allocate(3 * MIB).unwrap();
        allocator.allocate(MIB).unwrap().free();
        assert_eq!(allocator.kept_bytes(), MIB);

        allocator.set_limit(MIB);
        assert_eq!((allocator.limit(), allocator.kept_bytes()), (MIB, 0));
        assert!(allocator.allocate(1).is_err());
        drop(block);
        assert_eq!(allocator.kept_bytes(), 0, "3 MiB can't be kept under 1 MiB");
        assert_eq!(allocator.allocate(MIB).unwrap().len(), MIB);

        allocator.set_limit(8 * MIB);
        assert_eq!(allocator.allocate(8 * MIB).unwrap().len(), 8 * MIB);
    }
}

#[test]
fn with_a_limit_of_zero_nothing_is_given() {
    for allocator in both(AllocatorOptions::limited(0)) {
        assert!(matches!(
            allocator.allocate(1),
            Err(AllocError::Limit { limit: 0, .. })
        ));
    }
}
