//! Several threads on one allocator.

use crate::{KIB, MIB, both_limited};
use mem_block::{AllocError, MemoryAllocator, MemoryBlock};
use std::sync::mpsc;
use std::thread;

const SIZES: [u64; 6] = [64 * KIB, 80 * KIB, 512, 128 * KIB + 1, 256 * KIB, 96 * KIB];

fn stamp(block: &mut MemoryBlock, value: u8) {
    let bytes = block.as_mut_slice();
    let last = bytes.len() - 1;
    (bytes[0], bytes[last]) = (value, value);
}

fn stamped(block: &MemoryBlock, value: u8) -> bool {
    let bytes = block.as_slice();
    bytes.first() == Some(&value) && bytes.last() == Some(&value)
}

/// Allocates until refused, in an order of its own, then checks and frees.
fn hammer(allocator: &dyn MemoryAllocator, id: u8) {
    for turn in 0..300_usize {
        let mut blocks = Vec::new();
        for at in 0..6 {
            let size = SIZES[(at * 5 + turn + usize::from(id)) % SIZES.len()];
            match allocator.allocate(size) {
                Ok(mut block) => {
                    stamp(&mut block, id);
                    blocks.push(block);
                }
                Err(AllocError::Limit { live, limit, .. }) => assert!(live <= limit),
                Err(other) => panic!("{other}"),
            }
            let stats = allocator.stats();
            assert!(stats.live + stats.kept <= stats.limit);
        }
        assert!(blocks.iter().all(|block| stamped(block, id)));
        if turn % 50 == 0 {
            allocator.trim(MIB);
        }
    }
}

#[test]
fn counters_hold_and_no_two_threads_share_a_byte() {
    for allocator in both_limited(2 * MIB) {
        thread::scope(|scope| {
            for id in 1..=4 {
                let allocator = &*allocator;
                scope.spawn(move || hammer(allocator, id));
            }
        });
        let stats = allocator.stats();
        assert_eq!((stats.live, stats.rounding, stats.releasing), (0, 0, 0));
        assert!(stats.reused > 0 && stats.fresh > 0);
        assert_eq!(allocator.trim(u64::MAX), stats.kept);
        assert_eq!(allocator.stats().held(), 0);
    }
}

#[test]
fn blocks_are_freed_by_other_threads() {
    for allocator in both_limited(4 * MIB) {
        let (send, receive) = mpsc::sync_channel::<MemoryBlock>(4);
        thread::scope(|scope| {
            scope.spawn(move || {
                for block in receive {
                    assert!(stamped(&block, 77));
                }
            });
            for turn in 0..500 {
                // At most six blocks are out: four in the channel, one at either end.
                let mut block = allocator.allocate(SIZES[turn % SIZES.len()]).unwrap();
                stamp(&mut block, 77);
                send.send(block).unwrap();
            }
            drop(send);
        });
        assert_eq!(allocator.live_bytes(), 0);
    }
}
