//! A cached table as DataFusion sees it.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::datasource::ViewTable;
use datafusion::logical_expr::{Expr, LogicalPlan, TableType};
use datafusion::physical_plan::streaming::PartitionStream;
use datafusion::physical_plan::{ExecutionPlan, execute_stream_partitioned};
use mem_store::{BlockId, StorageLevel};
use tokio::sync::Mutex;

use super::TableCache;
use super::read::BlockStream;
use super::rows::{CachedRows, Pins, external};
use super::write::write_partition;

/// The rows of a query, kept in blocks of storage memory from the first time that they are asked for.
///
/// The blocks are removed when the table and the last scan of it are dropped. Spark's counterpart:
/// `InMemoryRelation`.
///
/// With a level that has a disk, a block that had to give way is read from there, and goes back to
/// memory when there is room. Without a disk it is lost: the query is run again, and its rows are kept
/// if they fit. While such a table is read, its blocks do not give way.
pub struct CachedTable {
    cache: Arc<TableCache>,
    plan: LogicalPlan,
    schema: SchemaRef,
    level: StorageLevel,
    rows: Mutex<Option<Arc<CachedRows>>>,
}

/// Where a scan reads.
enum Source {
    /// The blocks; without a disk, none can go.
    Blocks(Arc<CachedRows>, Option<Pins>),
    /// The query, because its rows do not fit.
    Query,
}

impl CachedTable {
    /// A table of the rows of `plan`, which is not run yet. Rows are kept as bytes, in the memory that
    /// the runtime counts in: of the level it matters whether it uses memory, and whether it uses disk.
    #[must_use]
    pub fn new(cache: Arc<TableCache>, plan: LogicalPlan, level: StorageLevel) -> Arc<Self> {
        let schema = Arc::clone(plan.schema().inner());
        Arc::new(Self {
            level: cache.level(level),
            cache,
            plan,
            schema,
            rows: Mutex::default(),
        })
    }

    /// Runs the query, where it has not been run yet, and keeps its rows. Without a disk nothing may be
    /// kept, if they do not fit.
    ///
    /// # Errors
    /// The query's, and [`External`](datafusion::common::DataFusionError::External) ones of the store.
    pub async fn fill(&self, session: &dyn Session) -> Result<()> {
        self.source(session).await.map(|_| ())
    }

    /// Bytes of memory and of disk that its blocks have now; `None` where it has none, because it has
    /// not been read yet, or did not fit.
    pub async fn size(&self) -> Option<(u64, u64)> {
        self.rows.lock().await.as_ref().map(|rows| rows.size())
    }

    /// Its rows without the cache.
    #[must_use]
    pub fn uncached(&self) -> Arc<dyn TableProvider> {
        Arc::new(ViewTable::new(self.plan.clone(), None))
    }

    async fn source(&self, session: &dyn Session) -> Result<Source> {
        let mut rows = self.rows.lock().await;
        if let Some(rows) = &*rows
            && let Some(source) = pinned(rows)?
        {
            return Ok(source);
        }
        // What is left of them makes room for the new ones.
        drop(rows.take());
        let Some(new) = self.run(session).await? else {
            return Ok(Source::Query);
        };
        let source = pinned(&new)?;
        *rows = Some(new);
        Ok(source.unwrap_or(Source::Query))
    }

    /// Runs the query and keeps its rows; `None` where they do not fit.
    async fn run(&self, session: &dyn Session) -> Result<Option<Arc<CachedRows>>> {
        let plan = session.create_physical_plan(&self.plan).await?;
        let streams = execute_stream_partitioned(plan, session.task_ctx())?;
        // Should anything fail, the blocks that are there go with this.
        let mut rows = CachedRows::empty(Arc::clone(&self.cache), self.level);
        let mut writers = Vec::new();
        for (number, stream) in streams.into_iter().enumerate() {
            let pool = Arc::clone(&session.runtime_env().memory_pool);
            let schema = Arc::clone(&self.schema);
            let writing = write_partition(&rows, number, schema, stream, &pool);
            writers.push(AbortOnDrop(tokio::spawn(writing)));
        }
        for mut writer in writers {
            let Some(blocks) = (&mut writer.0).await.map_err(external)?? else {
                return Ok(None);
            };
            rows.partitions.push(blocks);
        }
        Ok(Some(Arc::new(rows)))
    }

    /// The rows of the query itself, in the form of a scan.
    async fn scan_query(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.uncached().scan(session, projection, &[], limit).await
    }
}

/// Blocks to read, if all are there and stay there.
fn pinned(rows: &Arc<CachedRows>) -> Result<Option<Source>> {
    if rows.level.use_disk() {
        return Ok(Some(Source::Blocks(Arc::clone(rows), None)));
    }
    let pins = rows.pin()?;
    Ok(pins.map(|pins| Source::Blocks(Arc::clone(rows), Some(pins))))
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
        let (rows, pins) = match self.source(session).await? {
            Source::Blocks(rows, pins) => (rows, pins.map(Arc::new)),
            Source::Query => return self.scan_query(session, projection, limit).await,
        };
        let schema = match projection {
            Some(columns) => Arc::new(self.schema.project(columns)?),
            None => Arc::clone(&self.schema),
        };
        let partition = |blocks: &Vec<BlockId>| -> Arc<dyn PartitionStream> {
            Arc::new(BlockStream {
                rows: Arc::clone(&rows),
                blocks: blocks.clone(),
                columns: projection.cloned(),
                schema: Arc::clone(&schema),
                pins: pins.clone(),
            })
        };
        let partitions = rows.partitions.iter().map(partition).collect();
        let table = StreamingTable::try_new(Arc::clone(&schema), partitions)?;
        table.scan(session, None, filters, limit).await
    }
}

impl fmt::Debug for CachedTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CachedTable")
            .field("level", &self.level)
            .field("rows", &self.rows)
            .finish_non_exhaustive()
    }
}
