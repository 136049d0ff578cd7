//! What the tests are made with: memories, tables, answers, and a deadline for those that hang.

use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::prelude::{ParquetReadOptions, SessionConfig, SessionContext};
use hearth_tpch::{QUERIES, Table, file_of, write_parquet};
use mem_datafusion::HearthRuntime;
use mem_policy::MemoryConfig;
use tempfile::TempDir;

/// The queries of TPC-H that are run: an aggregate, a join of three tables, one of six, and one of large
/// groups.
pub(crate) const CHOSEN: [usize; 4] = [1, 3, 9, 18];

/// What a test may take that has not hung.
const DEADLINE: Duration = Duration::from_secs(240);

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
    let ended = threads.block_on(async { tokio::time::timeout(DEADLINE, test).await });
    threads.shutdown_background();
    ended.expect("the test hangs");
}

/// TPC-H's tables at a small scale, made once a run.
pub(crate) fn tables() -> &'static Path {
    static TABLES: OnceLock<TempDir> = OnceLock::new();
    let tables = TABLES.get_or_init(|| {
        let directory = tempfile::tempdir().unwrap();
        write_parquet(0.01, directory.path()).unwrap();
        directory
    });
    tables.path()
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

/// The rows that a statement gives, as text, in the order in which they come; those of queries that do
/// not order all of them are put in order.
pub(crate) async fn answer(
    session: &SessionContext,
    statement: &str,
) -> datafusion::common::Result<Vec<String>> {
    let batches = session.sql(statement).await?.collect().await?;
    let mut rows: Vec<String> = batches.iter().flat_map(rows_of).collect();
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

/// The answers to the chosen queries, by DataFusion alone and without a limit.
pub(crate) async fn expected(directory: &Path) -> Vec<(usize, Vec<String>)> {
    let session = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(2));
    register(&session, directory).await;
    let mut answers = Vec::new();
    for query in CHOSEN {
        answers.push((query, answer(&session, text(query)).await.unwrap()));
    }
    answers
}

/// The text of one of TPC-H's queries, numbered from 1.
pub(crate) fn text(query: usize) -> &'static str {
    QUERIES[query - 1]
}
