//! One block: its locks, where it is, and when it was last used.

use std::sync::{Arc, Weak};
use std::task::Waker;

use mem_block::{MemoryMode, SlabArc};
use mem_sync::Mutex;

use crate::block_id::BlockId;
use crate::content::Content;
use crate::disk::DiskCopy;
use crate::info_manager::BlockInfoManager;
use crate::queue::Place;
use crate::storage_level::StorageLevel;

/// A registered block. Spark's counterpart: `BlockInfo`, and the entry in `MemoryStore`.
#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) id: BlockId,
    /// Where it may be.
    pub(crate) level: StorageLevel,
    /// Of which memory it is made; that of the level, for those who keep to levels.
    pub(crate) mode: MemoryMode,
    pub(crate) state: Mutex<State>,
}

/// What is still to be done when a block's mutex is let go of, after it was changed.
#[derive(Debug)]
#[must_use]
pub(crate) struct Aftermath {
    /// The queue has to be told.
    pub(crate) is_misplaced: bool,
    /// It has to go from the table.
    pub(crate) is_gone: bool,
    /// Who has to look again.
    pub(crate) waiting: Vec<Waker>,
}

/// What the block's mutex protects. It is held for a few instructions: nothing is freed, allocated
/// or called under it.
///
/// Locks of the block, as its readers and writers see them:
///
/// | state | a reader | a writer | an eviction |
/// | --- | --- | --- | --- |
/// | free | enters | enters | may choose it |
/// | `readers` > 0, or somebody inside the gate | enters | waits | passes it over |
/// | `writer` | waits | waits | passes it over |
/// | `leaving` | enters, and so calls the eviction of this block off | waits | passes it over |
/// | `removed` | finds nothing | finds nothing | passes it over |
#[derive(Debug, Default)]
pub(crate) struct State {
    /// Readers that hold the lock. There are more inside the gate of what is in memory.
    pub(crate) readers: u64,
    pub(crate) writer: bool,
    /// An eviction has chosen it and is at work, without a lock.
    pub(crate) leaving: bool,
    /// It is no longer in the table; only those who hold it know it.
    pub(crate) removed: bool,
    /// Somebody is bringing it back from disk.
    pub(crate) returning: bool,
    pub(crate) memory: Option<SlabArc<Content>>,
    pub(crate) disk: Option<DiskCopy>,
    /// Where it stands in the eviction queue. Changed under the queue's lock too. It can be an older
    /// place than that of its last use (a get is not worth the queue's lock; the queue puts it right
    /// when the block comes up), and a block that was got and is being read can be in the queue for
    /// the same reason, and one that is being written where it took over from another.
    pub(crate) queued: Option<Place>,
    /// Whose queue it has left, having come up there while somebody was inside the gate: it comes back
    /// when the bell rings.
    pub(crate) out_of: Option<Weak<BlockInfoManager>>,
    /// Who waits for the lock.
    pub(crate) waiting: Vec<Waker>,
}

/// Which lock of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LockKind {
    /// Shared with other readers. The block is not evicted meanwhile.
    Read,
    /// Nobody else's.
    Write,
}

/// Whether a lock could be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entry {
    Entered,
    /// Somebody is in the way.
    Held,
    /// The block is gone.
    Removed,
}

impl Block {
    /// A block that somebody is writing.
    pub(crate) fn new(id: BlockId, level: StorageLevel, mode: MemoryMode) -> Arc<Self> {
        let state = State {
            writer: true,
            ..State::default()
        };
        Arc::new(Self {
            id,
            level,
            mode,
            state: Mutex::new(state),
        })
    }

    /// Changes it under its mutex, and says what follows from it.
    pub(crate) fn alter<R>(&self, change: impl FnOnce(&mut State) -> R) -> (R, Aftermath) {
        let mut state = self.state.lock();
        let (was_removed, before) = (state.removed, state.obstacles());
        let result = change(&mut state);
        state.removed |= state.is_over();
        let aftermath = Aftermath {
            is_misplaced: state.is_misplaced(),
            is_gone: state.removed && !was_removed,
            waiting: state.take_waiting(before),
        };
        drop(state);
        (result, aftermath)
    }

