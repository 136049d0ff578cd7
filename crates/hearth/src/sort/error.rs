//! Why a sort failed.

use std::io;
use std::path::PathBuf;

use mem_sort::SortError;
use task_mem::MemoryError;

/// Why a sort failed. An output that replaces a file was not touched.
///
/// `Display` does not repeat [`source`](std::error::Error::source); print both.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SortFailure {
    /// An input can't be read.
    #[error("could not read {}", name.display())]
    Input {
        /// The file, or `-`.
        name: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A line is longer than all the memory there is.
    #[error(
        "{}: a line of more than {read} bytes does not fit in the {budget} bytes of memory; {key} \
         would have helped",
        name.display()
    )]
    LineTooLong {
        /// The file that it is in, or `-`.
        name: PathBuf,
        /// How much of it was read, in bytes.
        read: u64,
        /// The budget in bytes.
        budget: u64,
        /// The setting that the budget comes from.
        key: &'static str,
    },
    /// A buffer could not be had.
    #[error("not enough memory to sort")]
    Memory(#[from] MemoryError),
    /// Sorting, spilling or merging failed.
    #[error(transparent)]
    Sort(SortError),
    /// The output can't be written.
    #[error("could not write the output")]
    Output(#[source] io::Error),
    /// A thread could not be started.
    #[error("could not start a thread")]
    Thread(#[source] io::Error),
    /// A thread ended in a panic, which is a bug.
    #[error("a sorting thread panicked")]
    Panicked,
}

impl From<SortError> for SortFailure {
    fn from(error: SortError) -> Self {
        match error {
            SortError::Sink(error) => Self::Output(error),
            other => Self::Sort(other),
        }
    }
}
