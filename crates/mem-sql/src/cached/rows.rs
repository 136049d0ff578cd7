//! The blocks of a table.

use std::error::Error;
use std::sync::Arc;

use datafusion::common::{DataFusionError, Result};
use mem_pool::Dataset;
use mem_store::{BlockId, BlockStatus, ReadGuard, StorageLevel};

use super::{TableCache, new_dataset};

/// The blocks of a table, which are removed when nobody reads them any more.
#[derive(Debug)]
pub(super) struct CachedRows {
    pub(super) cache: Arc<TableCache>,
    pub(super) dataset: Dataset,
    pub(super) level: StorageLevel,
    /// By partition, in the order of the rows.
    pub(super) partitions: Vec<Vec<BlockId>>,
}

/// What keeps blocks where they are.
#[derive(Debug)]
pub(super) struct Pins {
    _guards: Vec<ReadGuard>,
}

impl CachedRows {
    /// No rows yet.
    pub(super) fn empty(cache: Arc<TableCache>, level: StorageLevel) -> Self {
        Self {
            cache,
            dataset: new_dataset(),
            level,
            partitions: Vec::new(),
        }
    }

    /// Bytes of memory and of disk that the blocks have now.
    pub(super) fn size(&self) -> (u64, u64) {
        let blocks = self.partitions.iter().flatten();
        let statuses = blocks.filter_map(|block| self.cache.blocks.status(block));
        let sum = |(memory, disk): (u64, u64), status: BlockStatus| {
            (
                memory.saturating_add(status.memory_bytes),
                disk.saturating_add(status.disk_bytes),
            )
        };
        statuses.fold((0, 0), sum)
    }

    /// Keeps all blocks where they are; `None` where one is gone. For levels without a disk.
    pub(super) fn pin(&self) -> Result<Option<Pins>> {
        let mut guards = Vec::new();
        for block in self.partitions.iter().flatten() {
            let guard = self.cache.blocks.pin(block, None).map_err(external)?;
            let is_there = self.cache.blocks.status(block).is_some();
            let (Some(guard), true) = (guard, is_there) else {
                return Ok(None);
            };
            guards.push(guard);
        }
        Ok(Some(Pins { _guards: guards }))
    }
}

impl Drop for CachedRows {
    fn drop(&mut self) {
        // A block that is just being read goes when the reader lets go of it; there is nobody to tell
        // of one that could not be locked, and it can be evicted.
        drop(self.cache.blocks.remove_dataset(self.dataset));
    }
}

pub(crate) fn external(error: impl Error + Send + Sync + 'static) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}
