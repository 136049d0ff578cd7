//! Locks of blocks, for readers and writers.

mod claims;
mod guards;

use std::sync::{Arc, Weak};
use std::time::Duration;

use mem_block::MemoryMode;
use mem_pool::TaskId;
use mem_sync::{Clock, Mutex, with_thread_waker};

use crate::block::{Block, Entry, LockKind};
use crate::block_id::BlockId;
use crate::blocks::Blocks;
use crate::error::StoreError;
use crate::storage_level::StorageLevel;
use claims::Claims;
pub use guards::{ReadGuard, WriteGuard};

/// Which blocks there are, and who reads and writes them. Spark's class of the same name.
///
/// Locks are values: dropping one lets the block go. A block with a reader is not evicted. Those that
/// are taken in a task's name are listed by task, and [released](Self::release_all_locks_for_task)
/// when it ends.
///
/// These are not mutexes: a thread may hold many, for long, and no mutex of the store's is held
/// meanwhile. Who waits for one waits no longer than the store's lock timeout.
#[derive(Debug)]
pub struct BlockInfoManager {
    pub(crate) blocks: Blocks,
    claims: Mutex<Claims>,
    clock: Arc<dyn Clock>,
    timeout: Option<Duration>,
}

/// What became of the wish to put a block.
#[derive(Debug)]
pub enum NewBlock {
    /// It is the caller's to put.
    New(WriteGuard),
    /// Somebody has put it already.
    Exists(ReadGuard),
}

impl BlockInfoManager {
    pub(crate) fn new(clock: Arc<dyn Clock>, timeout: Option<Duration>) -> Arc<Self> {
        Arc::new_cyclic(|home| Self {
            blocks: Blocks::new(Weak::clone(home)),
            claims: Mutex::default(),
            clock,
            timeout,
        })
    }

    /// Locks a block for reading, once no writer has it. `None` where there is no such block.
    ///
    /// # Errors
    /// [`StoreError::LockTimeout`].
    pub fn lock_for_reading(
        self: &Arc<Self>,
        id: &BlockId,
        task: Option<TaskId>,
    ) -> Result<Option<ReadGuard>, StoreError> {
        let block = self.lock(id, LockKind::Read)?;
        Ok(block.map(|block| ReadGuard::new(self, block, task)))
    }

    /// Locks a block for reading where that is possible at once.
    pub fn try_lock_for_reading(
        self: &Arc<Self>,
        id: &BlockId,
        task: Option<TaskId>,
    ) -> Option<ReadGuard> {
        let block = self.blocks.find(id)?;
        let entry = self
            .blocks
            .change(&block, |state| state.enter(LockKind::Read));
        (entry == Entry::Entered).then(|| ReadGuard::new(self, block, task))
    }

    /// Locks a block for writing, once nobody else has it. `None` where there is no such block.
    ///
    /// # Errors
    /// [`StoreError::LockTimeout`], which a thread that reads the block itself gets, too.
    pub fn lock_for_writing(
        self: &Arc<Self>,
        id: &BlockId,
        task: Option<TaskId>,
    ) -> Result<Option<WriteGuard>, StoreError> {
        let block = self.lock(id, LockKind::Write)?;
        Ok(block.map(|block| WriteGuard::new(self, block, task)))
    }

    /// Registers a block that is to be put, locked for writing. Where there is one of that name, or
    /// somebody is putting it and succeeds, that one is locked for reading.
    ///
    /// # Errors
    /// [`StoreError::LockTimeout`].
    pub fn lock_new_block_for_writing(
        self: &Arc<Self>,
        id: &BlockId,
        level: StorageLevel,
        task: Option<TaskId>,
    ) -> Result<NewBlock, StoreError> {
        loop {
            if let Some(new) = self.register(id, level, level.memory_mode(), task) {
                return Ok(NewBlock::New(new));
            }
            // Gone in between, it can be registered.
            if let Some(exists) = self.lock_for_reading(id, task)? {
                return Ok(NewBlock::Exists(exists));
            }
        }
    }

    /// Registers a block, locked for writing, where there is none of that name.
    fn register(
        self: &Arc<Self>,
        id: &BlockId,
        level: StorageLevel,
        mode: MemoryMode,
        task: Option<TaskId>,
    ) -> Option<WriteGuard> {
        let block = self.blocks.register(id, level, mode).ok()?;
        Some(WriteGuard::new(self, block, task))
    }

    /// The locks that `task` holds, with one entry for each.
    #[must_use]
    pub fn locks_of(&self, task: TaskId) -> Vec<(BlockId, LockKind)> {
        self.claims.lock().of(task)
    }

    /// Lets go of all locks of `task`, and says which they were: leaks, when the task is over. Guards
    /// that are still there have nothing to do any more; what they show stays readable.
    pub fn release_all_locks_for_task(&self, task: TaskId) -> Vec<(BlockId, LockKind)> {
        let claims = self.claims.lock().take_all(task);
        let mut locks = Vec::with_capacity(claims.len());
        for (block, kind) in claims {
            self.blocks.change(&block, |state| state.exit(kind));
            locks.push((block.id.clone(), kind));
        }
        locks
    }

    /// How many blocks are registered: stored ones, and those that are being put.
    #[must_use]
    pub fn len(&self) -> usize {
        self.blocks.len()
    }

    /// Whether no block is registered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many readers a block has; `None` where there is no such block.
    #[must_use]
    pub fn readers(&self, id: &BlockId) -> Option<u64> {
        let block = self.blocks.find(id)?;
        let state = block.state.lock();
        let got = state
            .memory
            .as_ref()
            .map_or(0, |content| content.gate.readers());
        // Neither comes near 2^62.
        Some(state.readers + got)
    }

    /// Whether somebody has the block for writing, an eviction included.
    #[must_use]
    pub fn is_being_written(&self, id: &BlockId) -> bool {
        self.blocks.find(id).is_some_and(|block| {
            let state = block.state.lock();
            state.writer || state.leaving
        })
    }

    fn lock(&self, id: &BlockId, kind: LockKind) -> Result<Option<Arc<Block>>, StoreError> {
        while let Some(block) = self.blocks.find(id) {
            match self.enter(&block, kind)? {
                Entry::Entered => return Ok(Some(block)),
                // Its successor, if there is one, may be had.
                Entry::Removed | Entry::Held => {}
            }
        }
        Ok(None)
    }

    /// Waits until the lock is free or the block is gone.
    fn enter(&self, block: &Arc<Block>, kind: LockKind) -> Result<Entry, StoreError> {
        let start = self.clock.now();
        let deadline = self.timeout.map(|timeout| start + timeout);
        with_thread_waker(|own| {
            loop {
                let is_late = deadline.is_some_and(|deadline| deadline <= self.clock.now());
                let entry = self.blocks.change(block, |state| {
                    let entry = state.enter(kind);
                    state.waiting.retain(|waker| !waker.will_wake(own.waker()));
                    if entry == Entry::Held && !is_late {
                        state.waiting.push(own.waker().clone());
                    }
                    entry
                });
                match entry {
                    Entry::Entered | Entry::Removed => return Ok(entry),
                    Entry::Held if is_late => {
                        return Err(StoreError::LockTimeout {
                            block: block.id.clone(),
                            waited: self.clock.now().since(start),
                        });
                    }
                    Entry::Held => self.clock.park(own.parker(), deadline),
                }
            }
        })
    }
}
