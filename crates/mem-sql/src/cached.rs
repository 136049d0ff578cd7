//! Tables whose rows are blocks of storage memory.

mod compact;
mod read;
mod rows;
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

use crate::options::HearthOptions;
pub(crate) use rows::external;
pub use table::CachedTable;

/// Of all memory: a block of a cached table.
const BLOCK_FRACTION: u64 = 256;
/// Bounds of that, in bytes.
const BLOCK: (u64, u64) = (64 << 10, 4 << 20);

/// Several caches may keep their blocks in one store, so their numbers are the process's.
static NEXT_DATASET: AtomicI64 = AtomicI64::new(1);

/// Where cached tables of one runtime are kept.
#[derive(Debug)]
pub struct TableCache {
    blocks: Arc<BlockManager>,
    mode: MemoryMode,
    block_bytes: usize,
}

impl TableCache {
    /// The cache in the storage memory of `runtime`. Blocks are bytes, in Arrow's stream format.
    #[must_use]
    pub fn new(runtime: &HearthRuntime) -> Arc<Self> {
        let (least, most) = BLOCK;
        let block = (runtime.stats().total / BLOCK_FRACTION).clamp(least, most);
        Arc::new(Self {
            blocks: Arc::clone(runtime.blocks()),
            mode: runtime.manager().tungsten_memory_mode(),
            block_bytes: usize::try_from(block).unwrap_or(usize::MAX),
        })
    }

    /// The level in effect where `wanted` is asked for: rows are kept as bytes, in the memory that the
    /// runtime counts in, and there may be no disk.
    fn level(&self, wanted: StorageLevel) -> StorageLevel {
        let has_disk = self.blocks.disk_store().is_some();
        match (wanted.use_memory(), wanted.use_disk() && has_disk) {
            (true, true) => match self.mode {
                MemoryMode::OnHeap => StorageLevel::MEMORY_AND_DISK_SER,
                MemoryMode::OffHeap => StorageLevel::OFF_HEAP,
            },
            (true, false) => match self.mode {
                MemoryMode::OnHeap => StorageLevel::MEMORY_ONLY_SER,
                MemoryMode::OffHeap => StorageLevel::OFF_HEAP_ONLY,
            },
            // Without a disk the store refuses it, and says so.
            (false, _) => StorageLevel::DISK_ONLY,
        }
    }
}

fn new_dataset() -> Dataset {
    Dataset::new(NEXT_DATASET.fetch_add(1, Ordering::Relaxed))
}

/// What makes `DataFrame::cache()` use a [`TableCache`].
#[derive(Debug)]
pub(crate) struct CachingFrames(pub(crate) Arc<TableCache>);

impl CacheFactory for CachingFrames {
    /// A scan of a table that is filled when it is first read.
    fn create(&self, plan: LogicalPlan, session: &SessionState) -> Result<LogicalPlan> {
        let level = HearthOptions::of(session.config_options()).storage_level;
        let table = CachedTable::new(Arc::clone(&self.0), plan, level);
        LogicalPlanBuilder::scan(UNNAMED_TABLE, provider_as_source(table), None)?.build()
    }
}
