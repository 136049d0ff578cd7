//! A part of the last merge.

use std::fmt;
use std::io;

use crate::error::SortError;
use crate::group::Group;
use crate::stats::MergeStats;

/// The records from one bound to the next of all runs that are left; see
/// [`Merger::split`](crate::Merger::split). It holds the memory that it is merged in, and gives the
/// disk space of what it has read back, as long as that takes next to no time.
///
/// Spark's counterpart: none, a task merges its spills in one thread.
pub struct MergePart {
    group: Group,
    unique: bool,
}

impl MergePart {
    pub(crate) fn new(group: Group, unique: bool) -> Self {
        Self { group, unique }
    }

    /// Goes to the first record. Gives how many records come before this part in all runs, and how
    /// many bytes they have; also those that are left out later because they are the same.
    ///
    /// # Errors
    ///
    /// [`SortError::Spill`], [`SortError::Malformed`].
    pub fn begin(&mut self) -> Result<(u64, u64), SortError> {
        self.group.begin()
    }

    /// Passes its records to `sink` in order.
    ///
    /// # Errors
    ///
    /// [`SortError`].
    pub fn merge(
        self,
        mut sink: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<MergeStats, SortError> {
        let mut stats = MergeStats::default();
        self.group.merge(self.unique, |_, record| {
            stats.records += 1;
            stats.record_bytes += record.len() as u64;
            sink(record).map_err(SortError::Sink)
        })?;
        Ok(stats)
    }
}

impl fmt::Debug for MergePart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MergePart")
            .field("runs", &self.group.count())
            .field("unique", &self.unique)
            .finish_non_exhaustive()
    }
}
