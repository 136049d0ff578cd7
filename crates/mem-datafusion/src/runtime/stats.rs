//! What a runtime can tell of itself.

use mem_pool::Counters;
use mem_spill::SpillStats;

use crate::pool::PoolStats;
use crate::shared::Shared;
use crate::spill::Spills;

/// All memory at one moment, in bytes, and what has happened so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuntimeStats {
    /// All memory.
    pub total: u64,
    /// What queries have been granted.
    pub execution: u64,
    /// What cached blocks hold, the workspace of their disk included.
    pub storage: u64,
    /// The part of that which queries can't have evicted.
    pub storage_region: u64,
    /// What queries hold that nobody has granted.
    pub overdraft: u64,
    /// The most that was overdrawn at one moment.
    pub overdraft_peak: u64,
    /// The most that was granted, or granted and overdrawn together, at one moment.
    pub peak: u64,
    /// Requests that wait now.
    pub waiting: usize,
    /// What the ledger has counted: grants, waits, refusals, evictions.
    pub counters: Counters,
    /// What has gone through spill files.
    pub spilled: SpillStats,
    /// Bytes of queries' spill files that are on disk now.
    pub on_disk: u64,
    /// The tasks that are there now, those that hold most first.
    pub tasks: Vec<PoolStats>,
}

impl RuntimeStats {
    pub(super) fn of(shared: &Shared, spills: &Spills) -> Self {
        let snapshot = shared.ledger().snapshot();
        let books = snapshot.of_mode(shared.mode());
        let mut tasks: Vec<_> = shared.pools().iter().map(|pool| pool.stats()).collect();
        tasks.sort_by_key(|task| (std::cmp::Reverse(task.used), task.task));
        Self {
            total: books.total,
            execution: books.execution_used,
            storage: books.storage_used,
            storage_region: books.storage_region,
            overdraft: shared.overdraft().now(),
            overdraft_peak: shared.overdraft().peak(),
            peak: books.peak_granted.max(shared.overdraft().total_peak()),
            waiting: snapshot.waiting,
            counters: snapshot.counters,
            spilled: spills.dirs().stats(),
            on_disk: spills.on_disk(),
            tasks,
        }
    }
}
