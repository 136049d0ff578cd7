//! Bytes that are charged to a task, and what they are counted as.

use std::fmt;
use std::sync::Arc;

use mem_block::MemoryMode;

use crate::consumer::ConsumerId;
use crate::manager::TaskMemoryManager;

/// What a consumer's bytes are counted as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Account {
    /// In the consumer's `used`: what it can spill, and what a victim is chosen by.
    Used,
    /// Charged for the consumer but not in its `used`: as after direct calls of Spark's
    /// `TaskMemoryManager`, and while a page is being made.
    Apart,
    /// Regions that are no pages.
    Unpaged,
    /// What the consumer needs in order to spill.
    Workspace,
}

impl Account {
    pub(crate) const COUNT: usize = 4;

    pub(crate) fn index(self) -> usize {
        match self {
            Self::Used => 0,
            Self::Apart => 1,
            Self::Unpaged => 2,
            Self::Workspace => 3,
        }
    }
}

/// Granted bytes, counted with their owner. Dropped, they go back to the ledger; but where a request
/// is being served by spilling their owner, they are kept for that request.
///
/// After a clean-up of the task it is an empty shell: the ledger has taken its bytes back already.
pub(crate) struct Charge {
    task: Arc<TaskMemoryManager>,
    pub(crate) owner: ConsumerId,
    pub(crate) account: Account,
    pub(crate) mode: MemoryMode,
    pub(crate) epoch: u64,
    bytes: u64,
}

impl Charge {
    /// Bytes that are already charged, and counted in the state of `epoch`.
    pub(crate) fn new(
        task: Arc<TaskMemoryManager>,
        (owner, account): (ConsumerId, Account),
        mode: MemoryMode,
        epoch: u64,
        bytes: u64,
    ) -> Self {
        Self {
            task,
            owner,
            account,
            mode,
            epoch,
            bytes,
        }
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn task(&self) -> &Arc<TaskMemoryManager> {
        &self.task
    }

    /// Takes at most `bytes` of it into a charge of their own.
    pub(crate) fn split(&mut self, bytes: u64) -> Self {
        let bytes = bytes.min(self.bytes);
        self.bytes = self.bytes.saturating_sub(bytes);
        Self {
            task: Arc::clone(&self.task),
            bytes,
            ..*self
        }
    }

    /// Whether both are counted together.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.task, &other.task)
            && (self.owner, self.account, self.mode, self.epoch)
                == (other.owner, other.account, other.mode, other.epoch)
    }

    /// Adds a charge of the same kind.
    pub(crate) fn merge(&mut self, other: Self) {
        assert!(
            self.is_like(&other),
            "charges of one owner, account and mode are merged"
        );
        let more = other.forget();
        self.bytes = self
            .bytes
            .checked_add(more)
            .expect("a ledger grants less than 2^64 bytes");
    }

    /// Gives back all but `bytes`.
    pub(crate) fn shrink_to(&mut self, bytes: u64) {
        let surplus = self.bytes.saturating_sub(bytes);
        drop(self.split(surplus));
    }

    /// Counts it as something else from now on.
    pub(crate) fn recount(&mut self, account: Account) {
        self.task.recount(self, account);
        self.account = account;
    }

    /// Gives up the guard; the bytes stay charged and counted.
    pub(crate) fn forget(mut self) -> u64 {
        std::mem::take(&mut self.bytes)
    }

    /// Leaves the bytes with the task, counted to no consumer, until it ends.
    pub(crate) fn leave_unused(self) {
        let task = Arc::clone(&self.task);
        task.count_unused(self);
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.task.give_back(self);
        }
    }
}

impl fmt::Debug for Charge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Charge")
            .field("owner", &self.owner)
            .field("account", &self.account)
            .field("mode", &self.mode)
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}
