//! A cached table as DataFusion sees it.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::logical_expr::{Expr, LogicalPlan, TableType};
use datafusion::physical_plan::streaming::PartitionStream;
use datafusion::physical_plan::{ExecutionPlan, execute_stream_partitioned};
use mem_pool::Dataset;
use mem_store::BlockId;
use tokio::sync::OnceCell;

use super::TableCache;
use super::read::BlockStream;
use super::write::write_partition;

/// The rows of a query, kept in blocks of storage memory from the first time that they are asked for.
///
/// The blocks are removed when the table and the last scan of it are dropped. Spark's counterpart:
/// `InMemoryRelation`, with `MEMORY_AND_DISK_SER`.
pub struct CachedTable {
    cache: Arc<TableCache>,
    plan: LogicalPlan,
    schema: SchemaRef,
    rows: OnceCell<Arc<CachedRows>>,
}

/// The blocks of a table.
#[derive(Debug)]
pub(super) struct CachedRows {
    pub(super) cache: Arc<TableCache>,
    pub(super) dataset: Dataset,
    /// By partition, in the order of the rows.
    partitions: Vec<Vec<BlockId>>,
}

impl Drop for CachedRows {
    fn drop(&mut self) {
        // A block that is just being read goes when the reader lets go of it; there is nobody to tell
        // of one that could not be locked, and it can be evicted.
        drop(self.cache.blocks.remove_dataset(self.dataset));
    }
}

impl CachedTable {
    /// A table of the rows of `plan`, which is not run yet.
    #[must_use]
    pub fn new(cache: Arc<TableCache>, plan: LogicalPlan) -> Arc<Self> {
        let schema = Arc::clone(plan.schema().inner());
        Arc::new(Self {
            cache,
            plan,
            schema,
            rows: OnceCell::new(),
        })
    }

    /// Runs the query, where it has not been run yet, and keeps its rows.
    ///
    /// # Errors
    /// The query's, and [`External`](datafusion::common::DataFusionError::External) ones of the store.
    pub async fn fill(&self, session: &dyn Session) -> Result<()> {
        self.rows(session).await.map(|_| ())
    }

    /// Bytes of memory and of disk that its blocks have now; `None` where it is not filled yet.
    #[must_use]
    pub fn size(&self) -> Option<(u64, u64)> {
        let rows = self.rows.get()?;
        let blocks = rows.partitions.iter().flatten();
        let statuses = blocks.filter_map(|block| self.cache.blocks.status(block));
        let sum = |(memory, disk): (u64, u64), status: mem_store::BlockStatus| {
            (
                memory.saturating_add(status.memory_bytes),
                disk.saturating_add(status.disk_bytes),
            )
        };
        Some(statuses.fold((0, 0), sum))
    }

    async fn rows(&self, session: &dyn Session) -> Result<&Arc<CachedRows>> {
        self.rows.get_or_try_init(|| self.run(session)).await
    }

    async fn run(&self, session: &dyn Session) -> Result<Arc<CachedRows>> {
        let plan = session.create_physical_plan(&self.plan).await?;
        let streams = execute_stream_partitioned(plan, session.task_ctx())?;
        // Should anything fail, the blocks that are there go with this.
        let mut rows = CachedRows {
            cache: Arc::clone(&self.cache),
            dataset: self.cache.new_dataset(),
            partitions: Vec::new(),
        };
        let mut writers = Vec::new();
        for (number, stream) in streams.into_iter().enumerate() {
            let cache = Arc::clone(&self.cache);
            let pool = Arc::clone(&session.runtime_env().memory_pool);
            let schema = Arc::clone(&self.schema);
            let writing = write_partition(cache, rows.dataset, number, schema, stream, pool);
            writers.push(AbortOnDrop(tokio::spawn(writing)));
        }
        for mut writer in writers {
            let blocks = (&mut writer.0).await;
            rows.partitions
                .push(blocks.map_err(super::read::external)??);
        }
        Ok(Arc::new(rows))
    }
}

/// A writer that does not outlive the statement.
struct AbortOnDrop<T>(tokio::task::JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[async_trait]
impl TableProvider for CachedTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let rows = self.rows(session).await?;
        let partition = |blocks: &Vec<BlockId>| -> Arc<dyn PartitionStream> {
            let (rows, schema) = (Arc::clone(rows), Arc::clone(&self.schema));
            Arc::new(BlockStream::new(rows, schema, blocks.clone()))
        };
        let partitions = rows.partitions.iter().map(partition).collect();
        let table = StreamingTable::try_new(Arc::clone(&self.schema), partitions)?;
        table.scan(session, projection, filters, limit).await
    }
}

impl fmt::Debug for CachedTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CachedTable")
            .field("rows", &self.rows)
            .finish_non_exhaustive()
    }
}
