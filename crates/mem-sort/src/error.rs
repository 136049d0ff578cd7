//! Why sorting failed.

use std::io;

use mem_spill::SpillError;
use task_mem::{Failure, MemoryError};

/// Why sorting failed. What the sorter held is given back when it is dropped.
///
/// `Display` does not repeat [`source`](std::error::Error::source); print both.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SortError {
    /// Memory that is needed to go on could not be had: it was refused, cancelled, or waited for in
    /// vain.
    #[error("not enough memory to sort")]
    Memory(#[source] MemoryError),
    /// A run could not be written or read.
    #[error("could not spill")]
    Spill(#[source] SpillError),
    /// A record has to be in memory as a whole to be merged, and that is too much.
    #[error("a record of {length} bytes does not fit in memory")]
    RecordTooLong {
        /// Its length in bytes.
        length: u64,
        /// What was said to the request for that memory.
        source: MemoryError,
    },
    /// Whoever takes the sorted records failed.
    #[error("could not pass on a sorted record")]
    Sink(#[source] io::Error),
    /// A run is whole, says its checksum, but is not what a sorter writes.
    #[error("a sorted run is malformed: {0}")]
    Malformed(&'static str),
}

impl From<SpillError> for SortError {
    fn from(error: SpillError) -> Self {
        Self::Spill(error)
    }
}

impl From<MemoryError> for SortError {
    /// A spill that failed on behalf of a request is reported as what it is.
    fn from(error: MemoryError) -> Self {
        if !matches!(error.failure(), Failure::SpillOther { .. }) {
            return Self::Memory(error);
        }
        match error.into_failure() {
            Failure::SpillOther { culprit, error } => match error.downcast::<Self>() {
                Ok(own) => *own,
                Err(error) => Self::Memory(Failure::SpillOther { culprit, error }.into()),
            },
            other => Self::Memory(other.into()),
        }
    }
}

impl From<SortError> for task_mem::SpillError {
    /// For the spill on behalf of a request; the requester gets the same error back.
    fn from(error: SortError) -> Self {
        Self::Other(Box::new(error))
    }
}
