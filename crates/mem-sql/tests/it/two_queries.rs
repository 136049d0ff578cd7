//! Two queries at once, one of which takes all that it can get.

use std::num::NonZeroUsize;
use std::sync::Arc;

use datafusion::arrow::array::{Int64Array, RecordBatch, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::streaming::StreamingTable;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::memory_pool::{
    GreedyMemoryPool, MemoryLimit, MemoryPool, TrackConsumersPool,
};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::{SendableRecordBatchStream, SessionStateBuilder, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use datafusion::prelude::SessionContext;
use futures::{StreamExt, stream};
use mem_datafusion::{HearthMemoryPool, PoolStats};
use mem_sql::HearthSession;
use tokio::sync::Semaphore;

use crate::support::{MIB, check_no_query, on_two_workers, session};

const TOTAL: u64 = 12 * MIB;
const ROWS: i64 = 150_000;
const BATCH: i64 = 1000;

/// Rows that stop coming when the query that reads them holds four fifths of all memory, until the gate
/// is opened.
#[derive(Debug)]
struct Gated {
    schema: SchemaRef,
    reached: Semaphore,
    open: Semaphore,
}

impl Gated {
    fn new() -> Arc<Self> {
        let field = |name, kind| Field::new(name, kind, false);
        let fields = vec![field("n", DataType::Int64), field("w", DataType::Utf8)];
        Arc::new(Self {
            schema: Arc::new(Schema::new(fields)),
            reached: Semaphore::new(0),
            open: Semaphore::new(0),
        })
    }

    fn batch(&self, number: i64) -> RecordBatch {
        let numbers = (number * BATCH..(number + 1) * BATCH).map(|n| (n * 7919) % ROWS);
        let numbers = Int64Array::from_iter_values(numbers);
        let words = numbers.values().iter().map(|n| format!("word number {n}"));
        let words = StringArray::from_iter_values(words);
        RecordBatch::try_new(
            self.schema.clone(),
            vec![Arc::new(numbers), Arc::new(words)],
        )
        .unwrap()
    }

    async fn pass(&self, pool: &dyn MemoryPool) {
        let MemoryLimit::Finite(limit) = pool.memory_limit() else {
            panic!("there is a limit");
        };
        if self.reached.available_permits() == 0 && pool.reserved() >= limit / 5 * 4 {
            self.reached.add_permits(1);
            drop(self.open.acquire().await.unwrap());
        }
    }
}

/// The gate as a table.
#[derive(Debug)]
struct Source(Arc<Gated>);

impl PartitionStream for Source {
    fn schema(&self) -> &SchemaRef {
        &self.0.schema
    }

    fn execute(&self, context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let gate = Arc::clone(&self.0);
        let batches = stream::iter(0..ROWS / BATCH).then(move |number| {
            let (gate, pool) = (Arc::clone(&gate), Arc::clone(context.memory_pool()));
            async move {
                gate.pass(&*pool).await;
                Ok(gate.batch(number))
            }
        });
        let schema = Arc::clone(&self.0.schema);
        Box::pin(RecordBatchStreamAdapter::new(schema, batches))
    }
}

/// What became of the two.
struct Outcome {
    hungry: Result<i64>,
    other: Result<i64>,
    /// The other's memory, where it is Hearth's.
    stats: Option<PoolStats>,
}

/// Lets one query take four fifths of the memory, then begins another, which needs a third and can't
/// spill, and lets the first go on once the other is done, or `waits`.
async fn two(
    hungry: SessionContext,
    other: SessionContext,
    waits: impl Fn() -> bool,
) -> Result<Outcome> {
    let gate = Gated::new();
    let source: Arc<dyn PartitionStream> = Arc::new(Source(Arc::clone(&gate)));
    let gated = StreamingTable::try_new(Arc::clone(&gate.schema), vec![source])?;
    let sorted = hungry.read_table(Arc::new(gated))?.sort_by(vec![
        datafusion::prelude::col("w"),
        datafusion::prelude::col("n"),
    ])?;
    let hungry = tokio::spawn(async move { count(sorted.execute_stream().await?).await });
    drop(gate.reached.acquire().await.expect("nobody closes it"));

    let pool = Arc::clone(&other.runtime_env().memory_pool);
    let join = other
        .sql(
            "SELECT a.v FROM (SELECT value AS v, concat(repeat('x', 60), value) AS w \
             FROM generate_series(1, 40000)) AS a JOIN generate_series(1, 50000) AS b(v) \
             ON a.v = b.v AND a.w <> concat('y', b.v)",
        )
        .await?;
    let other = tokio::spawn(async move { count(join.execute_stream().await?).await });
    while !other.is_finished() && !waits() {
        tokio::task::yield_now().await;
    }
    gate.open.add_permits(1);
    Ok(Outcome {
        hungry: hungry.await.unwrap(),
        other: other.await.unwrap(),
        stats: pool.downcast_ref().map(HearthMemoryPool::stats),
    })
}

async fn count(mut rows: SendableRecordBatchStream) -> Result<i64> {
    let mut all = 0;
    while let Some(batch) = rows.next().await {
        all += i64::try_from(batch?.num_rows()).unwrap();
    }
    Ok(all)
}

#[test]
fn the_other_query_gets_its_half_of_a_share_and_both_finish() {
    on_two_workers(async {
        let session = session(TOTAL, 2);
        let runtime = session.runtime().clone();
        let waits = || runtime.stats().waiting > 0;
        let outcome = two(session.query().unwrap(), session.query().unwrap(), waits).await;
        let outcome = outcome.unwrap();
        assert_eq!(outcome.hungry.unwrap(), ROWS);
        assert_eq!(outcome.other.unwrap(), 40_000);
        // 1/2N of it all, and more than was free when it came: so it waited, within the deadline.
        let stats = outcome.stats.unwrap();
        assert!(stats.peak >= TOTAL / 4, "{stats:?}");
        assert!(stats.waits > 0, "{stats:?}");
        let stats = runtime.stats();
        assert!(stats.peak <= stats.total, "{stats:?}");
        assert!(stats.spilled.files_created > 0, "the first had to spill");
        check_no_query(&runtime);
    });
}

/// The tables and settings of a session over a stock pool.
fn stock(session: &HearthSession) -> SessionContext {
    let top = NonZeroUsize::new(5).unwrap();
    let greedy = GreedyMemoryPool::new(usize::try_from(TOTAL).unwrap());
    let pool: Arc<dyn MemoryPool> = Arc::new(TrackConsumersPool::new(greedy, top));
    let env = RuntimeEnvBuilder::new()
        .with_memory_pool(pool)
        .build_arc()
        .unwrap();
    let state = SessionStateBuilder::new_from_existing(session.base().state());
    SessionContext::new_with_state(state.with_runtime_env(env).build())
}

#[test]
fn with_the_stock_pool_the_other_query_fails() {
    on_two_workers(async {
        let session = session(TOTAL, 2);
        let stock = stock(&session);
        let outcome = two(stock.clone(), stock, || false).await.unwrap();
        assert_eq!(outcome.hungry.unwrap(), ROWS);
        let error = outcome.other.unwrap_err();
        assert!(
            matches!(error.find_root(), DataFusionError::ResourcesExhausted(_)),
            "{error}"
        );
    });
}
