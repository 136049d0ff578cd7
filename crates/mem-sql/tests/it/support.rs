//! What the tests are made with: sessions of known sizes, and tables.

use std::time::Duration;

use datafusion::arrow::util::pretty::pretty_format_batches;
use datafusion::common::Result;
use mem_datafusion::{HearthRuntime, RuntimeOptions};
use mem_policy::{ManagerOptions, MemoryConfig, memory_manager};
use mem_sql::HearthSession;

pub(crate) const MIB: u64 = 1 << 20;

/// All memory is `bytes`; waits that no test runs into.
pub(crate) fn runtime(bytes: u64) -> HearthRuntime {
    let config = MemoryConfig::new()
        .with("spark.memory.offHeap.enabled", true)
        .and_then(|config| config.with("spark.memory.offHeap.size", bytes))
        .unwrap();
    let manager = memory_manager(config.resolve(2).unwrap(), &ManagerOptions::default());
    let options = RuntimeOptions {
        wait: Duration::from_secs(600),
        ..RuntimeOptions::default()
    };
    HearthRuntime::new(manager, options).unwrap()
}

pub(crate) fn session(bytes: u64, queries: usize) -> HearthSession {
    HearthSession::new(runtime(bytes), queries).unwrap()
}

/// Runs a future on two workers.
pub(crate) fn on_two_workers<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(work)
}

/// The rows of a statement, shown.
pub(crate) async fn show(session: &HearthSession, sql: &str) -> Result<String> {
    let Some(rows) = session.run(sql).await? else {
        return Ok(String::new());
    };
    let batches = rows.collect().await?;
    Ok(pretty_format_batches(&batches)?.to_string())
}

/// A table `t` of `rows` rows, which is in nobody's memory: keys that repeat 4 times, numbers, and words.
pub(crate) async fn table(session: &HearthSession, rows: u32) {
    let keys = rows / 4;
    let sql = format!(
        "CREATE TABLE t AS SELECT (value * 7919) % {keys} AS k, value AS v, \
         concat('word number ', value % 1000) AS w FROM generate_series(1, {rows})"
    );
    session.run(&sql).await.unwrap();
}

/// Nothing is held for queries any more.
#[track_caller]
pub(crate) fn check_no_query(session: &HearthSession) {
    session.runtime().manager().ledger().check();
    let stats = session.runtime().stats();
    let left = (
        stats.execution,
        stats.overdraft,
        stats.on_disk,
        stats.waiting,
    );
    assert_eq!(left, (0, 0, 0, 0), "{stats:?}");
}
