//! What the tests are made with: sessions of known sizes, tables, and runs of the program.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use datafusion::arrow::util::pretty::pretty_format_batches;
use datafusion::common::Result;
use mem_datafusion::{HearthMemoryPool, HearthRuntime, PoolStats, RuntimeOptions};
use mem_policy::{ManagerOptions, MemoryConfig, memory_manager};
use mem_sql::HearthSession;

pub(crate) const MIB: u64 = 1 << 20;

/// All memory is `bytes`, and these settings besides.
pub(crate) fn runtime_with(bytes: u64, settings: &[(&str, &str)]) -> HearthRuntime {
    let mut config = MemoryConfig::new()
        .with("spark.memory.offHeap.enabled", true)
        .and_then(|config| config.with("spark.memory.offHeap.size", bytes))
        .unwrap();
    for (key, value) in settings {
        config = config.with(key, *value).unwrap();
    }
    let manager = memory_manager(config.resolve(2).unwrap(), &ManagerOptions::default());
    let options = RuntimeOptions {
        // The machine may be slow, and what is tested is not how fast it is.
        wait: Duration::from_secs(120),
        ..RuntimeOptions::of(&config).unwrap()
    };
    HearthRuntime::new(manager, options).unwrap()
}

pub(crate) fn runtime(bytes: u64) -> HearthRuntime {
    runtime_with(bytes, &[])
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
    Ok(show_with_stats(session, sql).await?.0)
}

/// The rows of a statement, shown, and what its memory went through.
pub(crate) async fn show_with_stats(
    session: &HearthSession,
    sql: &str,
) -> Result<(String, Option<PoolStats>)> {
    let Some(rows) = session.run(sql).await? else {
        return Ok((String::new(), None));
    };
    let pool = rows.task_ctx().runtime_env().memory_pool.clone();
    let batches = rows.collect().await?;
    let stats = pool.downcast_ref().map(HearthMemoryPool::stats);
    Ok((pretty_format_batches(&batches)?.to_string(), stats))
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
pub(crate) fn check_no_query(runtime: &HearthRuntime) {
    runtime.manager().ledger().check();
    let stats = runtime.stats();
    let left = (
        stats.execution,
        stats.overdraft,
        stats.on_disk,
        stats.waiting,
    );
    assert_eq!(left, (0, 0, 0, 0), "{stats:?}");
}

/// The program with these arguments, not started yet.
pub(crate) fn hearth_sql<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hearth-sql"));
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Runs the program in a directory; its exit status, standard output and standard error.
pub(crate) fn run(directory: &Path, arguments: &[&str]) -> (i32, String, String) {
    let mut command = hearth_sql(arguments);
    let Output {
        status,
        stdout,
        stderr,
    } = command.current_dir(directory).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

/// The names in a directory.
pub(crate) fn listed(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name();
    entries
        .map(|entry| name(entry).into_string().unwrap())
        .collect()
}

/// SplitMix64.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}
