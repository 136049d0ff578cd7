//! The books at one instant, for reports and tests.

use mem_block::MemoryMode;

use crate::books::Books;
use crate::state::{Counters, State};
use crate::sum::add;

/// One mode's books at one instant, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolSnapshot {
    /// Both pools together.
    pub total: u64,
    /// Storage memory that execution can't evict.
    pub storage_region: u64,
    /// What the storage pool has.
    pub storage_pool: u64,
    /// What blocks hold of it.
    pub storage_used: u64,
    /// What the execution pool has.
    pub execution_pool: u64,
    /// What tasks hold of it.
    pub execution_used: u64,
    /// Free bytes kept for requests for which something is being evicted or was spilled.
    pub kept: u64,
    /// N.
    pub active_tasks: u64,
    /// Memory in use outside the ledger.
    pub unmanaged: u64,
    /// The most that was ever granted at one instant.
    pub peak_granted: u64,
}

impl PoolSnapshot {
    fn of(books: &Books) -> Self {
        Self {
            total: books.total,
            storage_region: books.storage_region,
            storage_pool: books.storage.pool_size(),
            storage_used: books.storage.used(),
            execution_pool: books.execution.pool_size(),
            execution_used: books.execution.used(),
            kept: add(books.storage.kept(), books.execution.kept()),
            active_tasks: books.execution.active_tasks(),
            unmanaged: books.unmanaged,
            peak_granted: books.peak,
        }
    }
}

/// The whole ledger at one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Snapshot {
    /// The on-heap books.
    pub on_heap: PoolSnapshot,
    /// The off-heap books.
    pub off_heap: PoolSnapshot,
    /// Requests that are queued.
    pub waiting: usize,
    /// What has happened so far.
    pub counters: Counters,
}

impl Snapshot {
    pub(crate) fn of(state: &State) -> Self {
        Self {
            on_heap: PoolSnapshot::of(state.books(MemoryMode::OnHeap)),
            off_heap: PoolSnapshot::of(state.books(MemoryMode::OffHeap)),
            waiting: state.queue.len(),
            counters: state.counters,
        }
    }

    /// The books of `mode`.
    #[must_use]
    pub fn of_mode(&self, mode: MemoryMode) -> &PoolSnapshot {
        match mode {
            MemoryMode::OnHeap => &self.on_heap,
            MemoryMode::OffHeap => &self.off_heap,
        }
    }
}
