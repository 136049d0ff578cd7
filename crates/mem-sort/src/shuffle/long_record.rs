//! A record that comes in pieces.

use std::fmt;

use task_mem::WorkspaceBuffer;

use super::error::ShuffleError;
use super::external_sorter::check_partition;
use super::run::{ShuffleRun, SingleWriter};
use super::stats::ShuffleStats;

/// A record that is being inserted piece by piece; see
/// [`ShuffleExternalSorter::insert_long`](crate::ShuffleExternalSorter::insert_long). Dropped before
/// it is [finished](Self::finish), it was never there.
#[must_use = "a record that is not finished was never there"]
pub struct LongShuffleRecord<'a> {
    writer: SingleWriter<'a, WorkspaceBuffer>,
    partitions: u32,
    runs: &'a mut Vec<ShuffleRun>,
    stats: &'a mut ShuffleStats,
}

impl<'a> LongShuffleRecord<'a> {
    pub(crate) fn new(
        writer: SingleWriter<'a, WorkspaceBuffer>,
        partitions: u32,
        runs: &'a mut Vec<ShuffleRun>,
        stats: &'a mut ShuffleStats,
    ) -> Self {
        Self {
            writer,
            partitions,
            runs,
            stats,
        }
    }

    /// Appends bytes to it.
    ///
    /// # Errors
    ///
    /// [`ShuffleError::Spill`]; the record is lost then.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), ShuffleError> {
        Ok(self.writer.append(bytes)?)
    }

    /// Its bytes so far.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.writer.bytes()
    }

    /// That was all of it, and it belongs to `partition`.
    ///
    /// # Errors
    ///
    /// [`ShuffleError::NoSuchPartition`], [`ShuffleError::Spill`]; the record is lost then.
    pub fn finish(self, partition: u32) -> Result<(), ShuffleError> {
        check_partition(partition, self.partitions)?;
        let length = self.length();
        let run = self.writer.finish(partition)?;
        self.stats.count_record(length);
        self.stats.count_spill(0, run.segments.stored_bytes());
        self.runs.push(run);
        Ok(())
    }
}

impl fmt::Debug for LongShuffleRecord<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LongShuffleRecord")
            .field("length", &self.length())
            .finish_non_exhaustive()
    }
}
