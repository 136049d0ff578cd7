//! The two allocators that take their memory from the system: on heap and off.

use crate::{
    AllocError, AllocatorOptions, AllocatorStats, MAXIMUM_PAGE_SIZE_BYTES, MemoryAllocator,
    MemoryBlock, MemoryMode,
    classes::KEPT_FROM,
    mapping::{self, HUGE_PAGE, MAPPING_UNIT},
    pool::{BlockPool, Contents, Source},
    raw,
    region::Region,
};
use std::{fmt, io, sync::Arc};

const WORD: u64 = 8;

/// Blocks of up to half of this are cut off one huge page.
const SLAB: u64 = HUGE_PAGE as u64;

/// The global allocator.
struct Heap;

impl Source for Heap {
    fn mode(&self) -> MemoryMode {
        MemoryMode::OnHeap
    }

    fn max_block(&self) -> u64 {
        MAXIMUM_PAGE_SIZE_BYTES
    }

    fn capacity_for(&self, size: u64) -> u64 {
        size.next_multiple_of(WORD) // at most `max_block`, itself a multiple
    }

    fn obtain(&self, capacity: u64) -> Result<Region, io::ErrorKind> {
        words(capacity)
    }
}

/// Anonymous mappings; the global allocator for what is small beside a page of the system.
struct Anonymous;

impl Source for Anonymous {
    fn mode(&self) -> MemoryMode {
        MemoryMode::OffHeap
    }

    /// More than any address space has, and far enough from 64 bits for all rounding.
    fn max_block(&self) -> u64 {
        1 << 62
    }

    fn capacity_for(&self, size: u64) -> u64 {
        let unit = if size < KEPT_FROM { WORD } else { MAPPING_UNIT };
        size.next_multiple_of(unit)
    }

    fn obtain(&self, capacity: u64) -> Result<Region, io::ErrorKind> {
        if capacity < KEPT_FROM {
            return words(capacity);
        }
        let Ok(len) = usize::try_from(capacity) else {
            return Err(io::ErrorKind::OutOfMemory);
        };
        let pages = mapping::map(len).map_err(|error| error.kind())?;
        Ok(Region::Mapped(pages))
    }

    fn slab_for(&self, capacity: u64) -> Option<u64> {
        (KEPT_FROM..=SLAB / 2).contains(&capacity).then_some(SLAB)
    }
}

fn words(capacity: u64) -> Result<Region, io::ErrorKind> {
    let count = usize::try_from(capacity / WORD).ok();
    count
        .and_then(raw::zeroed_words)
        .map(Region::Words)
        .ok_or(io::ErrorKind::OutOfMemory)
}

/// An allocator is its pool under a name of its own.
macro_rules! pooled_allocator {
    ($(#[$doc:meta])* $name:ident from $source:ident) => {
        $(#[$doc])*
        pub struct $name {
            pool: Arc<BlockPool<$source>>,
        }

        impl $name {
            /// An allocator that holds nothing yet.
            pub fn new(options: AllocatorOptions) -> Arc<Self> {
                let pool = BlockPool::new($source, options);
                Arc::new(Self { pool })
            }
        }

        impl MemoryAllocator for $name {
            fn mode(&self) -> MemoryMode {
                self.pool.mode()
            }

            fn allocate(&self, size: u64) -> Result<MemoryBlock, AllocError> {
                self.pool.allocate(size, Contents::Any)
            }

            fn allocate_zeroed(&self, size: u64) -> Result<MemoryBlock, AllocError> {
                self.pool.allocate(size, Contents::Zeroed)
            }

            fn good_size(&self, size: u64) -> u64 {
                self.pool.good_size(size)
            }

            fn trim(&self, bytes: u64) -> u64 {
                self.pool.trim(bytes)
            }

            fn set_limit(&self, bytes: u64) {
                self.pool.set_limit(bytes);
            }

            fn stats(&self) -> AllocatorStats {
                self.pool.stats()
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut parts = f.debug_struct(stringify!($name));
                parts.field("stats", &self.stats()).finish_non_exhaustive()
            }
        }
    };
}

pooled_allocator! {
    /// Blocks from the process's global allocator, for on-heap memory
    /// (Spark: `HeapMemoryAllocator`).
    ///
    /// Freed blocks of 64 KiB and more are kept and used again, also for somewhat smaller requests;
    /// the crate's documentation says how. Smaller ones go straight back. What the global
    /// allocator does with memory that it has back, and what it adds to each block, is its own
    /// affair and isn't counted here.
    ///
    /// The largest block is [`MAXIMUM_PAGE_SIZE_BYTES`], as the largest Java array holds.
    HeapAllocator from Heap
}

pooled_allocator! {
    /// Blocks in anonymous mappings, for off-heap memory (Spark: `UnsafeMemoryAllocator`, which has
    /// no limit and keeps nothing).
    ///
    /// - From 64 KiB on, a block is mapped in whole pages of the system. Freed ones are kept and
    ///   used again as in [`HeapAllocator`]; one that goes back is unmapped, so it leaves the
    ///   process at once.
    /// - Up to 1 MiB, it is cut off a huge page where there is room for one; the rest of that is kept
    ///   for others.
    /// - From 2 MiB on, it starts at a multiple of 2 MiB and huge pages are advised. Up to 64 MiB, all
    ///   of it is resident from the beginning.
    /// - Below 64 KiB it comes from the global allocator, as Spark's come from `malloc`: whole pages
    ///   for a few bytes would be a waste that no limit sees.
    OffHeapAllocator from Anonymous
}
