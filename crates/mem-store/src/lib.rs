//! Cached blocks: put by level, evicted least recently used first, to disk and back.
//!
//! - [`BlockManager`] puts blocks where their [`StorageLevel`] says, as bytes or as values, in memory
//!   on heap or off and on disk, and gets them back from wherever they are.
//! - [`MemoryStore`] is the memory under it: it takes storage memory from a
//!   [`MemoryManager`](mem_policy::MemoryManager), unrolls blocks whose size is not known beforehand,
//!   and evicts the least recently used blocks for whoever needs memory, storage or execution.
//! - [`BlockInfoManager`] has the blocks' locks, for readers and writers, listed by task.
//! - [`DiskStore`] is the disk under it: spill files, and the workspace to write them in.
//!
//! What a block of values costs is what the user's [`ValueFormat`] or [`SizeTracker`] says, in bytes.
//!
//! It is not: a judge of how much memory there is (a policy is), a home for memory that tasks work in,
//! a cache between processes, or a place that recomputes what was dropped.
//!
//! # What is held while
//!
//! No mutex is held while memory is allocated or freed, a user's code runs, or a file is written or
//! read. An eviction marks its victims and lets go of everything; who gets such a block meanwhile
//! finds it where it is, and calls its eviction off. Memory counts as long as it is there: the
//! reservation of a block is dropped after its bytes, by whoever has them last.
//!
//! # Example
//!
//! A cache of 64 KiB in front of a disk, filled with ten blocks of 16 KiB.
//!
//! ```
//! use mem_block::MemoryMode;
//! use mem_policy::config::{Collector, Environment, PolicyKind, SparkConf, resolve};
//! use mem_policy::{ManagerOptions, memory_manager};
//! use mem_pool::Dataset;
//! use mem_spill::{Codec, SpillOptions};
//! use mem_store::{BlockBytes, BlockId, BlockManager, BytesPut, DiskOptions};
//! use mem_store::{StorageLevel, StoreOptions, TaskContext};
//!
//! let conf = SparkConf::from_iter([
//!     ("spark.testing.memory", "81920"),
//!     ("spark.testing.reservedMemory", "0"),
//!     ("spark.memory.fraction", "1.0"),
//! ]);
//! let environment =
//!     Environment { cores: 1, is_driver: false, collector: Collector::Parallel, max_heap: 0 };
//! let resolved = resolve(&conf, PolicyKind::Unified, &environment)?;
//! let manager = memory_manager(resolved, &ManagerOptions::default());
//!
//! // What is needed in order to evict is taken now: 16 KiB of the 80.
//! let spill = SpillOptions::new(Codec::None, 8 << 10)?;
//! let disk = DiskOptions { spill, writers: 1, readers: 1, ..DiskOptions::default() };
//! let cache = BlockManager::new(manager.clone(), StoreOptions::default(), Some(disk))?;
//! let used = || manager.ledger().snapshot().of_mode(MemoryMode::OnHeap).storage_used;
//! assert_eq!(used(), 16 << 10);
//!
//! let context = TaskContext::default();
//! let page = |number| BlockId::rdd(Dataset::new(number), 0);
//! for number in 0..10 {
//!     let bytes = vec![u8::try_from(number)?; 16 << 10];
//!     let level = StorageLevel::MEMORY_AND_DISK_SER;
//!     let put = cache.put_bytes(&page(number), level, context, 16 << 10, |out| {
//!         out.write_all(&bytes)
//!     })?;
//!     assert!(matches!(put, BytesPut::Stored(_)));
//! }
//! // The last four are in memory, the others on disk.
//! assert_eq!(used(), 80 << 10);
//! assert_eq!(cache.status(&page(9)).unwrap().level, StorageLevel::MEMORY_ONLY_SER);
//! assert_eq!(cache.status(&page(0)).unwrap().level, StorageLevel::DISK_ONLY);
//!
//! // One that is got comes back to memory, and the least recently used makes room.
//! let first = cache.get_bytes(&page(0), context)?.expect("nothing was removed");
//! assert!(matches!(first, BlockBytes::Memory(_)));
//! assert_eq!(first.to_vec()?, [0; 16 << 10]);
//! assert_eq!(cache.status(&page(6)).unwrap().level, StorageLevel::DISK_ONLY);
//!
//! // A block that somebody reads stays where it is, and what is removed is held until then.
//! cache.memory_store().clear();
//! assert_eq!(used(), 32 << 10);
//! drop(first);
//! assert_eq!(used(), 16 << 10);
//! drop(cache);
//! assert_eq!(used(), 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod block;
mod block_id;
mod block_manager;
mod blocks;
mod bytes;
mod content;
mod disk;
mod drop_handler;
mod error;
mod info_manager;
mod memory_store;
mod overdraft;
mod queue;
mod storage_level;
mod values;

pub use block::LockKind;
pub use block_id::{BlockId, EmptyBlockId};
pub use block_manager::{
    BlockBytes, BlockManager, BlockPut, BlockStatus, BlockValues, BytesPut, DiskBlock, TaskLeaks,
    Unstored, ValueStream,
};
pub use bytes::{BytesBuilder, BytesReader, ChunkedBytes};
pub use disk::{DiskCopy, DiskOptions, DiskReader, DiskStore};
pub use drop_handler::{DropError, DropHandler, Forget, LeavingBlock};
pub use error::{Form, StoreError};
pub use info_manager::{BlockInfoManager, NewBlock, ReadGuard, WriteGuard};
pub use memory_store::{
    BytesGuard, MemoryStore, PartiallySerializedBlock, PartiallySerializedValues,
    PartiallyUnrolledIterator, Put, StoreOptions, StoreStats, TaskContext, ValuesGuard,
};
pub use storage_level::{InvalidLevel, StorageLevel, UnknownLevel};
pub use values::{BytesWritten, Costs, SizeTracker, ValueFormat};
