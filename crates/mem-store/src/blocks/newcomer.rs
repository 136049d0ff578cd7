//! A block on its way into memory: from its registration, by the place of another, to its entry.

use std::sync::Arc;
use std::task::Waker;

use mem_block::SlabArc;
use mem_sync::lock_spinning;

use super::candidate::{Look, dismiss_oldest, enqueue, insert};
use super::{Blocks, remove};
use crate::block::{Block, LockKind, State};
use crate::content::Content;
use crate::error::StoreError;
use crate::queue::Stamp;

/// A registered block, locked for writing by nobody that a task's list knows, which is given up where this
/// is dropped before it is complete.
#[derive(Debug)]
#[must_use = "dropping it gives the block up"]
pub(crate) struct Newcomer<'a> {
    blocks: &'a Blocks,
    /// There until it is complete.
    block: Option<Arc<Block>>,
}

impl<'a> Newcomer<'a> {
    /// For a block that was registered just now.
    pub(crate) fn new(blocks: &'a Blocks, block: Arc<Block>) -> Self {
        let block = Some(block);
        Self { blocks, block }
    }

    #[inline]
    pub(crate) fn block(&self) -> &Arc<Block> {
        self.block.as_ref().expect("it is there until complete")
    }

    /// Makes it an entry, which counts as used now, and lets it go.
    ///
    /// # Errors
    /// Where it was removed meanwhile.
    #[inline]
    pub(crate) fn complete(mut self, content: SlabArc<Content>) -> Result<(), StoreError> {
        let completed = self.blocks.complete(self.block(), content);
        match completed {
            Ok(()) => {
                self.block = None;
                Ok(())
            }
            Err(_content) => Err(StoreError::Removed {
                block: self.block().id.clone(),
            }),
        }
    }
}

impl Drop for Newcomer<'_> {
    fn drop(&mut self) {
        if let Some(block) = &self.block {
            self.blocks
                .change(block, |state| state.exit(LockKind::Write));
        }
    }
}

/// When a block that takes over from another stands in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Queueing {
    /// From when it has found its room, which then counts as its use: it is let go as soon as it is
    /// complete.
    Now,
    /// From when whoever puts it lets it go.
    Later,
}

/// What a block left to the one that takes over.
pub(crate) struct Left {
    pub(crate) victim: Arc<Block>,
    pub(crate) content: SlabArc<Content>,
    /// When the other counts as used.
    pub(crate) stamp: Stamp,
}

impl Blocks {
    /// Takes the block that [`choose`](Self::choose) would out of memory at once, where one of just
    /// `bytes` bytes is enough, and gives what it leaves to `asker`. `None`, and nothing taken, where
    /// the next one has another size.
    #[inline]
    pub(crate) fn take_one(
        &self,
        bytes: u64,
        asker: &Arc<Block>,
        queueing: Queueing,
    ) -> Option<Left> {
        let (mode, spare, wanted) = (asker.mode, asker.id.dataset(), Some(bytes));
        let mut queue = lock_spinning(&self.queue.0);
        let shard_of = |block: &Block| self.shard(block.id.place()).lock();
        let leave = State::leave_unread;
        let (victim, mut shard, (content, aftermath)) = loop {
            match dismiss_oldest(&mut queue, &self.home, mode, spare, wanted, shard_of, leave) {
                Look::Leaves {
                    block, held, left, ..
                } => break (block, held, left),
                Look::PassedOver => {}
                Look::Nothing => return None,
            }
        };
        let stamp = self.now();
        if queueing == Queueing::Now {
            let mut state = asker.state.lock();
            state.queued = Some(insert(&mut queue, asker, &content, stamp));
        }
        drop(queue);
        let removed = aftermath
            .is_gone
            .then(|| remove(&mut shard, victim.id.place(), &victim));
        drop(shard);
        drop(removed);
        aftermath.wake();
        Some(Left {
            victim,
            content,
            stamp,
        })
    }

    /// Makes a block that its writer has finished an entry, and lets the writer go: two changes of the
    /// block, and what follows from them, in one. It counts as used now, or since it is in the queue.
    /// Gives the content back where the block was removed meanwhile; the writer is still there then.
    fn complete(
        &self,
        block: &Arc<Block>,
        content: SlabArc<Content>,
    ) -> Result<(), SlabArc<Content>> {
        let mut state = block.state.lock();
        let mut queue = None;
        // mutant(passed-over-comes-back by put_beside_a_put): replace state.queued.is_none() => false
        if state.queued.is_none() {
            drop(state);
            queue = Some(lock_spinning(&self.queue.0));
            state = block.state.lock();
        }
        if state.removed || state.memory.is_some() {
            return Err(content);
        }
        let before = state.obstacles();
        if queue.is_some() {
            content.touch(self.now());
        }
        state.memory = Some(content);
        state.exit(LockKind::Write);
        if let Some(queue) = &mut queue {
            enqueue(queue, block, &mut state);
        }
        let waiting = state.take_waiting(before);
        drop(state);
        drop(queue);
        waiting.into_iter().for_each(Waker::wake);
        Ok(())
    }
}
