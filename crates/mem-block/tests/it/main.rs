//! The crate as its users see it.
#![cfg(not(mem_loom))]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod addresses;
mod allocators;
mod failing;
mod kept;
mod limits;
mod properties;
mod slab_arc;
mod slabs;
mod threads;

use mem_block::{AllocatorOptions, HeapAllocator, MemoryAllocator, OffHeapAllocator};
use proptest::test_runner::{Config, RngSeed};
use std::sync::Arc;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// One allocator of each kind.
fn both(options: AllocatorOptions) -> [Arc<dyn MemoryAllocator>; 2] {
    [HeapAllocator::new(options), OffHeapAllocator::new(options)]
}

fn both_limited(limit: u64) -> [Arc<dyn MemoryAllocator>; 2] {
    both(AllocatorOptions::limited(limit))
}

/// Random cases that are the same in every run.
fn cases(count: u32) -> Config {
    Config {
        cases: count,
        rng_seed: RngSeed::Fixed(20_240_611),
        failure_persistence: None,
        ..Config::default()
    }
}
