//! Random sequences of allocations, frees, trims and changes of the limit.

use crate::{KIB, MIB, both, cases};
use mem_block::{AllocError, AllocatorOptions, MemoryAllocator, MemoryBlock};
use proptest::prelude::*;

const LIMIT: u64 = 8 * MIB;

#[derive(Debug, Clone)]
enum Op {
    Allocate { size: u64, zeroed: bool },
    Free(prop::sample::Index),
    Trim(u64),
    Limit(u64),
}

/// Sizes that are often whole classes, often a byte off them, sometimes anything.
fn sizes() -> impl Strategy<Value = u64> {
    let class = (2_u64..8, 8_u32..18).prop_map(|(steps, power)| steps << power);
    prop_oneof![
        4 => class.clone(),
        2 => class.clone().prop_map(|size| size + 1),
        2 => class.prop_map(|size| size - 1),
        1 => 0..4 * KIB,
        1 => 0..3 * MIB,
    ]
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        8 => (sizes(), any::<bool>()).prop_map(|(size, zeroed)| Op::Allocate { size, zeroed }),
        6 => any::<prop::sample::Index>().prop_map(Op::Free),
        1 => (0..2 * MIB).prop_map(Op::Trim),
        1 => (LIMIT / 2..=LIMIT).prop_map(Op::Limit),
    ];
    prop::collection::vec(op, 1..60)
}

/// Blocks in use, each full of its own byte.
struct Model<'a> {
    allocator: &'a dyn MemoryAllocator,
    blocks: Vec<(MemoryBlock, u8)>,
    next: u8,
    limit: u64,
}

impl Model<'_> {
    fn live(&self) -> u64 {
        self.blocks.iter().map(|(block, _)| block.len()).sum()
    }

    fn run(&mut self, op: &Op) {
        match op {
            Op::Allocate { size, zeroed } => self.allocate(*size, *zeroed),
            Op::Free(index) if !self.blocks.is_empty() => {
                let (block, pattern) = self.blocks.swap_remove(index.index(self.blocks.len()));
                assert!(block.as_slice().iter().all(|&byte| byte == pattern));
            }
            Op::Free(_) => {}
            Op::Trim(bytes) => {
                let before = self.allocator.kept_bytes();
                let given = self.allocator.trim(*bytes);
                assert_eq!(self.allocator.kept_bytes(), before - given);
                assert!(given >= *bytes || given == before);
            }
            Op::Limit(bytes) => {
                self.allocator.set_limit(*bytes);
                self.limit = *bytes;
            }
        }
        self.check();
    }

    fn allocate(&mut self, size: u64, zeroed: bool) {
        let fits = self.live() + size <= self.limit;
        let outcome = if zeroed {
            self.allocator.allocate_zeroed(size)
        } else {
            self.allocator.allocate(size)
        };
        match outcome {
            Ok(mut block) => {
                assert!(fits && block.len() == size);
                assert!(!zeroed || block.as_slice().iter().all(|&byte| byte == 0));
                block.fill(self.next);
                self.blocks.push((block, self.next));
                self.next = self.next.wrapping_add(1);
            }
            Err(AllocError::Limit { .. }) => assert!(!fits),
            Err(other) => panic!("{other}"),
        }
    }

    fn check(&self) {
        let stats = self.allocator.stats();
        assert_eq!(stats.live, self.live());
        let capacities: u64 = self.blocks.iter().map(|(block, _)| block.capacity()).sum();
        assert_eq!(stats.live + stats.rounding, capacities);
        assert_eq!(stats.releasing, 0);
        if stats.live <= self.limit {
            assert!(stats.live + stats.kept <= self.limit);
        }
        if stats.held() > self.limit {
            assert_eq!(stats.kept, 0, "kept blocks pay for rounding first");
        }
    }
}

proptest! {
    #![proptest_config(cases(32))]

    #[test]
    fn limits_hold_and_contents_stay(
        ops in ops(),
        kept_max in prop_oneof![Just(u64::MAX), 0..2 * MIB],
        kept_age in 0_u64..20,
        debug_fill: bool,
    ) {
        let limit = LIMIT;
        for allocator in both(AllocatorOptions { limit, kept_max, kept_age, debug_fill }) {
            let allocator = &*allocator;
            let mut model = Model { allocator, blocks: Vec::new(), next: 1, limit };
            for op in &ops {
                model.run(op);
                prop_assert!(allocator.kept_bytes() <= kept_max);
            }
            for (block, pattern) in model.blocks.drain(..) {
                prop_assert!(block.as_slice().iter().all(|&byte| byte == pattern));
            }
            let stats = allocator.stats();
            prop_assert_eq!((stats.live, stats.rounding), (0, 0));
            prop_assert_eq!(allocator.trim(u64::MAX), stats.kept);
            prop_assert_eq!(allocator.stats().held(), 0);
        }
    }
}
