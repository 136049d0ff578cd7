//! Why a task did not get the memory it asked for.

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;

use mem_block::{AllocError, MAXIMUM_PAGE_SIZE_BYTES, PAGE_TABLE_SIZE};
use mem_pool::{Reason, Refusal, Reservation, TaskId};

use crate::consumer::ConsumerId;
use crate::spill::SpillError;

/// A consumer, as errors and reports name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumerLabel {
    /// Its number in its task.
    pub id: ConsumerId,
    /// The name it registered with.
    pub name: Arc<str>,
}

impl fmt::Display for ConsumerLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// What went wrong with a request of a task.
#[derive(Debug)]
#[non_exhaustive]
pub enum Failure {
    /// No page can be as large. Spark: `TooLargePageException`.
    TooLargePage {
        /// Bytes asked for.
        bytes: u64,
    },
    /// The task has as many pages as page numbers. Spark: `IllegalStateException`.
    PageTableFull,
    /// Too little could be had. Spark: `SparkOutOfMemoryError`, `UNABLE_TO_ACQUIRE_MEMORY`.
    OutOfMemory {
        /// Bytes that were needed.
        required: u64,
        /// Bytes that could be had; they have been given back.
        got: u64,
        /// What the books said when it was refused; shown by itself, it lists the largest holders.
        refusal: Refusal,
        /// What the allocator said last, where it was the one that failed.
        allocator: Option<AllocError>,
    },
    /// A consumer could not write what it was to spill. Spark: `SparkOutOfMemoryError`,
    /// `SPILL_OUT_OF_MEMORY`.
    SpillFailed {
        /// The consumer that spilled.
        culprit: ConsumerLabel,
        /// Why it could not.
        error: io::Error,
    },
    /// The task was killed while a consumer spilled. Spark: `RuntimeException`.
    Killed {
        /// The consumer that spilled.
        culprit: ConsumerLabel,
        /// The interruption.
        error: io::Error,
    },
    /// A spill failed otherwise.
    SpillOther {
        /// The consumer that spilled.
        culprit: ConsumerLabel,
        /// Its error.
        error: Box<dyn Error + Send + Sync>,
    },
    /// A consumer asked for memory from inside its own spill.
    Reentrant {
        /// The consumer.
        consumer: ConsumerLabel,
    },
    /// The task was cleaned up while it asked.
    TaskEnded {
        /// The task.
        task: TaskId,
    },
    /// The ledger refused: cancelled, out of time, not without waiting, everybody waits, or blocks
    /// could not be evicted.
    Refused(Refusal),
}

impl Failure {
    pub(crate) fn of_spill(culprit: ConsumerLabel, error: SpillError) -> Self {
        match error {
            SpillError::Interrupted(error) => Self::Killed { culprit, error },
            SpillError::Io(error) => Self::SpillFailed { culprit, error },
            SpillError::Other(error) => Self::SpillOther { culprit, error },
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLargePage { bytes } => write!(
                f,
                "cannot allocate a page of {bytes} bytes: the largest has {MAXIMUM_PAGE_SIZE_BYTES}"
            ),
            Self::PageTableFull => {
                write!(
                    f,
                    "the task already has {PAGE_TABLE_SIZE} pages, the most there can be"
                )
            }
            Self::OutOfMemory {
                required,
                got,
                refusal,
                allocator,
            } => {
                write!(
                    f,
                    "unable to acquire {required} bytes of memory, got {got}: "
                )?;
                match allocator {
                    Some(error) => write!(f, "{error}"),
                    None => write_short(f, refusal),
                }
            }
            Self::SpillFailed { culprit, error } => {
                write!(f, "error while calling spill() on {culprit}: {error}")
            }
            Self::Killed { culprit, error } => {
                write!(f, "killed while {culprit} spilled: {error}")
            }
            Self::SpillOther { culprit, error } => write!(f, "{culprit} failed to spill: {error}"),
            Self::Reentrant { consumer } => {
                write!(f, "{consumer} asked for memory from inside its own spill")
            }
            Self::TaskEnded { task } => write!(f, "{task} was cleaned up while it asked"),
            Self::Refused(refusal) => write!(f, "{refusal}"),
        }
    }
}

/// A grant that was too small, in one line.
fn write_short(f: &mut fmt::Formatter<'_>, refusal: &Refusal) -> fmt::Result {
    if let Reason::Limit(limit) = refusal.reason() {
        write!(f, "{limit}; ")?;
    }
    let (free, tasks) = (refusal.free(), refusal.active_tasks());
    write!(f, "{free} bytes are free, active tasks {tasks}; ")?;
    write!(f, "{} would have helped", refusal.remedy())
}

/// A request of a task that failed, with what had been granted for it before.
///
/// Dropping it gives that back. Where Spark's calls throw, they leave it with the task until the
/// task ends; so does [`leave_kept`](Self::leave_kept).
#[derive(Debug)]
pub struct MemoryError(Box<Inner>);

#[derive(Debug)]
struct Inner {
    failure: Failure,
    kept: Option<Reservation>,
}

impl MemoryError {
    pub(crate) fn new(failure: Failure, kept: Option<Reservation>) -> Self {
        Self(Box::new(Inner { failure, kept }))
    }

    /// What went wrong.
    #[must_use]
    pub fn failure(&self) -> &Failure {
        &self.0.failure
    }

    /// What went wrong, by value. What had been granted is given back.
    #[must_use]
    pub fn into_failure(self) -> Failure {
        self.0.failure
    }

    /// What had been granted before.
    #[must_use]
    pub fn kept(&self) -> Option<&Reservation> {
        self.0.kept.as_ref()
    }

    /// Takes what had been granted before.
    #[must_use]
    pub fn into_kept(self) -> Option<Reservation> {
        self.0.kept
    }

    /// Leaves what had been granted with the task, counted to no consumer, until the task ends.
    /// Returns how many bytes that are.
    pub fn leave_kept(&mut self) -> u64 {
        self.0.kept.take().map_or(0, Reservation::leave)
    }

    /// The configuration key that would have helped, where one would.
    #[must_use]
    pub fn remedy(&self) -> Option<&'static str> {
        match &self.0.failure {
            Failure::OutOfMemory { refusal, .. } | Failure::Refused(refusal) => {
                Some(refusal.remedy())
            }
            Failure::SpillFailed { .. } => Some("hearth.spill.dirs"),
            Failure::TooLargePage { .. } | Failure::PageTableFull => Some("spark.buffer.pageSize"),
            Failure::Killed { .. }
            | Failure::SpillOther { .. }
            | Failure::Reentrant { .. }
            | Failure::TaskEnded { .. } => None,
        }
    }
}

impl From<Failure> for MemoryError {
    fn from(failure: Failure) -> Self {
        Self::new(failure, None)
    }
}

impl fmt::Display for MemoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.failure.fmt(f)
    }
}

impl Error for MemoryError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.0.failure {
            Failure::SpillFailed { error, .. } | Failure::Killed { error, .. } => Some(error),
            Failure::SpillOther { error, .. } => Some(&**error),
            Failure::Refused(refusal) => Some(refusal),
            Failure::OutOfMemory { allocator, .. } => allocator
                .as_ref()
                .map(|error| error as &(dyn Error + 'static)),
            Failure::TooLargePage { .. }
            | Failure::PageTableFull
            | Failure::Reentrant { .. }
            | Failure::TaskEnded { .. } => None,
        }
    }
}