    /// Lets go of a lock, at `home`.
    pub(crate) fn exit(self: &Arc<Self>, kind: LockKind, home: &Weak<BlockInfoManager>) {
        let ((), aftermath) = self.alter(|state| state.exit(kind));
        if !aftermath.is_nothing() {
            self.follow(aftermath, home);
        }
    }

    /// The last of those inside the gate has left, and rings the bell.
    pub(crate) fn ring(self: &Arc<Self>) {
        let ((waiting, out_of), mut aftermath) = self.alter(|state| {
            if let Some(content) = &state.memory {
                content.gate.take_bell();
            }
            // mutant(the-bell-brings-back by left_beside_an_eviction): replace state.out_of.take() => state.out_of.clone()
            let out_of = state.out_of.take();
            (std::mem::take(&mut state.waiting), out_of)
        });
        aftermath.waiting.extend(waiting);
        match out_of {
            Some(home) => self.follow(aftermath, &home),
            None => aftermath.wake(),
        }
    }

    fn follow(self: &Arc<Self>, aftermath: Aftermath, home: &Weak<BlockInfoManager>) {
        match home.upgrade() {
            Some(home) => home.blocks.follow(self, aftermath),
            // The store is gone, and nobody evicts or looks for blocks any more.
            None => aftermath.wake(),
        }
    }
}

impl Aftermath {
    fn is_nothing(&self) -> bool {
        !self.is_misplaced && !self.is_gone && self.waiting.is_empty()
    }

    pub(crate) fn wake(self) {
        for waker in self.waiting {
            waker.wake();
        }
    }
}

impl State {
    pub(crate) fn enter(&mut self, kind: LockKind) -> Entry {
        if self.removed {
            return Entry::Removed;
        }
        if self.is_held_against(kind) {
            return Entry::Held;
        }
        match kind {
            // Nobody takes 2^64 locks.
            LockKind::Read => self.readers += 1,
            LockKind::Write => self.writer = true,
        }
        Entry::Entered
    }

    /// Whether somebody is in the way of taking the lock, and will let it go.
    pub(crate) fn is_held_against(&self, kind: LockKind) -> bool {
        let is_held = match kind {
            LockKind::Read => self.writer,
            LockKind::Write => self.writer || self.readers > 0 || self.leaving || self.is_got(),
        };
        is_held && !self.removed
    }

    pub(crate) fn exit(&mut self, kind: LockKind) {
        match kind {
            // Each exit belongs to one entry: guards see to that.
            LockKind::Read => self.readers -= 1,
            LockKind::Write => self.writer = false,
        }
    }

    /// The writer becomes a reader; returns whom to wake.
    pub(crate) fn downgrade(&mut self) -> Vec<Waker> {
        let before = self.obstacles();
        self.exit(LockKind::Write);
        self.readers += 1;
        self.take_waiting(before)
    }

    /// Whether an eviction may choose it, as far as locks go.
    pub(crate) fn is_evictable(&self) -> bool {
        let is_held = self.readers > 0 || self.writer || self.leaving;
        self.memory.is_some() && !is_held && self.out_of.is_none()
    }

    /// Whether somebody is inside the gate, who then rings the bell on leaving.
    pub(crate) fn is_got(&self) -> bool {
        let content = self.memory.as_ref();
        // mutant(passing-over-hangs-a-bell by left_beside_an_eviction): replace hang_bell() => readers() > 0
        content.is_some_and(|content| content.gate.hang_bell())
    }

    /// Whether the queue has to be told: the block is in it and should not be, or the reverse.
    pub(crate) fn is_misplaced(&self) -> bool {
        self.is_evictable() != self.queued.is_some()
    }

