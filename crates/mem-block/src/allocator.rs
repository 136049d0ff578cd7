//! What every allocator of blocks offers.

use crate::{AllocError, MemoryBlock, MemoryMode};
use std::fmt;

/// Hands out blocks of one mode under a limit (Spark: `MemoryAllocator`). Shared as
/// `Arc<dyn MemoryAllocator>`.
///
/// Blocks give themselves back; there is no `free` here to be called with somebody else's block.
/// No method may be called under a lock: allocating, and dropping a block, can map, unmap and touch
/// memory, and [`allocate`](Self::allocate) can wait for another thread to finish unmapping.
pub trait MemoryAllocator: Send + Sync + fmt::Debug {
    /// The kind of memory of every block from here.
    fn mode(&self) -> MemoryMode;

    /// A block of exactly `size` bytes. Its contents are initialised and of no particular value.
    ///
    /// # Errors
    ///
    /// See [`AllocError`]. The limit counts the bytes that were asked for, of all blocks in use;
    /// kept blocks and rounding never make an allocation fail.
    fn allocate(&self, size: u64) -> Result<MemoryBlock, AllocError>;

    /// As [`allocate`](Self::allocate), with all bytes zero. Costs nothing more in fresh memory.
    ///
    /// # Errors
    ///
    /// As [`allocate`](Self::allocate).
    fn allocate_zeroed(&self, size: u64) -> Result<MemoryBlock, AllocError>;

    /// The whole size class that holds `size` bytes, for asking in sizes that are used again well.
    ///
    /// Less than a quarter more than `size`, and `size` itself if that is a class, as powers of two
    /// are. Rounding is up to the caller, who reserves what it will get: `allocate` adds nothing.
    /// Returns `size` if no block of the class can exist.
    fn good_size(&self, size: u64) -> u64;

    /// Gives kept blocks back to the system, oldest first, until `bytes` or more are given back or
    /// none is left. Returns the bytes given back.
    fn trim(&self, bytes: u64) -> u64;

    /// Sets the limit in bytes. Where blocks in use exceed a lower limit they stay, nothing is kept,
    /// and allocations fail until there is room.
    fn set_limit(&self, bytes: u64);

    /// All counters, of one moment.
    fn stats(&self) -> AllocatorStats;

    /// Bytes of all blocks in use, as asked for.
    fn live_bytes(&self) -> u64 {
        self.stats().live
    }

    /// Bytes that are kept to be used: of freed blocks, and of slabs of which a part is in use.
    fn kept_bytes(&self) -> u64 {
        self.stats().kept
    }

    /// Most bytes that blocks in use, and they and the kept ones together, may have.
    fn limit(&self) -> u64 {
        self.stats().limit
    }
}

/// Counters of an allocator at one moment, in bytes where nothing else is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct AllocatorStats {
    /// The limit.
    pub limit: u64,
    /// Blocks in use, as asked for.
    pub live: u64,
    /// What those have beyond that: up to 7 bytes a block, or up to a page of the system where it
    /// is mapped.
    pub rounding: u64,
    /// Freed blocks that are kept, with everything they have, and what is left of slabs.
    pub kept: u64,
    /// On the way back to the system, or from it as the rest of a slab.
    pub releasing: u64,
    /// The highest that `live + rounding + kept + releasing` has been.
    pub peak: u64,
    /// Number of blocks made of fresh memory.
    pub fresh: u64,
    /// Number of blocks made of freed ones.
    pub reused: u64,
}

impl AllocatorStats {
    /// All memory held from the system.
    pub const fn held(&self) -> u64 {
        self.live
            .saturating_add(self.rounding)
            .saturating_add(self.kept)
            .saturating_add(self.releasing)
    }
}

/// How a [`HeapAllocator`](crate::HeapAllocator) or
/// [`OffHeapAllocator`](crate::OffHeapAllocator) behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AllocatorOptions {
    /// Most bytes that blocks in use, and they and the kept ones together, may have.
    pub limit: u64,
    /// Most bytes to keep, of freed blocks and of slabs; 0 keeps none, and makes no slabs.
    pub kept_max: u64,
    /// A kept block is given back when it was not used for this many allocations of 64 KiB or more.
    pub kept_age: u64,
    /// Fill blocks with `0xa5` when they are handed out and `0x5a` when they are freed
    /// (Spark: `spark.memory.debugFill`). Zeroed blocks stay zero.
    pub debug_fill: bool,
}

impl AllocatorOptions {
    /// A limit in bytes, and all that is free under it may be kept, for 4096 allocations.
    pub const fn limited(limit: u64) -> Self {
        Self {
            limit,
            kept_max: u64::MAX,
            kept_age: 4096,
            debug_fill: false,
        }
    }
}
