//! Who holds execution memory.

use std::fmt;

/// A task attempt: the unit between which execution memory is shared out.
///
/// Spark's counterpart is the task attempt id, a `Long`; its driver uses −1 for "no task".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(i64);

impl TaskId {
    /// The task with that number.
    #[must_use]
    pub const fn new(id: i64) -> Self {
        Self(id)
    }

    /// Its number.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "task {}", self.0)
    }
}

/// The dataset that a block belongs to (Spark's RDD id): storing one of its blocks never evicts
/// another of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Dataset(i64);

impl Dataset {
    /// The dataset with that number.
    #[must_use]
    pub const fn new(id: i64) -> Self {
        Self(id)
    }

    /// Its number.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }
}
