//! Locks as values.

use std::fmt;
use std::sync::Arc;

use mem_pool::TaskId;

use super::BlockInfoManager;
use crate::block::{Block, LockKind};
use crate::block_id::BlockId;
use crate::storage_level::StorageLevel;

/// A lock that is held, and in whose name.
struct Lock {
    block: Arc<Block>,
    kind: LockKind,
    claim: Option<Claim>,
    /// Whether it is to be let go of.
    is_held: bool,
}

/// A place on a task's list.
struct Claim {
    infos: Arc<BlockInfoManager>,
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
            infos: Arc::clone(infos),
            task,
            number: infos.claims.lock().add(task, Arc::clone(&block), kind),
        });
        Self {
            block,
            kind,
            claim,
            is_held: true,
        }
    }

    /// Takes it off the task's list; false where it was let go of in the task's name.
    fn withdraw(&mut self) -> bool {
        let Some(Claim {
            infos,
            task,
            number,
        }) = self.claim.take()
        else {
            return true;
        };
        let claim = infos.claims.lock().remove(task, number);
        claim.is_some()
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if self.withdraw() && self.is_held {
            self.block.exit(self.kind);
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

    /// Whether it is on no task's list, in whose name it could be let go of by others.
    pub(crate) fn is_nobodys(&self) -> bool {
        self.0.claim.is_none()
    }

    /// The block's state was changed to one without this writer already.
    pub(crate) fn done(mut self) {
        self.0.is_held = false;
    }

    /// Becomes a reader; no writer gets in between.
    pub fn downgrade(self) -> ReadGuard {
        let mut lock = self.0;
        let waiting = match &lock.claim {
            Some(claim) => {
                // Under the claims' mutex, so that the task's locks are released before or after.
                let mut claims = claim.infos.claims.lock();
                let is_held = claims.downgrade(claim.task, claim.number);
                is_held.then(|| lock.block.state.lock().downgrade())
            }
            None => Some(lock.block.state.lock().downgrade()),
        };
        for waker in waiting.into_iter().flatten() {
            waker.wake();
        }
        lock.kind = LockKind::Read;
        ReadGuard(lock)
    }
}
