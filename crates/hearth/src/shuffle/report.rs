//! What a shuffle took.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::sort::{TaskCounts, bytes, seconds};

/// What a shuffle took. Sizes are bytes.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ShuffleReport {
    /// The kind of memory: `on-heap` or `off-heap`.
    pub memory: String,
    /// All memory that there was.
    pub budget_bytes: u64,
    /// The most that was granted at one instant.
    pub peak_granted_bytes: u64,
    /// The most memory that the process had, where the system says.
    pub peak_resident_bytes: Option<u64>,
    /// Partitions made.
    pub partitions: u32,
    /// Lines read.
    pub records: u64,
    /// Bytes of these lines, newlines included.
    pub record_bytes: u64,
    /// Bytes of the data file.
    pub written_bytes: u64,
    /// Runs that were spilled; the last one, at the end of input, not included.
    pub spills: u64,
    /// Bytes of the pages that they were in memory.
    pub spilled_bytes: u64,
    /// Bytes of their lines on disk.
    pub stored_bytes: u64,
    /// Bytes of runs on disk that were merged from others, for want of memory.
    pub remerged_bytes: u64,
    /// Its requests for memory.
    #[serde(flatten)]
    pub counts: TaskCounts,
    /// How long each phase took.
    pub seconds: ShufflePhases,
}

/// How long the phases of a shuffle took.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct ShufflePhases {
    /// Reading, inserting, spilling.
    #[serde(serialize_with = "seconds")]
    pub insert: Duration,
    /// Writing the last run, and merging.
    #[serde(serialize_with = "seconds")]
    pub merge: Duration,
    /// Both.
    #[serde(serialize_with = "seconds")]
    pub total: Duration,
}

/// For people.
impl fmt::Display for ShuffleReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut row = |name: &str, value: String| writeln!(f, "{name:<16} {value}");
        row(
            "budget",
            format!("{} of {} memory", bytes(self.budget_bytes), self.memory),
        )?;
        row("peak granted", bytes(self.peak_granted_bytes))?;
        row(
            "peak resident",
            self.peak_resident_bytes
                .map_or_else(|| "unknown".into(), bytes),
        )?;
        row(
            "read",
            format!("{} lines, {}", self.records, bytes(self.record_bytes)),
        )?;
        let written = bytes(self.written_bytes);
        row(
            "written",
            format!("{} partitions, {written} on disk", self.partitions),
        )?;
        row("spills", self.spills.to_string())?;
        let (spilled, stored) = (bytes(self.spilled_bytes), bytes(self.stored_bytes));
        row("spilled", format!("{spilled}; {stored} on disk"))?;
        row("merged twice", bytes(self.remerged_bytes))?;
        row("waits", self.counts.waits.to_string())?;
        row("short grants", self.counts.short_grants.to_string())?;
        row("refusals", self.counts.refusals.to_string())?;
        let ShufflePhases {
            insert,
            merge,
            total,
        } = self.seconds;
        row(
            "time",
            format!("insert {insert:.2?}, merge {merge:.2?}, in all {total:.2?}"),
        )
    }
}
