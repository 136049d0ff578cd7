//! Why a shuffle could not be written or read.

use std::io;
use std::path::{Path, PathBuf};

use mem_spill::{OutputError, SpillError};
use task_mem::{Failure, MemoryError};

/// Why a shuffle could not be written or read. What was held is given back, and an earlier output is
/// untouched.
///
/// `Display` does not repeat [`source`](std::error::Error::source); print both.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ShuffleError {
    /// There can't be so many partitions.
    #[error("there can't be {partitions} partitions: 1 to {most} is allowed")]
    Partitions {
        /// How many there were to be.
        partitions: u32,
        /// How many there can be.
        most: u32,
    },
    /// A partition that there is not.
    #[error("there is no partition {partition}: there are {partitions}, counted from 0")]
    NoSuchPartition {
        /// Its number.
        partition: u32,
        /// How many there are.
        partitions: u32,
    },
    /// Memory that is needed to go on could not be had: it was refused, cancelled, or waited for in
    /// vain.
    #[error("not enough memory to shuffle")]
    Memory(#[source] MemoryError),
    /// A run could not be written or read, or the data file could not.
    #[error("could not spill, merge or read a shuffle")]
    Spill(#[source] SpillError),
    /// An output file could not be made.
    #[error("could not make a shuffle's output")]
    Output(#[source] OutputError),
    /// A file or the directory could not be made, read or written.
    #[error("could not {action} {}", path.display())]
    Io {
        /// What failed, as `read`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file is not what a shuffle writes, or does not agree with the others.
    #[error("{} is damaged: {what}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found and what was expected.
        what: String,
    },
}

impl ShuffleError {
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }

    pub(crate) fn damaged(path: &Path, what: impl Into<String>) -> Self {
        Self::Damaged {
            path: path.to_owned(),
            what: what.into(),
        }
    }
}

impl From<SpillError> for ShuffleError {
    fn from(error: SpillError) -> Self {
        Self::Spill(error)
    }
}

impl From<OutputError> for ShuffleError {
    fn from(error: OutputError) -> Self {
        Self::Output(error)
    }
}

impl From<MemoryError> for ShuffleError {
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

impl From<ShuffleError> for task_mem::SpillError {
    /// For the spill on behalf of a request; the requester gets the same error back.
    fn from(error: ShuffleError) -> Self {
        Self::Other(Box::new(error))
    }
}

/// Whether the memory that was asked for does not exist, or is not to be had.
pub(crate) fn is_shortage(error: &MemoryError) -> bool {
    matches!(
        error.failure(),
        Failure::OutOfMemory { .. } | Failure::TooLargePage { .. }
    )
}
