//! Memory as a value: a guard that gives its bytes back when it is dropped.

use std::sync::Arc;

use mem_block::MemoryMode;

use crate::ledger::Ledger;
use crate::options::Wait;
use crate::probe::Kind;
use crate::refusal::Refusal;
use crate::sum::{add, sub};
use crate::task::TaskId;
use crate::ticket::Ask;

/// Granted bytes. Can't be freed twice or to the wrong owner; dropped, it gives them back.
#[derive(Debug)]
#[must_use = "dropping a reservation gives its memory back"]
pub struct Reservation {
    ledger: Arc<Ledger>,
    kind: Kind,
    task: Option<TaskId>,
    mode: MemoryMode,
    bytes: u64,
}

/// Two reservations that do not belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("reservations of different owners, kinds or modes can't be merged")]
pub struct MergeError;

impl Reservation {
    #[inline]
    pub(crate) fn new(
        ledger: Arc<Ledger>,
        kind: Kind,
        task: Option<TaskId>,
        mode: MemoryMode,
        bytes: u64,
    ) -> Self {
        Self {
            ledger,
            kind,
            task,
            mode,
            bytes,
        }
    }

    /// Bytes held.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What they are held for.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The mode they are of.
    #[must_use]
    pub fn mode(&self) -> MemoryMode {
        self.mode
    }

    /// The task that holds them, for execution memory.
    #[must_use]
    pub fn task(&self) -> Option<TaskId> {
        self.task
    }

    /// Takes `bytes` of it, at most all, into a reservation of their own. Nothing is given back in
    /// between.
    pub fn split(&mut self, bytes: u64) -> Self {
        let bytes = bytes.min(self.bytes);
        self.bytes = sub(self.bytes, bytes);
        Self::new(
            Arc::clone(&self.ledger),
            self.kind,
            self.task,
            self.mode,
            bytes,
        )
    }

    /// Adds `other` to it.
    ///
    /// # Errors
    /// Both, unchanged, where ledger, owner, kind or mode differ.
    pub fn merge(&mut self, mut other: Self) -> Result<(), (MergeError, Self)> {
        let same = Arc::ptr_eq(&self.ledger, &other.ledger)
            && (self.kind, self.task, self.mode) == (other.kind, other.task, other.mode);
        if !same {
            return Err((MergeError, other));
        }
        self.bytes = add(self.bytes, std::mem::take(&mut other.bytes));
        Ok(())
    }

    /// Gives back all but `bytes`; does nothing where it holds no more. Takes the ledger's lock.
    pub fn shrink_to(&mut self, bytes: u64) {
        let surplus = self.bytes.saturating_sub(bytes);
        self.bytes = sub(self.bytes, surplus);
        self.give_back(surplus);
    }

    /// Grows by exactly `bytes`, without waiting.
    ///
    /// # Errors
    /// A [`Refusal`] whose `kept` is what could be had; the reservation is unchanged.
    pub fn try_grow(&mut self, bytes: u64) -> Result<(), Refusal> {
        self.ledger.take_exactly(&self.ask(bytes))?;
        self.bytes = add(self.bytes, bytes);
        Ok(())
    }

    /// Resizes to exactly `bytes`, waiting as `wait` says where it has to grow.
    ///
    /// # Errors
    /// A [`Refusal`] whose `kept` is what could be had; the reservation is unchanged.
    pub fn resize(&mut self, bytes: u64, wait: &Wait<'_>) -> Result<(), Refusal> {
        match bytes.checked_sub(self.bytes) {
            None | Some(0) => self.shrink_to(bytes),
            Some(growth) => {
                let more = self.ledger.reserve(self.ask(growth), wait)?;
                self.absorb(more);
            }
        }
        Ok(())
    }

    /// Turns unroll memory into storage memory without letting go of it: the block is whole now.
    /// Spark releases the one and acquires the other, and asserts that this works.
    pub fn into_storage(mut self) -> Self {
        if self.kind == Kind::Unroll {
            self.kind = Kind::Storage;
        }
        self
    }

    /// Leaves the bytes with their owner and gives up the guard: from now on they are counted by
    /// hand, as in Spark, with the calls of [`raw`](crate::raw). Returns how many they are.
    pub fn leave(mut self) -> u64 {
        std::mem::take(&mut self.bytes)
    }

    pub(crate) fn is_of(&self, ledger: &Arc<Ledger>) -> bool {
        Arc::ptr_eq(&self.ledger, ledger)
    }

    fn ask(&self, bytes: u64) -> Ask {
        match (self.kind, self.task) {
            (Kind::Execution, Some(task)) => Ask::execution(task, self.mode, bytes),
            (Kind::Unroll, _) => Ask::unroll(self.mode, bytes, None),
            (Kind::Storage | Kind::Execution, _) => Ask::storage(self.mode, bytes, None),
        }
    }

    fn absorb(&mut self, mut more: Self) {
        self.bytes = add(self.bytes, std::mem::take(&mut more.bytes));
    }

    /// Gives `bytes` back, which are not counted in it any longer.
    fn give_back(&self, bytes: u64) {
        if bytes == 0 {
            return;
        }
        match self.task {
            Some(task) => self.ledger.release_execution(task, self.mode, bytes),
            None => self.ledger.release_storage(self.mode, bytes, self.kind),
        };
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.give_back(self.bytes);
    }
}
