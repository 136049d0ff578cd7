//! Blocks in memory and on disk, by level.

mod data;
mod get;
mod put;

use std::sync::Arc;

use mem_block::MemoryMode;
use mem_policy::MemoryManager;
use mem_pool::{Dataset, TaskId};

use crate::block::{Block, LockKind};
use crate::block_id::BlockId;
use crate::content::Content;
use crate::disk::{DiskCopy, DiskOptions, DiskStore};
use crate::drop_handler::{DropError, DropHandler, LeavingBlock};
use crate::error::StoreError;
use crate::info_manager::{BlockInfoManager, ReadGuard};
use crate::memory_store::{MemoryStore, StoreOptions};
use crate::storage_level::StorageLevel;
pub use data::{BlockBytes, BlockValues, DiskBlock, ValueStream};
pub use put::{BlockPut, BytesPut, Unstored};

/// Puts blocks where their level says, finds them where they are, and moves them: evicted from memory
/// to disk, and back when they are got. Spark's class of the same name, as far as one process goes.
///
/// Everybody who is putting a block has it to themselves: who gets it meanwhile waits, and who wants
/// to put it finds that it exists. The store's lock timeout bounds such waits.
#[derive(Debug)]
pub struct BlockManager {
    store: Arc<MemoryStore>,
    disk: Option<Arc<DiskStore>>,
    /// What evictions do; a drop by hand does the same.
    tiers: Arc<Tiers>,
}

/// Where a block is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockStatus {
    /// The level in effect: where it is, not where it may be.
    pub level: StorageLevel,
    /// Bytes of memory that it holds.
    pub memory_bytes: u64,
    /// Bytes of its copy on disk, before compression.
    pub disk_bytes: u64,
}

/// What a task that is over had not given back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskLeaks {
    /// Locks of blocks, with one entry for each.
    pub locks: Vec<(BlockId, LockKind)>,
    /// Bytes of unroll memory.
    pub unroll_bytes: u64,
}

impl TaskLeaks {
    /// Whether nothing was left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.locks.is_empty() && self.unroll_bytes == 0
    }
}

/// What is done with a block that leaves memory: the user's handler is asked first.
#[derive(Debug)]
struct Tiers {
    user: Arc<dyn DropHandler>,
    disk: Option<Arc<DiskStore>>,
}

impl DropHandler for Tiers {
    fn drop_from_memory(&self, block: &LeavingBlock<'_>) -> Result<Option<DiskCopy>, DropError> {
        let copy = self.user.drop_from_memory(block)?;
        match (copy, &self.disk) {
            (None, Some(disk)) => disk.drop_from_memory(block),
            (copy, _) => Ok(copy),
        }
    }

    fn only_forgets(&self) -> bool {
        self.disk.is_none() && self.user.only_forgets()
    }

    fn dropped(&self, block: &BlockId) {
        self.user.dropped(block);
    }
}

impl BlockManager {
    /// Blocks in the storage memory of `manager`, and on disk if there is one. The handler in
    /// `options` is asked about evicted blocks before the disk is.
    ///
    /// # Errors
    /// [`StoreError::SecondStore`], [`StoreError::Workspace`].
    pub fn new(
        manager: Arc<dyn MemoryManager>,
        options: StoreOptions,
        disk: Option<DiskOptions>,
    ) -> Result<Self, StoreError> {
        let disk = disk
            .map(|options| DiskStore::new(&*manager, options))
            .transpose()?;
        let tiers = Arc::new(Tiers {
            user: options.drop_handler,
            disk: disk.clone(),
        });
        let drop_handler: Arc<dyn DropHandler> = Arc::<Tiers>::clone(&tiers);
        let options = StoreOptions {
            drop_handler,
            ..options
        };
        let store = MemoryStore::new(manager, options)?;
        if let Some(disk) = &disk {
            disk.compact(store.infos());
        }
        Ok(Self { store, disk, tiers })
    }

    /// The blocks in memory.
    #[must_use]
    pub fn memory_store(&self) -> &Arc<MemoryStore> {
        &self.store
    }

    /// The disk tier, if there is one.
    #[must_use]
    pub fn disk_store(&self) -> Option<&Arc<DiskStore>> {
        self.disk.as_ref()
    }

    /// The locks of the blocks.
    #[must_use]
    pub fn infos(&self) -> &Arc<BlockInfoManager> {
        self.store.infos()
    }

