//! Spilling: who can be asked to give memory back, how, and what can go wrong.

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Weak;

use crate::consumer::ConsumerId;

/// Gives back memory when another consumer of the same task needs it. Spark's counterpart is
/// `MemoryConsumer.spill` with a trigger other than the consumer itself.
///
/// It is called without any lock of Hearth's, on the thread of whoever needs the memory, and never
/// while the consumer itself is asking for memory. So the consumer's own lock, if it has one, may be
/// taken here, and may be held while it asks.
pub trait Spill: Send + Sync {
    /// Gives back at least `need` bytes if it can, by dropping its guards, and returns how many it
    /// gave back. Less is fine: it is asked again, until it returns 0. `trigger` is for whom.
    ///
    /// Asking for memory for the same consumer in here fails; for another one it is possible.
    ///
    /// # Errors
    /// [`SpillError`]; the request that this was for then fails and names this consumer.
    fn spill(&self, need: u64, trigger: ConsumerId) -> Result<u64, SpillError>;
}

/// Gives back memory of the asking consumer itself: Spark's `spill` with the consumer as trigger.
///
/// A closure is one: it may borrow the consumer's own data mutably, since it lives only as long as
/// the request, and is called on the thread that drives it.
pub trait SelfSpill {
    /// As [`Spill::spill`].
    ///
    /// # Errors
    /// [`SpillError`].
    fn spill(&mut self, need: u64) -> Result<u64, SpillError>;

    /// Whether there is any point in asking.
    fn can_spill(&self) -> bool {
        true
    }
}

impl<F: FnMut(u64) -> Result<u64, SpillError> + ?Sized> SelfSpill for F {
    fn spill(&mut self, need: u64) -> Result<u64, SpillError> {
        self(need)
    }
}

/// The requester can't spill itself, or not now.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoSpill;

impl SelfSpill for NoSpill {
    fn spill(&mut self, _need: u64) -> Result<u64, SpillError> {
        Ok(0)
    }

    fn can_spill(&self) -> bool {
        false
    }
}

/// Who can make a consumer spill; declared when it registers.
#[derive(Default)]
pub enum Spillable {
    /// Nobody.
    Never,
    /// It spills for its own requests only, with the [`SelfSpill`] that comes with each.
    #[default]
    OnlyByItself,
    /// Every consumer of the task, from any of the task's threads; itself too.
    ByAnyone(Weak<dyn Spill>),
}

impl fmt::Debug for Spillable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Never => "Never",
            Self::OnlyByItself => "OnlyByItself",
            Self::ByAnyone(_) => "ByAnyone",
        })
    }
}

/// Why a spill failed. The three are told apart because a kill must not look like a lack of memory.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpillError {
    /// The task was interrupted while it spilled. Spark: `ClosedByInterruptException`,
    /// `InterruptedIOException`.
    #[error("{0}")]
    Interrupted(#[source] io::Error),
    /// The disk. Spark: any other `IOException`.
    #[error("{0}")]
    Io(#[source] io::Error),
    /// Anything else; it reaches the requester as it is.
    #[error("{0}")]
    Other(#[source] Box<dyn Error + Send + Sync>),
}

impl From<io::Error> for SpillError {
    /// An error of the kind [`Interrupted`](io::ErrorKind::Interrupted) is a kill.
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::Interrupted => Self::Interrupted(error),
            _ => Self::Io(error),
        }
    }
}
