//! Shuffling: records to partitions, in files that others read a partition at a time.
//!
//! [`ShuffleWriter`] puts a [`ShuffleExternalSorter`] and the merge of its runs together;
//! [`ShuffleReader`] reads the result.
//!
//! - `in_memory_sorter` sorts pointers by partition, by radix or by comparison; the records they
//!   point to lie in `record_pages`.
//! - `external_sorter` takes records in, and spills for itself; a `run` is what one spill wrote, to
//!   the files of `run_space`.
//! - `spills` merges runs, partition by partition along their `run_cursor`s; `merge` copies the bytes,
//!   or decodes and encodes them again.
//! - `output` and `reader` know the files.

mod checksum;
mod error;
mod external_sorter;
mod in_memory_sorter;
mod long_record;
mod merge;
mod options;
mod output;
mod partitioner;
mod reader;
mod record_pages;
mod run;
mod run_cursor;
mod run_space;
mod spills;
mod stats;
#[cfg(test)]
pub(crate) mod testing;
mod writer;

pub use checksum::ChecksumAlgorithm;
pub use error::ShuffleError;
pub use external_sorter::ShuffleExternalSorter;
pub use long_record::LongShuffleRecord;
pub use options::ShuffleOptions;
pub use output::ShuffleFiles;
pub use partitioner::{Partitioner, partition_of};
pub use reader::{PartitionReader, ShuffleReader};
pub use spills::ShuffleSpills;
pub use stats::ShuffleStats;
pub use writer::ShuffleWriter;