    /// Where a block is; `None` where there is no such block, or it is just being put.
    #[must_use]
    pub fn status(&self, id: &BlockId) -> Option<BlockStatus> {
        let block = self.infos().blocks.find(id)?;
        let status = status_of(&block);
        status.level.is_valid().then_some(status)
    }

    /// The names of all blocks that are stored, in no order.
    #[must_use]
    pub fn block_ids(&self) -> Vec<BlockId> {
        let blocks = self.infos().blocks.all();
        let stored = blocks
            .iter()
            .filter(|block| status_of(block).level.is_valid());
        stored.map(|block| block.id.clone()).collect()
    }

    /// Locks a block for reading in the name of `task`: it stays where it is. `None` where there is no
    /// such block. It does not count as used.
    ///
    /// # Errors
    /// [`StoreError::LockTimeout`].
    pub fn pin(&self, id: &BlockId, task: Option<TaskId>) -> Result<Option<ReadGuard>, StoreError> {
        self.infos().lock_for_reading(id, task)
    }

    /// Drops a block from memory, to disk if its level says so, once nobody reads it. Returns the level
    /// in effect then; `None` where there is no such block.
    ///
    /// # Errors
    /// [`StoreError::LockTimeout`], and where the block can't be written; it stays then.
    pub fn drop_from_memory(&self, id: &BlockId) -> Result<Option<StorageLevel>, StoreError> {
        let Some(lock) = self.infos().lock_for_writing(id, None)? else {
            return Ok(None);
        };
        let block = lock.block();
        let (content, is_on_disk) = {
            let state = block.state.lock();
            (state.memory.clone(), state.disk.is_some())
        };
        let mut copy = None;
        if let Some(content) = content {
            copy = self.leave_memory(block, &content, is_on_disk)?;
        }
        let dropped = self
            .infos()
            .blocks
            .change(block, |state| (state.add_copy(copy), state.take_memory()));
        // The memory goes back to the pool: nobody in particular asked for it.
        drop(dropped);
        Ok(Some(status_of(block).level))
    }

    fn leave_memory(
        &self,
        block: &Block,
        content: &Content,
        is_on_disk: bool,
    ) -> Result<Option<DiskCopy>, StoreError> {
        let leaving = LeavingBlock::new(&block.id, block.level, content, is_on_disk);
        let copy = self.tiers.drop_from_memory(&leaving);
        copy.map_err(|source| StoreError::Drop {
            block: block.id.clone(),
            source,
        })
    }

    /// Removes a block from memory and disk; whether it was there. Waits where somebody is putting it,
    /// not where it is read: who reads it keeps reading, and what it holds is held until then.
    ///
    /// # Errors
    /// [`StoreError::LockTimeout`].
    pub fn remove(&self, id: &BlockId) -> Result<bool, StoreError> {
        let Some(lock) = self.infos().lock_for_reading(id, None)? else {
            return Ok(false);
        };
        let removed = self.infos().blocks.change(lock.block(), |state| {
            let was_there = !state.removed;
            state.removed = true;
            (was_there, state.take_memory(), state.disk.take())
        });
        Ok(removed.0)
    }

    /// Removes all blocks of a dataset; how many there were. Spark: `removeRdd`.
    ///
    /// # Errors
    /// [`StoreError::LockTimeout`].
    pub fn remove_dataset(&self, dataset: Dataset) -> Result<usize, StoreError> {
        let mut removed = 0;
        for block in self.infos().blocks.all() {
            if block.id.dataset() == Some(dataset) {
                removed += usize::from(self.remove(&block.id)?);
            }
        }
        Ok(removed)
    }

    /// The task is over: lets go of the locks and of the unroll memory that it still holds, and
    /// reports them. What it holds of execution memory is the ledger's
    /// [`end_task`](mem_pool::Ledger::end_task) to take back.
    pub fn end_task(&self, task: TaskId) -> TaskLeaks {
        let locks = self.infos().release_all_locks_for_task(task);
        let release = |mode| {
            self.store
                .release_unroll_for_task(Some(task), mode, u64::MAX)
        };
        let unroll_bytes = release(MemoryMode::OnHeap).saturating_add(release(MemoryMode::OffHeap));
        TaskLeaks {
            locks,
            unroll_bytes,
        }
    }
}

fn status_of(block: &Block) -> BlockStatus {
    let state = block.state.lock();
    let level = block
        .level
        .in_effect(state.memory.is_some(), state.disk.is_some());
    BlockStatus {
        level,
        memory_bytes: state.memory.as_ref().map_or(0, |content| content.size),
        disk_bytes: state.disk.as_ref().map_or(0, DiskCopy::bytes),
    }
}