    /// Takes what it holds in memory. Who reads it keeps reading.
    pub(crate) fn take_memory(&mut self) -> Option<SlabArc<Content>> {
        self.out_of = None;
        let content = self.memory.take()?;
        content.gate.close();
        Some(content)
    }

    /// The same, unless somebody reads it.
    pub(crate) fn take_unread(&mut self) -> Option<SlabArc<Content>> {
        let is_free = self.readers == 0;
        let content = self.memory.as_ref()?;
        // mutant(the-read-stays by got_beside_an_eviction): replace content.gate.close_if_empty() => true
        if is_free && content.gate.close_if_empty() {
            self.out_of = None;
            self.memory.take()
        } else {
            None
        }
    }

    /// Marks it as leaving, where nobody is in the way.
    pub(crate) fn mark_leaving(&mut self) -> Option<()> {
        self.leaving = true;
        Some(())
    }

    /// Takes what it holds in memory where nobody reads it, and says what follows from that: all in one
    /// for a block that is out of the queue and needs no time to leave.
    pub(crate) fn leave_unread(&mut self) -> Option<(SlabArc<Content>, Aftermath)> {
        let was_removed = self.removed;
        let content = self.take_unread()?;
        self.removed |= self.is_over();
        let aftermath = Aftermath {
            is_misplaced: false,
            is_gone: self.removed && !was_removed,
            waiting: std::mem::take(&mut self.waiting),
        };
        Some((content, aftermath))
    }

    /// Takes over a copy on disk, unless there is one; gives it back then, to be dropped elsewhere.
    pub(crate) fn add_copy(&mut self, copy: Option<DiskCopy>) -> Option<DiskCopy> {
        match &self.disk {
            Some(_) => copy,
            None => {
                self.disk = copy;
                None
            }
        }
    }

    /// Whether nothing is left of it and nobody is at it.
    pub(crate) fn is_over(&self) -> bool {
        let is_nowhere = self.memory.is_none() && self.disk.is_none();
        is_nowhere && self.readers == 0 && !self.writer && !self.leaving && !self.removed
    }

    /// What is in the way: of readers, of writers.
    pub(crate) fn obstacles(&self) -> (bool, bool) {
        let against = |kind| self.is_held_against(kind);
        (against(LockKind::Read), against(LockKind::Write))
    }

    /// Those to be woken, if what was in the way `before` is not any more. They are woken after the
    /// mutex is let go.
    pub(crate) fn take_waiting(&mut self, before: (bool, bool)) -> Vec<Waker> {
        let now = self.obstacles();
        let is_freer = (before.0 && !now.0) || (before.1 && !now.1);
        if is_freer {
            std::mem::take(&mut self.waiting)
        } else {
            Vec::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use LockKind::{Read, Write};

    #[test]
    fn readers_share_and_writers_do_not() {
        let mut state = State::default();
        assert_eq!(state.enter(Write), Entry::Entered);
        assert_eq!(state.enter(Read), Entry::Held);
        assert_eq!(state.enter(Write), Entry::Held);
        state.exit(Write);
        assert_eq!(state.enter(Read), Entry::Entered);
        assert_eq!(state.enter(Read), Entry::Entered);
        assert_eq!(state.enter(Write), Entry::Held);
        state.exit(Read);
        state.exit(Read);
        state.leaving = true;
        assert_eq!(state.enter(Write), Entry::Held);
        assert_eq!(
            state.enter(Read),
            Entry::Entered,
            "an eviction keeps no reader out"
        );
        state.removed = true;
        assert_eq!(state.enter(Read), Entry::Removed);
    }

    #[test]
    fn a_block_is_over_when_nothing_is_left_and_nobody_is_at_it() {
        let mut state = State::default();
        assert!(state.is_over());
        assert!(!state.is_misplaced());
        state.enter(Read);
        assert!(!state.is_over());
        state.exit(Read);
        assert!(state.is_over());
    }
}
