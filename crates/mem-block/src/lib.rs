//! Blocks of memory: where they come from, who owns them, how their bytes are addressed.
//!
//! - [`MemoryBlock`]: a piece of memory with one owner, which gives it back when dropped; and
//!   [`BlockPart`], for owners of its parts.
//! - [`HeapAllocator`] and [`OffHeapAllocator`] behind [`MemoryAllocator`]: blocks of the two
//!   [`MemoryMode`]s under a limit, with freed blocks kept to be used again.
//! - [`PageAddress`] and [`PackedRecordPointer`]: places in a task's pages, in 64 bits.
//! - [`copy_past_cache`] and [`Span`]: for memory that nobody reads soon, and that somebody does.
//! - [`SlabArc`] and [`SlabWeak`]: counted references, as the standard library's, to small objects of
//!   which there are many, close together in huge pages.
//! - [`testing::FailingAllocator`]: for tests of what happens when memory runs out.
//!
//! It is not: a general-purpose allocator (blocks are pages and buffers), nor the place that decides
//! who may have memory. That is counted above; an allocator's limit is the last line.
//!
//! # Keeping freed blocks
//!
//! Touching fresh memory costs about a hundred times as much as touching memory again, so freed
//! blocks of 64 KiB and more are kept, in *size classes*: powers of two with four steps each (64,
//! 80, 96, 112, 128, 160, ... KiB). A request is served by a kept block of its class or the next,
//! and what that has too much goes back to the system at once. Spark keeps blocks by exact size,
//! without bound, and doesn't count them.
//!
//! - Blocks are made exactly as large as asked for (rounded to 8 bytes, or to a page of the system
//!   where they are mapped). Who wants whole classes, which are used again best, asks for
//!   [`good_size`](MemoryAllocator::good_size) and reserves that: rounding is granted, not hidden.
//! - So a limit of N bytes holds N bytes of blocks, of whatever sizes. Blocks in use and kept ones
//!   together never pass it: kept ones are given back first, oldest first, and stay counted until
//!   the system has them. Only rounding is on top, when blocks of odd sizes fill the whole limit;
//!   [`AllocatorStats::rounding`] shows it.
//! - Kept blocks are bounded and aged ([`AllocatorOptions`]), and [`trim`](MemoryAllocator::trim)
//!   gives them back.
//! - The lock inside is held for counting and picking. Mapping, unmapping, filling and freeing
//!   happen outside it. Taking a kept block and giving it back cost 0.15 to 0.2 µs together, on one
//!   thread and on two, beside the 9 µs of touching 4 MiB that are mapped: lists of each thread's
//!   own would gain nothing.
//!
//! # Huge pages
//!
//! Off-heap blocks of 2 MiB and more are mapped so that huge pages can be behind them. Those of
//! 64 KiB to 1 MiB are cut off *slabs* of one huge page each. That makes the first touch of 16 MiB
//! in pages of 64 KiB or 1 MiB ten times and more cheaper than mappings of their own; larger slabs
//! gain nothing more.
//!
//! - A fresh mapping of up to 64 MiB is made resident at once, each huge page by its last byte. The
//!   kernel leaves the part that is touched to the end, and so zeroes such a page forwards; for one
//!   whose first byte is touched, as by whoever fills it, it goes backwards and takes twice as long.
//!   Larger mappings become resident as they are touched.
//! - The whole huge page becomes resident with its first byte, so the whole slab is counted: blocks
//!   in use as live, the rest as kept. A slab is made only where it fits under the limit and its
//!   rest under the bound of what is kept; else the block has a mapping of its own.
//! - The rest makes room like every kept block: it is trimmed, it ages, and it goes before an
//!   allocation fails, while blocks of the same slab live on. What goes is unmapped and leaves the
//!   process's resident memory; the kernel takes a huge page of which a part is in use to pieces when
//!   it needs the other part.
//! - Freed blocks go by their own classes, wherever they were cut off. Those that adjoin go back to
//!   the system in one call, up to 64 at a time.
//!
//! # Example
//!
//! ```
//! use mem_block::{AllocatorOptions, AllocError, MemoryAllocator, OffHeapAllocator};
//!
//! # fn main() -> Result<(), AllocError> {
//! const MIB: u64 = 1 << 20;
//! let memory = OffHeapAllocator::new(AllocatorOptions::limited(4 * MIB));
//!
//! // A block that is freed serves the next request, though that is a byte smaller.
//! let mut block = memory.allocate(MIB + 1)?;
//! block.as_mut_slice()[0] = 42;
//! let place = block.location();
//! block.free();
//! assert_eq!(memory.live_bytes(), 0);
//! assert!(memory.kept_bytes() > MIB);
//! let block = memory.allocate(MIB)?;
//! assert_eq!(block.location(), place);
//! assert_eq!(block.as_slice()[0], 42);
//!
//! // The limit holds, and the refusal says what was in the way.
//! let error = memory.allocate(4 * MIB).unwrap_err();
//! assert_eq!(
//!     error.to_string(),
//!     "4194304 bytes of off-heap memory are not free: 1048576 of at most 4194304 are in use",
//! );
//!
//! // Kept blocks never are: they make room.
//! drop(block);
//! let whole = memory.allocate(4 * MIB)?;
//! assert_eq!((whole.len(), memory.kept_bytes()), (4 * MIB, 0));
//!
//! // Asking for whole classes.
//! assert_eq!(memory.good_size(MIB + 1), MIB + MIB / 4);
//! assert_eq!(memory.good_size(MIB), MIB);
//! # Ok(())
//! # }
//! ```
#![deny(unsafe_code)] // four modules, `raw`, `cache`, `part` and `slab_arc`, are let off

mod account;
mod address;
mod allocator;
mod block;
mod cache;
mod classes;
mod error;
mod free_lists;
mod location;
mod mapping;
mod mode;
mod packed;
mod part;
mod pool;
mod raw;
mod region;
mod slab_arc;
mod span;
mod system;
pub mod testing;

pub use address::{
    AddressError, MAX_PAGE_NUMBER, MAXIMUM_PAGE_SIZE_BYTES, PAGE_TABLE_SIZE, PageAddress,
};
pub use allocator::{AllocatorOptions, AllocatorStats, MemoryAllocator};
pub use block::MemoryBlock;
pub use cache::copy_past_cache;
pub use error::AllocError;
pub use location::{ARRAY_BASE_OFFSET, MemoryLocation, ObjectId};
pub use mode::MemoryMode;
pub use packed::{PackError, PackedRecordPointer};
pub use part::BlockPart;
pub use slab_arc::{SlabArc, SlabWeak};
pub use span::Span;
pub use system::{HeapAllocator, OffHeapAllocator};
