//! What all pools of one runtime share: the ledger, the meter of overdraft, and each other.

use std::sync::{Arc, Weak};
use std::time::Duration;

use mem_block::MemoryMode;
use mem_policy::{MemoryManager, PolicyKind};
use mem_pool::{Ledger, TaskId};
use mem_sync::Mutex;
use mem_sync::atomic::{AtomicI64, AtomicU64, Ordering};

use crate::overdraft::Overdraft;
use crate::pool::HearthMemoryPool;

/// Of all memory: what a task keeps at most of returned memory.
const SLACK_FRACTION: u64 = 1024;

/// What all pools of one runtime share.
#[derive(Debug)]
pub(crate) struct Shared {
    manager: Arc<dyn MemoryManager>,
    /// The memory that queries' bytes are counted in.
    mode: MemoryMode,
    /// The longest that a worker waits for memory of other tasks.
    wait: Duration,
    slack_max: u64,
    overdraft: Overdraft,
    /// Requests that wait now. While there are any, or there is overdraft, no task keeps slack.
    wanting: AtomicU64,
    next_task: AtomicI64,
    pools: Mutex<Vec<Weak<HearthMemoryPool>>>,
}

/// What there is to be granted now, in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    /// All memory.
    pub(crate) total: u64,
    /// What all tasks together may hold: all but blocks that can't be evicted.
    pub(crate) cap: u64,
    /// The most that the task may hold now.
    pub(crate) share: u64,
    /// Granted to nobody, or to blocks that can be evicted.
    pub(crate) free: u64,
    /// What of that is overdrawn.
    pub(crate) overdraft: u64,
    /// N.
    pub(crate) active_tasks: u64,
}

impl Room {
    /// What is free once the overdraft of others than a task with `debt` is repaid; `None` where it is
    /// less than that overdraft.
    pub(crate) fn free_for(&self, debt: u64) -> Option<u64> {
        self.free.checked_sub(self.overdraft.saturating_sub(debt))
    }
}

impl Shared {
    pub(crate) fn new(
        manager: Arc<dyn MemoryManager>,
        mode: MemoryMode,
        wait: Duration,
        quantum: u64,
    ) -> Arc<Self> {
        let total = manager.ledger().snapshot().of_mode(mode).total;
        let slack_max = quantum.min(total / SLACK_FRACTION);
        Arc::new(Self {
            manager,
            mode,
            wait,
            slack_max,
            overdraft: Overdraft::default(),
            wanting: AtomicU64::new(0),
            next_task: AtomicI64::new(1),
            pools: Mutex::default(),
        })
    }

    pub(crate) fn manager(&self) -> &Arc<dyn MemoryManager> {
        &self.manager
    }

    pub(crate) fn ledger(&self) -> &Arc<Ledger> {
        self.manager.ledger()
    }

    pub(crate) fn mode(&self) -> MemoryMode {
        self.mode
    }

    pub(crate) fn wait(&self) -> Duration {
        self.wait
    }

    pub(crate) fn overdraft(&self) -> &Overdraft {
        &self.overdraft
    }

    /// What a task may keep of returned memory, in bytes.
    pub(crate) fn slack_max(&self) -> u64 {
        if self.wanting.load(Ordering::Relaxed) > 0 || self.overdraft.now() > 0 {
            0
        } else {
            self.slack_max
        }
    }

    /// A number that no task has had.
    pub(crate) fn next_task(&self) -> TaskId {
        TaskId::new(self.next_task.fetch_add(1, Ordering::Relaxed))
    }

    pub(crate) fn enter(&self, pool: &Arc<HearthMemoryPool>) {
        let mut pools = self.pools.lock();
        pools.retain(|pool| pool.strong_count() > 0);
        pools.push(Arc::downgrade(pool));
    }

    /// The pools that are there now.
    pub(crate) fn pools(&self) -> Vec<Arc<HearthMemoryPool>> {
        self.pools.lock().iter().filter_map(Weak::upgrade).collect()
    }

    /// Looks at the ledger, for a task of that weight.
    pub(crate) fn room(&self, weight: u32) -> Room {
        let snapshot = self.ledger().snapshot();
        let books = snapshot.of_mode(self.mode);
        let cap = match self.manager.resolved().policy {
            PolicyKind::Unified => {
                let kept = books.storage_used.min(books.storage_region);
                books.total.saturating_sub(kept)
            }
            PolicyKind::Static => books.execution_pool,
        };
        let cap = cap.saturating_sub(books.unmanaged);
        let granted = books.execution_used.saturating_add(books.kept);
        let weight = u64::from(weight);
        Room {
            total: books.total,
            cap,
            share: cap.saturating_mul(weight) / books.active_tasks.max(weight).max(1),
            free: cap.saturating_sub(granted),
            overdraft: self.overdraft.now(),
            active_tasks: books.active_tasks,
        }
    }

    /// Has the tasks but `except` give their slack back to the ledger; whether there was any.
    pub(crate) fn collect_slack(&self, except: TaskId) -> bool {
        let others = self.pools().into_iter();
        let others = others.filter(|pool| pool.task() != except);
        // All are asked: no `any`, which would stop at the first.
        others.fold(false, |some, pool| pool.give_slack_back() | some)
    }

    /// Until the guard is dropped, no task keeps slack: somebody waits.
    pub(crate) fn want(&self) -> Wanting<'_> {
        self.wanting.fetch_add(1, Ordering::Relaxed);
        Wanting(self)
    }
}

/// Somebody waits for memory.
#[derive(Debug)]
pub(crate) struct Wanting<'a>(&'a Shared);

impl Drop for Wanting<'_> {
    fn drop(&mut self) {
        self.0.wanting.fetch_sub(1, Ordering::Relaxed);
    }
}
