//! Locks as values.

use std::fmt;
use std::sync::{Arc, Weak};

use mem_pool::TaskId;

use super::BlockInfoManager;
use crate::block::{Block, LockKind};
use crate::block_id::BlockId;
use crate::storage_level::StorageLevel;

/// A lock that is held, and in whose name.
struct Lock {
    block: Arc<Block>,
    kind: LockKind,
    /// Whose block it is; a guard keeps no more than the block.
    home: Weak<BlockInfoManager>,
    claim: Option<Claim>,
}

/// A place on a task's list.
struct Claim {
    task: TaskId,
    number: u64,
}

impl Lock {
    fn new(
        infos: &Arc<BlockInfoManager>,
        block: Arc<Block>,
        kind: LockKind,
        task: Option<TaskId>,
    ) -> Self {
        let claim = task.map(|task| Claim {
            task,
            number: infos.claims.lock().add(task, Arc::clone(&block), kind),
        });
        Self {
            block,
            kind,
            home: Arc::downgrade(infos),
            claim,
        }
    }

    /// Takes it off the task's list; false where it was let go of in the task's name.
    fn withdraw(&mut self) -> bool {
        let Some(Claim { task, number }) = self.claim.take() else {
            return true;
        };
        let Some(infos) = self.home.upgrade() else {
            return true;
        };
        let claim = infos.claims.lock().remove(task, number);
        claim.is_some()
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if self.withdraw() {
            self.block.exit(self.kind, &self.home);
        }
    }
}

impl fmt::Debug for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lock")
            .field("block", &self.block.id)
            .field("kind", &self.kind)
            .field("task", &self.claim.as_ref().map(|claim| claim.task))
            .finish_non_exhaustive()
    }
}

/// A block that is locked for reading: it is not evicted, and nobody writes it.
#[derive(Debug)]
#[must_use = "dropping the guard lets the block go"]
pub struct ReadGuard(Lock);

impl ReadGuard {
    /// For a block that has been entered by a reader.
    pub(crate) fn new(
        infos: &Arc<BlockInfoManager>,
        block: Arc<Block>,
        task: Option<TaskId>,
    ) -> Self {
        Self(Lock::new(infos, block, LockKind::Read, task))
    }

    /// Which block.
    #[must_use]
    pub fn id(&self) -> &BlockId {
        &self.0.block.id
    }

    /// Where the block may be.
    #[must_use]
    pub fn level(&self) -> StorageLevel {
        self.0.block.level
    }

    pub(crate) fn block(&self) -> &Arc<Block> {
        &self.0.block
    }
}

/// A block that is locked for writing: nobody else has it. One that was registered and never put is
/// gone when the guard is.
#[derive(Debug)]
#[must_use = "dropping the guard lets the block go"]
pub struct WriteGuard(Lock);

impl WriteGuard {
    /// For a block that has been entered by a writer.
    pub(crate) fn new(
        infos: &Arc<BlockInfoManager>,
        block: Arc<Block>,
        task: Option<TaskId>,
    ) -> Self {
        Self(Lock::new(infos, block, LockKind::Write, task))
    }

    /// Which block.
    #[must_use]
    pub fn id(&self) -> &BlockId {
        &self.0.block.id
    }

    /// Where the block may be.
    #[must_use]
    pub fn level(&self) -> StorageLevel {
        self.0.block.level
    }

    pub(crate) fn block(&self) -> &Arc<Block> {
        &self.0.block
    }

    /// Becomes a reader; no writer gets in between.
    pub fn downgrade(self) -> ReadGuard {
        let mut lock = self.0;
        let home = lock.home.upgrade();
        let waiting = match (&lock.claim, &home) {
            (Some(claim), Some(infos)) => {
                // Under the claims' mutex, so that the task's locks are released before or after.
                let mut claims = infos.claims.lock();
                let is_held = claims.downgrade(claim.task, claim.number);
                is_held.then(|| lock.block.state.lock().downgrade())
            }
            _ => Some(lock.block.state.lock().downgrade()),
        };
        for waker in waiting.into_iter().flatten() {
            waker.wake();
        }
        lock.kind = LockKind::Read;
        ReadGuard(lock)
    }
}
