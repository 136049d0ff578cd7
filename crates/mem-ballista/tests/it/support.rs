//! What the tests are made with: memories, tables, answers, and a deadline for those that hang.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::common::Result;
use datafusion::prelude::{ParquetReadOptions, SessionConfig, SessionContext};
use hearth_tpch::{QUERIES, Table, file_of, write_parquet};
use mem_datafusion::HearthRuntime;
use mem_policy::MemoryConfig;
use tokio::sync::OnceCell;

/// The queries of TPC-H that are run: an aggregate, a join of three tables, one of six, and one of large
/// groups.
pub(crate) const CHOSEN: [usize; 4] = [1, 3, 9, 18];

/// What a test may take that has not hung, at a small scale.
const DEADLINE: Duration = Duration::from_secs(240);
/// As many times as much at scale 1.
const AT_SCALE_1: u32 = 10;

/// The scale of TPC-H's tables: small, or what `HEARTH_TPCH_SCALE` says.
fn scale() -> f64 {
    let said = std::env::var("HEARTH_TPCH_SCALE").ok();
    said.map_or(0.005, |scale| scale.parse().unwrap())
}

/// Whether there is little data.
pub(crate) fn is_small() -> bool {
    scale() < 0.1
}

/// A memory of so many bytes.
pub(crate) fn memory(size: &str) -> HearthRuntime {
    let config = MemoryConfig::new()
        .with("spark.memory.offHeap.enabled", true)
        .and_then(|config| config.with("spark.memory.offHeap.size", size));
    HearthRuntime::from_config(&config.unwrap()).unwrap()
}

/// Runs a test on threads of its own.
///
/// # Panics
/// Where it has not ended after some minutes: it hangs.
pub(crate) fn run(test: impl Future<Output = ()>) {
    let threads = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_stack_size(32 << 20)
        .enable_all()
        .build()
        .unwrap();
    let deadline = if is_small() {
        DEADLINE
    } else {
        DEADLINE * AT_SCALE_1
    };
    let ended = threads.block_on(async { tokio::time::timeout(deadline, test).await });
    threads.shutdown_background();
    ended.expect("the test hangs");
}

/// TPC-H's tables: those in the directory that `HEARTH_TPCH` names, or made once and kept among what was
/// built.
pub(crate) fn tables() -> &'static Path {
    static TABLES: OnceLock<PathBuf> = OnceLock::new();
    TABLES.get_or_init(|| {
        if let Some(path) = std::env::var_os("HEARTH_TPCH") {
            return PathBuf::from(path);
        }
        let parent = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let path = parent.join(format!("tpch-{}", scale()));
        if !path.exists() {
            let made = tempfile::tempdir_in(parent).unwrap();
            write_parquet(scale(), made.path()).unwrap();
            fs::rename(made.keep(), &path).unwrap();
        }
        path
    })
}

/// Makes TPC-H's tables known to a session.
pub(crate) async fn register(session: &SessionContext, directory: &Path) {
    for table in Table::ALL {
        let file = file_of(table, directory);
        let options = ParquetReadOptions::default();
        let registered = session.register_parquet(table.name(), file.to_str().unwrap(), options);
        registered.await.unwrap();
    }
}

/// The rows that a statement gives, as text, in the order in which they come.
pub(crate) async fn rows(session: &SessionContext, statement: &str) -> Result<Vec<String>> {
    let batches = session.sql(statement).await?.collect().await?;
    Ok(batches.iter().flat_map(rows_of).collect())
}

/// The same in an order of their own: few queries put all of their rows in order.
pub(crate) async fn answer(session: &SessionContext, statement: &str) -> Result<Vec<String>> {
    let mut rows = rows(session, statement).await?;
    rows.sort();
    Ok(rows)
}

fn rows_of(batch: &RecordBatch) -> Vec<String> {
    let options = FormatOptions::default();
    let columns = batch.columns().iter();
    let columns: Vec<_> = columns
        .map(|column| ArrayFormatter::try_new(column, &options).unwrap())
        .collect();
    let row = |row: usize| {
        let values = columns.iter().map(|column| column.value(row).to_string());
        values.collect::<Vec<_>>().join("|")
    };
    (0..batch.num_rows()).map(row).collect()
}

/// The answers to the chosen queries, by DataFusion alone and without a limit, looked for once a run.
pub(crate) async fn answers() -> &'static [(usize, Vec<String>)] {
    static ANSWERS: OnceCell<Vec<(usize, Vec<String>)>> = OnceCell::const_new();
    let answers = ANSWERS.get_or_init(async || {
        let config = SessionConfig::new().with_target_partitions(2);
        let session = SessionContext::new_with_config(config);
        register(&session, tables()).await;
        let mut answers = Vec::new();
        for query in CHOSEN {
            answers.push((query, answer(&session, text(query)).await.unwrap()));
        }
        answers
    });
    answers.await
}

/// The text of one of TPC-H's queries, numbered from 1.
pub(crate) fn text(query: usize) -> &'static str {
    QUERIES[query - 1]
}
