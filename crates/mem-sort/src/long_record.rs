//! A record that comes in pieces.

use std::fmt;

use mem_spill::SpillWriter;
use task_mem::WorkspaceBuffer;

use crate::error::SortError;
use crate::records::add_run;
use crate::run::{Run, finish_single};
use crate::stats::SortStats;

/// A record that is being inserted piece by piece; see
/// [`ExternalSorter::insert_long`](crate::ExternalSorter::insert_long). Dropped before it is
/// [finished](Self::finish), it was never there.
#[must_use = "a record that is not finished was never there"]
pub struct LongRecord<'a> {
    writer: SpillWriter<'a, WorkspaceBuffer>,
    runs: &'a mut Vec<Run>,
    stats: &'a mut SortStats,
}

impl<'a> LongRecord<'a> {
    pub(crate) fn new(
        writer: SpillWriter<'a, WorkspaceBuffer>,
        runs: &'a mut Vec<Run>,
        stats: &'a mut SortStats,
    ) -> Self {
        Self {
            writer,
            runs,
            stats,
        }
    }

    /// Appends bytes to it.
    ///
    /// # Errors
    ///
    /// [`SortError::Spill`]; the record is lost then.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), SortError> {
        Ok(self.writer.append(bytes)?)
    }

    /// Its bytes so far.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.writer.bytes()
    }

    /// That was all of it.
    ///
    /// # Errors
    ///
    /// [`SortError::Spill`]; the record is lost then.
    pub fn finish(self) -> Result<(), SortError> {
        let run = finish_single(self.writer)?;
        self.stats.records += 1;
        self.stats.record_bytes += run.record_bytes();
        add_run(self.runs, self.stats, run);
        Ok(())
    }
}

impl fmt::Debug for LongRecord<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LongRecord")
            .field("length", &self.length())
            .finish_non_exhaustive()
    }
}
