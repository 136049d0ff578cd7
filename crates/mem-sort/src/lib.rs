//! Consumers that do real work: sorting any amount of data within the memory that is granted.
//!
//! - [`ExternalSorter`] takes records in: into pages of its task's memory, and whenever there is no
//!   more, into a sorted [`Run`] on disk.
//! - [`Merger`] merges runs, as many at once as memory can be had for, in several passes if need be;
//!   the last pass in several threads, each a [range of the records](Merger::split).
//! - [`ShuffleWriter`] puts records into partitions, in files that [`ShuffleReader`] reads a partition
//!   at a time.
//! - [`radix`] sorts pairs and pointers in memory; the sorters above stand on it.
//!
//! Records are bytes, and [`Order`]ed as bytes. Several sorters, each in a task of its own, share one
//! memory manager; their runs outlive their tasks, so that a merging task can have all the memory.
//!
//! It is not: a reader of lines or rows, a starter of threads that merge, or a judge of how
//! much memory a task gets.
//!
//! How it works: records fill a page from the front, 16 bytes for each from the back. A full page is
//! sorted while it is in the cache, by seven bytes of each record at a time. Everything from there on
//! is merging, by a tree of losers over offset-value codes, which hold where a record differs from
//! the one before it: most comparisons are of two integers. Runs are front-coded, and remember a few
//! places to begin reading at. Once memory was short, a full page can become a run by itself, out of
//! the cache: see [`SorterOptions::page_runs_max`].
//!
//! # Example
//!
//! A task with 64 KiB sorts more than that.
//!
//! ```
//! use mem_policy::{ManagerOptions, MemoryConfig, memory_manager};
//! use mem_sort::{ExternalSorter, MergeOptions, Merger, Sorted, SorterOptions};
//! use mem_spill::{Codec, SpillDirs, SpillOptions};
//! use task_mem::{TaskId, TaskMemoryManager, Wait};
//!
//! let config = MemoryConfig::new()
//!     .with("spark.memory.offHeap.enabled", true)?
//!     .with("spark.memory.offHeap.size", "64k")?;
//! let resolved = config.resolve_in(&config.environment(1))?;
//! let manager = memory_manager(resolved, &ManagerOptions::default());
//! let (dirs, wait) = (SpillDirs::default(), Wait::default());
//! let spill = SpillOptions::new(Codec::Lz4, 4 << 10)?;
//!
//! let task = TaskMemoryManager::new(manager.clone(), TaskId::new(1));
//! let options = SorterOptions { page_bytes: Some(8 << 10), spill, ..SorterOptions::default() };
//! let mut sorter = ExternalSorter::new(&task, dirs.clone(), options);
//! for number in (0..10_000).rev() {
//!     sorter.insert(format!("{number:05}").as_bytes(), &wait)?;
//! }
//! assert!(sorter.stats().spills > 2);
//! let Sorted::Spilled(runs) = sorter.finish()? else {
//!     unreachable!("it did not fit");
//! };
//!
//! let task = TaskMemoryManager::new(manager.clone(), TaskId::new(2));
//! let merger = Merger::new(&task, dirs, MergeOptions { spill, ..MergeOptions::default() })?;
//! let mut expected = 0;
//! merger.merge(runs, &wait, |record| {
//!     assert_eq!(record, format!("{expected:05}").as_bytes());
//!     expected += 1;
//!     Ok(())
//! })?;
//! assert_eq!(expected, 10_000);
//! assert_eq!(manager.ledger().snapshot().off_heap.execution_used, 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod code;
mod copy;
mod cursor;
mod entry;
mod error;
mod group;
mod long_record;
mod loser_tree;
mod marks;
mod merge_pages;
mod merger;
mod options;
mod order;
mod page;
mod part;
pub mod radix;
mod records;
mod run;
mod run_files;
mod shuffle;
mod sorted;
mod sorter;
mod stats;

pub use error::SortError;
pub use long_record::LongRecord;
pub use merger::Merger;
pub use options::{MergeOptions, SorterOptions};
pub use order::Order;
pub use part::MergePart;
pub use run::Run;
pub use shuffle::{
    ChecksumAlgorithm, LongShuffleRecord, PartitionReader, Partitioner, ShuffleError,
    ShuffleExternalSorter, ShuffleFiles, ShuffleOptions, ShuffleReader, ShuffleSpills,
    ShuffleStats, ShuffleWriter, partition_of,
};
pub use sorted::{Sorted, SortedPages};
pub use sorter::ExternalSorter;
pub use stats::{MergeStats, SortStats};
