//! What a task's pool can tell of itself.

use std::time::Duration;

use mem_pool::TaskId;
use mem_sync::atomic::Ordering;

use super::HearthMemoryPool;

/// A task's memory at one moment, in bytes, and what the task has been through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolStats {
    /// The task.
    pub task: TaskId,
    /// What its consumers hold.
    pub used: u64,
    /// The most that they held.
    pub peak: u64,
    /// What the ledger has granted it.
    pub granted: u64,
    /// What its consumers hold that nobody has granted.
    pub overdraft: u64,
    /// Requests refused.
    pub refusals: u64,
    /// Requests that waited for other tasks.
    pub waits: u64,
    /// How long they did, together.
    pub waited: Duration,
    /// How often a consumer was chosen to spill for others.
    pub pressures: u64,
    /// Its consumers that have ever held something and are still there, those that hold most first.
    pub consumers: Vec<ConsumerStats>,
}

/// One consumer's memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumerStats {
    /// What DataFusion calls it.
    pub name: String,
    /// Whether it can spill.
    pub can_spill: bool,
    /// Bytes that it holds.
    pub held: u64,
    /// The most that it held.
    pub peak: u64,
    /// Requests of it that were refused.
    pub refusals: u64,
}

impl PoolStats {
    pub(super) fn of(pool: &HearthMemoryPool) -> Self {
        let books = pool.books.lock();
        let consumers = books.accounts().map(|account| ConsumerStats {
            name: account.name.to_string(),
            can_spill: account.can_spill,
            held: account.held,
            peak: account.peak,
            refusals: account.refusals,
        });
        let mut consumers: Vec<_> = consumers.collect();
        consumers.sort_by(|a, b| (b.held, &a.name).cmp(&(a.held, &b.name)));
        Self {
            task: pool.task,
            used: books.used(),
            peak: books.peak(),
            granted: books.granted(),
            overdraft: books.overdraft(),
            refusals: books.refusals,
            waits: pool.waits.load(Ordering::Relaxed),
            waited: Duration::from_nanos(pool.waited_nanos.load(Ordering::Relaxed)),
            pressures: books.pressures,
            consumers,
        }
    }
}
