//! What a shuffle did.

use super::run::ShuffleRun;

/// What a [`ShuffleWriter`](crate::ShuffleWriter) did so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ShuffleStats {
    /// Records inserted.
    pub records: u64,
    /// Their bytes.
    pub record_bytes: u64,
    /// Runs written because memory ran short or a threshold was reached. The one that is written at
    /// the end is not among them, as in Spark.
    pub spills: u64,
    /// Bytes of the pages that these runs were in memory (Spark: `memoryBytesSpilled`).
    pub memory_spilled_bytes: u64,
    /// Bytes of their records on disk (Spark: `diskBytesSpilled`).
    pub disk_spilled_bytes: u64,
    /// Bytes of runs on disk that runs were merged to because there was no memory to merge all of
    /// them at once.
    pub remerged_bytes: u64,
    /// The most bytes of pages and pointers at a time.
    pub peak_memory_bytes: u64,
    /// Bytes of the data file, when it is finished.
    pub written_bytes: u64,
}

impl ShuffleStats {
    /// Lengths in memory: their sum stays below 2^64 for centuries.
    pub(crate) fn count_record(&mut self, bytes: u64) {
        self.records += 1;
        self.record_bytes += bytes;
    }

    /// Runs that took the place of others.
    pub(crate) fn count_remerged(&mut self, runs: &[ShuffleRun]) {
        let stored = runs.iter().map(|run| run.segments.stored_bytes());
        self.remerged_bytes += stored.sum::<u64>();
    }

    /// Lengths of pages and of files, of which the same can be said.
    pub(crate) fn count_spill(&mut self, memory_bytes: u64, disk_bytes: u64) {
        self.spills += 1;
        self.memory_spilled_bytes += memory_bytes;
        self.disk_spilled_bytes += disk_bytes;
    }
}
