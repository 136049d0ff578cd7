//! What a sort took.

use std::fmt;
use std::time::Duration;

use mem_pool::TaskId;
use serde::{Serialize, Serializer};

use super::counters::TaskCounts;

/// What a sort took. Sizes are bytes.
#[derive(Debug, Clone, Default, Serialize)]
pub struct SortReport {
    /// Who decided: `unified` or `static`.
    pub policy: &'static str,
    /// The kind of memory: `on-heap` or `off-heap`.
    pub memory: String,
    /// All memory that the tasks could have together.
    pub budget_bytes: u64,
    /// The most that was granted at one instant, in all; other users of the manager included.
    pub peak_granted_bytes: u64,
    /// The most memory that the process had, where the system says.
    pub peak_resident_bytes: Option<u64>,
    /// Lines read.
    pub records: u64,
    /// Bytes of these lines.
    pub record_bytes: u64,
    /// Lines written.
    pub output_records: u64,
    /// Bytes written.
    pub output_bytes: u64,
    /// Runs that were spilled, those of intermediate merges not included.
    pub spills: u64,
    /// Bytes of the lines in them.
    pub spilled_bytes: u64,
    /// Bytes of these runs on disk.
    pub stored_bytes: u64,
    /// Merges into a run in between.
    pub extra_merges: u64,
    /// The most runs that were merged at once.
    pub fan_in: u64,
    /// Bytes of the runs in between, on disk.
    pub extra_stored_bytes: u64,
    /// Requests for memory that waited.
    pub waits: u64,
    /// Requests for memory that were granted in part.
    pub short_grants: u64,
    /// Requests for memory that were refused.
    pub refusals: u64,
    /// How long each phase took.
    pub seconds: PhaseTimes,
    /// The tasks; the one that merged is the last, if there is one.
    pub tasks: Vec<TaskReport>,
}

/// How long the phases of a sort took.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct PhaseTimes {
    /// Reading, sorting, spilling.
    #[serde(serialize_with = "seconds")]
    pub sort: Duration,
    /// Merging and writing.
    #[serde(serialize_with = "seconds")]
    pub merge: Duration,
    /// Both.
    #[serde(serialize_with = "seconds")]
    pub total: Duration,
}

/// What one task took. Sizes are bytes.
#[derive(Debug, Clone, Serialize)]
pub struct TaskReport {
    /// Its number.
    #[serde(serialize_with = "number")]
    pub task: TaskId,
    /// What it did: `sort` or `merge`.
    pub role: &'static str,
    /// The most that it was granted at one instant.
    pub peak_granted_bytes: u64,
    /// Lines that it sorted, or merged.
    pub records: u64,
    /// Runs that it spilled.
    pub spills: u64,
    /// Its requests.
    #[serde(flatten)]
    pub counts: TaskCounts,
}

pub(crate) fn seconds<S: Serializer>(
    duration: &Duration,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}

fn number<S: Serializer>(task: &TaskId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_i64(task.get())
}

impl SortReport {
    /// Adds a task, and what it counts to the sums.
    pub(super) fn add_task(&mut self, task: TaskReport) {
        self.waits = self.waits.saturating_add(task.counts.waits);
        self.short_grants = self.short_grants.saturating_add(task.counts.short_grants);
        self.refusals = self.refusals.saturating_add(task.counts.refusals);
        self.tasks.push(task);
    }
}

/// For people.
impl fmt::Display for SortReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut row = |name: &str, value: String| writeln!(f, "{name:<16} {value}");
        row("policy", format!("{}, {} memory", self.policy, self.memory))?;
        row("budget", bytes(self.budget_bytes))?;
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
        row(
            "written",
            format!(
                "{} lines, {}",
                self.output_records,
                bytes(self.output_bytes)
            ),
        )?;
        row("spills", self.spills.to_string())?;
        let (spilled, stored) = (bytes(self.spilled_bytes), bytes(self.stored_bytes));
        row("spilled", format!("{spilled}; {stored} on disk"))?;
        let (extra, fan_in) = (self.extra_merges, self.fan_in);
        row(
            "merge",
            format!("{fan_in} runs at once, {extra} merges before the last"),
        )?;
        row("waits", self.waits.to_string())?;
        row("short grants", self.short_grants.to_string())?;
        row("refusals", self.refusals.to_string())?;
        let PhaseTimes { sort, merge, total } = self.seconds;
        row(
            "time",
            format!("sort {sort:.2?}, merge {merge:.2?}, in all {total:.2?}"),
        )?;
        self.tasks.iter().try_for_each(|task| writeln!(f, "{task}"))
    }
}

impl fmt::Display for TaskReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = format!("{} ({})", self.task, self.role);
        let TaskCounts {
            waits,
            short_grants,
            refusals,
        } = self.counts;
        write!(f, "{name:<16} peak {}, ", bytes(self.peak_granted_bytes))?;
        write!(
            f,
            "{} lines, {} spills, {waits} waits, ",
            self.records, self.spills
        )?;
        write!(f, "{short_grants} short grants, {refusals} refusals")
    }
}

/// Bytes, and the same for people where that is shorter.
pub(crate) fn bytes(bytes: u64) -> String {
    if bytes < 1 << 10 {
        return format!("{bytes} bytes");
    }
    format!("{bytes} bytes ({})", mem_policy::explain::human_size(bytes))
}
