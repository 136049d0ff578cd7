//! Why a shuffle failed.

use std::io;

use mem_sort::ShuffleError;
use task_mem::MemoryError;

use crate::sort::SortFailure;

/// Why a shuffle failed. An output that was there is untouched.
///
/// `Display` does not repeat [`source`](std::error::Error::source); print both.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ShuffleFailure {
    /// The budget is too small.
    #[error("{budget} bytes of memory are too few to shuffle: {needed} are needed; increase {key}")]
    TooSmall {
        /// The budget in bytes.
        budget: u64,
        /// What is needed, in bytes.
        needed: u64,
        /// The setting that the budget comes from.
        key: &'static str,
    },
    /// Blocks can't have that form.
    #[error("{key}")]
    Block {
        /// The setting.
        key: &'static str,
        /// What is wrong with it.
        source: mem_spill::SpillError,
    },
    /// An input can't be read.
    #[error(transparent)]
    Input(#[from] SortFailure),
    /// A buffer could not be had.
    #[error("not enough memory to shuffle")]
    Memory(#[from] MemoryError),
    /// Writing the shuffle, or reading it, failed.
    #[error(transparent)]
    Shuffle(#[from] ShuffleError),
    /// Standard output can't be written.
    #[error("could not write the output")]
    Output(#[source] io::Error),
}
