//! What the statements took.

use std::io::{self, Write};
use std::sync::Arc;

use datafusion::common::Result;
use datafusion::dataframe::DataFrame;
use datafusion::execution::memory_pool::MemoryPool;
use mem_datafusion::{HearthMemoryPool, HearthRuntime, PoolStats};
use mem_sync::Moment;
use serde_json::json;

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
    pub(super) fn write(&self, form: StatsForm, runtime: &HearthRuntime) -> Result<()> {
        let stats = runtime.stats();
        let elapsed = runtime.manager().ledger().clock().now().since(self.began);
        let mut facts = vec![
            ("budget_bytes", stats.total),
            ("peak_bytes", stats.peak),
            ("overdraft_peak_bytes", stats.overdraft_peak),
            ("storage_bytes", stats.storage),
            ("spill_files", stats.spilled.files_created),
            ("spilled_bytes", stats.spilled.bytes_written),
            ("stored_bytes", stats.spilled.stored_bytes_written),
            ("evicted_bytes", stats.counters.evicted_bytes),
            ("waits", stats.counters.waits),
        ];
        facts.push((
            "refusals",
            self.queries.iter().map(|query| query.refusals).sum(),
        ));
        let mut stderr = io::stderr().lock();
        match form {
            StatsForm::Text => {
                for (name, value) in facts {
                    writeln!(stderr, "{}: {value}", name.replace('_', " "))?;
                }
                writeln!(stderr, "seconds: {:.3}", elapsed.as_secs_f64())?;
                for query in &self.queries {
                    let PoolStats {
                        task,
                        peak,
                        refusals,
                        waits,
                        ..
                    } = query;
                    writeln!(
                        stderr,
                        "{task}: peak {peak}, refusals {refusals}, waits {waits}"
                    )?;
                }
            }
            StatsForm::Json => {
                let mut report = json!({ "seconds": elapsed.as_secs_f64() });
                for (name, value) in facts {
                    report[name] = json!(value);
                }
                let query = |query: &PoolStats| {
                    json!({
                        "task": query.task.get(),
                        "peak_bytes": query.peak,
                        "refusals": query.refusals,
                        "waits": query.waits,
                        "waited_seconds": query.waited.as_secs_f64(),
                    })
                };
                report["queries"] = self.queries.iter().map(query).collect();
                writeln!(stderr, "{report}")?;
            }
        }
        Ok(())
    }
}
