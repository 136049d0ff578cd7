//! `hearth shuffle`: lines into partitions by their hash, under a memory budget.
//!
//! A line belongs to the partition that [`partition_of`](mem_sort::partition_of) says: the CRC-32 of
//! its bytes without the newline, modulo the number of partitions. [`job`] reads lines and hands them
//! to a shuffle writer, which spills when the memory is used up and at the end makes the files:
//! [`ShuffleFiles`](mem_sort::ShuffleFiles). [`read`] gets one partition back.
//!
//! All memory that grows with the budget or the data comes from the memory manager: read buffers,
//! pages, pointers, spill and merge buffers.

mod args;
mod command;
mod error;
mod job;
mod plan;
mod read;
mod report;

pub use args::ShuffleArgs;
pub use error::ShuffleFailure;
pub use job::ShuffleJob;
pub use plan::ShufflePlan;
pub use report::{ShufflePhases, ShuffleReport};

pub(crate) use command::command;
