//! Tables whose rows are blocks of storage memory.

mod read;
mod table;
mod write;

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::datasource::provider_as_source;
use datafusion::execution::session_state::{CacheFactory, SessionState};
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder, UNNAMED_TABLE};
use mem_block::MemoryMode;
use mem_datafusion::HearthRuntime;
use mem_pool::Dataset;
use mem_store::{BlockManager, StorageLevel};
use mem_sync::atomic::{AtomicI64, Ordering};

pub use table::CachedTable;

/// Of all memory: a block of a cached table.
const BLOCK_FRACTION: u64 = 256;
/// Bounds of that, in bytes.
const BLOCK: (u64, u64) = (64 << 10, 4 << 20);

/// Where cached tables of one runtime are kept.
#[derive(Debug)]
pub struct TableCache {
    blocks: Arc<BlockManager>,
    level: StorageLevel,
    block_bytes: usize,
    next: AtomicI64,
}

impl TableCache {
    /// The cache in the storage memory of `runtime`. Blocks are bytes, in Arrow's stream format; evicted,
    /// they go to disk where the runtime has one for them, and are made again otherwise.
    #[must_use]
    pub fn new(runtime: &HearthRuntime) -> Arc<Self> {
        let (least, most) = BLOCK;
        let block = (runtime.stats().total / BLOCK_FRACTION).clamp(least, most);
        let blocks = Arc::clone(runtime.blocks());
        Arc::new(Self {
            level: level(runtime.manager().tungsten_memory_mode()),
            blocks,
            block_bytes: usize::try_from(block).unwrap_or(usize::MAX),
            next: AtomicI64::new(1),
        })
    }

    fn new_dataset(&self) -> Dataset {
        Dataset::new(self.next.fetch_add(1, Ordering::Relaxed))
    }
}

/// In memory as bytes; evicted, or too large, on disk.
fn level(mode: MemoryMode) -> StorageLevel {
    match mode {
        MemoryMode::OnHeap => StorageLevel::MEMORY_AND_DISK_SER,
        MemoryMode::OffHeap => StorageLevel::OFF_HEAP,
    }
}

/// What makes `DataFrame::cache()` use a [`TableCache`].
#[derive(Debug)]
pub(crate) struct CachingFrames(pub(crate) Arc<TableCache>);

impl CacheFactory for CachingFrames {
    /// A scan of a table that is filled when it is first read.
    fn create(&self, plan: LogicalPlan, _session: &SessionState) -> Result<LogicalPlan> {
        let table = CachedTable::new(Arc::clone(&self.0), plan);
        LogicalPlanBuilder::scan(UNNAMED_TABLE, provider_as_source(table), None)?.build()
    }
}
