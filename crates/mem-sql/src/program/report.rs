//! What the statements took.

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use datafusion::dataframe::DataFrame;
use datafusion::execution::memory_pool::MemoryPool;
use mem_datafusion::{HearthMemoryPool, HearthRuntime, PoolStats, RuntimeStats};
use mem_policy::PolicyKind;
use mem_policy::explain::human_size;
use mem_sync::Moment;
use serde_json::{Value, json};

use super::args::StatsForm;

/// Collects what queries took.
pub(super) struct Report {
    began: Moment,
    queries: Vec<PoolStats>,
}

/// The pool of a query.
pub(super) fn pool_of(query: &DataFrame) -> Arc<dyn MemoryPool> {
    Arc::clone(&query.task_ctx().runtime_env().memory_pool)
}

impl Report {
    pub(super) fn begin(runtime: &HearthRuntime) -> Self {
        Self {
            began: runtime.manager().ledger().clock().now(),
            queries: Vec::new(),
        }
    }

    /// A query is done.
    pub(super) fn add(&mut self, pool: &Arc<dyn MemoryPool>) {
        let pool = pool.downcast_ref::<HearthMemoryPool>();
        self.queries.extend(pool.map(HearthMemoryPool::stats));
    }

    /// Writes it to standard error.
    pub(super) fn write(&self, form: StatsForm, runtime: &HearthRuntime) -> io::Result<()> {
        let facts = Facts {
            policy: match runtime.manager().resolved().policy {
                PolicyKind::Unified => "unified",
                PolicyKind::Static => "static",
            },
            memory: runtime.manager().tungsten_memory_mode().to_string(),
            resident: peak_resident_bytes(),
            stats: runtime.stats(),
            elapsed: runtime.manager().ledger().clock().now().since(self.began),
            queries: &self.queries,
        };
        let text = match form {
            StatsForm::Text => facts.to_string(),
            StatsForm::Json => format!("{}\n", facts.to_json()),
        };
        io::stderr().write_all(text.as_bytes())
    }
}

/// What there is to say.
struct Facts<'a> {
    policy: &'static str,
    memory: String,
    resident: Option<u64>,
    stats: RuntimeStats,
    elapsed: Duration,
    queries: &'a [PoolStats],
}

impl Facts<'_> {
    fn to_json(&self) -> Value {
        let RuntimeStats {
            counters, spilled, ..
        } = &self.stats;
        let query = |query: &PoolStats| {
            json!({
                "task": query.task.get(),
                "peak_bytes": query.peak,
                "refusals": query.refusals,
                "waits": query.waits,
                "waited_seconds": query.waited.as_secs_f64(),
            })
        };
        json!({
            "policy": self.policy,
            "memory": self.memory,
            "budget_bytes": self.stats.total,
            "peak_granted_bytes": self.stats.peak,
            "peak_overdraft_bytes": self.stats.overdraft_peak,
            "peak_resident_bytes": self.resident,
            "storage_bytes": self.stats.storage,
            "spill_files": spilled.files_created,
            "spilled_bytes": spilled.bytes_written,
            "stored_bytes": spilled.stored_bytes_written,
            "evictions": counters.evictions,
            "evicted_bytes": counters.evicted_bytes,
            "waits": counters.waits,
            "refusals": self.refusals(),
            "seconds": self.elapsed.as_secs_f64(),
            "queries": self.queries.iter().map(query).collect::<Vec<_>>(),
        })
    }

    fn refusals(&self) -> u64 {
        self.queries.iter().map(|query| query.refusals).sum()
    }
}

/// For people.
impl fmt::Display for Facts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RuntimeStats {
            counters, spilled, ..
        } = &self.stats;
        let mut row = |name: &str, value: String| writeln!(f, "{name:<16} {value}");
        row("policy", format!("{}, {} memory", self.policy, self.memory))?;
        row("budget", bytes(self.stats.total))?;
        row("peak granted", bytes(self.stats.peak))?;
        row("peak overdraft", bytes(self.stats.overdraft_peak))?;
        let resident = self.resident.map_or_else(|| "unknown".into(), bytes);
        row("peak resident", resident)?;
        row("storage", bytes(self.stats.storage))?;
        row("spill files", spilled.files_created.to_string())?;
        let (written, stored) = (
            bytes(spilled.bytes_written),
            bytes(spilled.stored_bytes_written),
        );
        row("spilled", format!("{written}; {stored} on disk"))?;
        let evicted = bytes(counters.evicted_bytes);
        row("evictions", format!("{}, of {evicted}", counters.evictions))?;
        row("waits", counters.waits.to_string())?;
        row("refusals", self.refusals().to_string())?;
        row("time", format!("{:.2?}", self.elapsed))?;
        for query in self.queries {
            let peak = bytes(query.peak);
            let (waits, refusals) = (query.waits, query.refusals);
            let name = query.task.to_string();
            writeln!(
                f,
                "{name:<16} peak {peak}, {waits} waits, {refusals} refusals"
            )?;
        }
        Ok(())
    }
}

/// Bytes, and the same for people where that is shorter.
fn bytes(bytes: u64) -> String {
    if bytes < 1 << 10 {
        return format!("{bytes} bytes");
    }
    format!("{bytes} bytes ({})", human_size(bytes))
}

/// The most memory that the process had at one instant, in bytes; nothing where the system does not
/// say.
fn peak_resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let mut lines = status.lines();
    let line = lines.find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}
