//! One mode's books: what a policy reads to decide.

use mem_block::MemoryMode;

use crate::execution_pool::ExecutionMemoryPool;
use crate::policy::{Resize, Shift, Want};
use crate::storage_pool::StorageMemoryPool;
use crate::sum::add;
use crate::task::TaskId;

/// The sizes, in bytes, with which one mode starts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PoolSizes {
    /// What the storage pool starts with.
    pub storage: u64,
    /// What the execution pool starts with.
    pub execution: u64,
    /// Storage memory that execution can't evict.
    pub storage_region: u64,
    /// The most storage that unrolling may have by evicting (static policy).
    pub max_unroll: u64,
}

/// The pools of one [`MemoryMode`], with the limits that hold for it. Modes never lend to each other.
#[derive(Debug, Clone)]
pub struct Books {
    pub(crate) mode: MemoryMode,
    pub(crate) total: u64,
    pub(crate) storage_region: u64,
    pub(crate) max_unroll: u64,
    pub(crate) unmanaged: u64,
    pub(crate) storage: StorageMemoryPool,
    pub(crate) execution: ExecutionMemoryPool,
    /// What the pools still have to give up after the limit was lowered.
    pub(crate) debt: u64,
    /// What each pool keeps when the debt is paid: storage, execution.
    floors: (u64, u64),
    /// Paying off the debt has opened execution memory that was frozen, and nobody was told yet.
    opened: bool,
    pub(crate) peak: u64,
}

impl Books {
    pub(crate) fn new(mode: MemoryMode, sizes: PoolSizes) -> Self {
        Self {
            mode,
            total: add(sizes.storage, sizes.execution),
            storage_region: sizes.storage_region,
            max_unroll: sizes.max_unroll,
            unmanaged: 0,
            storage: StorageMemoryPool::new(sizes.storage),
            execution: ExecutionMemoryPool::new(sizes.execution),
            debt: 0,
            floors: (0, 0),
            opened: false,
            peak: 0,
        }
    }

    /// The mode whose books these are.
    #[must_use]
    pub fn mode(&self) -> MemoryMode {
        self.mode
    }

    /// All of the mode's memory, both pools together.
    #[must_use]
    #[inline]
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Storage memory that execution can't evict.
    #[must_use]
    #[inline]
    pub fn storage_region(&self) -> u64 {
        self.storage_region
    }

    /// The most storage that unrolling may have by evicting (static policy).
    #[must_use]
    pub fn max_unroll(&self) -> u64 {
        self.max_unroll
    }

    /// Memory in use outside the ledger that counts against this mode.
    #[must_use]
    #[inline]
    pub fn unmanaged(&self) -> u64 {
        self.unmanaged
    }

    /// The storage pool.
    #[must_use]
    #[inline]
    pub fn storage(&self) -> &StorageMemoryPool {
        &self.storage
    }

    /// The execution pool.
    #[must_use]
    #[inline]
    pub fn execution(&self) -> &ExecutionMemoryPool {
        &self.execution
    }

    /// Granted bytes, both pools together.
    #[inline]
    pub(crate) fn granted(&self) -> u64 {
        add(self.storage.used(), self.execution.used())
    }

    /// Takes free `bytes` for whoever was granted them.
    #[inline]
    pub(crate) fn charge(&mut self, want: Want, bytes: u64) {
        // mutant(granted-is-taken by no_over_grant): delete
        match want {
            Want::Execution { task } => self.execution.take(task, bytes),
            Want::Storage | Want::Unroll { .. } => self.storage.take(bytes),
        }
        self.charged();
    }

    /// The same for a task that is to be granted all of `bytes` by its share of `cap`, and counts from
    /// now on. False, with nothing changed, where it is not.
    #[inline]
    pub(crate) fn charge_share(&mut self, task: TaskId, bytes: u64, cap: u64) -> bool {
        let charged = self.execution.take_all(task, bytes, cap);
        if charged {
            self.charged();
        }
        charged
    }

    #[inline]
    fn charged(&mut self) {
        self.peak = self.peak.max(self.granted());
        self.pay_debt();
    }

    /// Moves `bytes` of free memory between the pools.
    pub(crate) fn shift(&mut self, shift: Shift) {
        match shift {
            Shift::ToExecution(bytes) => {
                self.storage.shrink(bytes);
                self.execution.grow(bytes);
            }
            Shift::ToStorage(bytes) => {
                self.execution.shrink(bytes);
                self.storage.grow(bytes);
            }
        }
    }

    /// Makes `total` the limit. Growth goes to the pools at once; what has to be given up becomes a
    /// debt, of which free memory is paid at once.
    pub(crate) fn set_total(&mut self, total: u64, resize: Resize) {
        self.total = total;
        self.storage_region = resize.storage_region;
        self.floors = (resize.storage_floor, resize.execution_floor);
        let pools = add(self.storage.pool_size(), self.execution.pool_size());
        self.debt = pools.saturating_sub(total);
        let growth = total.saturating_sub(pools);
        let to_storage = growth.min(resize.storage_pool.saturating_sub(self.storage.pool_size()));
        self.storage.grow(to_storage);
        self.execution.grow(growth.saturating_sub(to_storage));
        self.pay();
    }

    /// What of the debt only blocks can pay: storage above its floor.
    pub(crate) fn evictable_debt(&self) -> u64 {
        let above = self.storage.pool_size().saturating_sub(self.floors.0);
        self.debt.min(above).min(self.storage.used())
    }

    /// Pays what it can of the debt that a lowered limit left, from free memory. To be called
    /// whenever memory falls free.
    #[inline]
    pub(crate) fn pay_debt(&mut self) {
        if self.debt > 0 {
            self.pay();
        }
    }

    /// Whether memory was opened to waiters, and they were not told yet.
    #[inline]
    pub(crate) fn has_opened(&self) -> bool {
        self.opened
    }

    /// The same, and now they are told.
    pub(crate) fn take_opened(&mut self) -> bool {
        std::mem::take(&mut self.opened)
    }

    #[cold]
    fn pay(&mut self) {
        let frozen = self.execution.freeze(0);
        self.storage.freeze(0);
        let above = self.execution.pool_size().saturating_sub(self.floors.1);
        let paid = self.debt.min(above).min(self.execution.free());
        self.execution.shrink(paid);
        self.debt = self.debt.saturating_sub(paid);
        let above = self.storage.pool_size().saturating_sub(self.floors.0);
        let paid = self.debt.min(above).min(self.storage.free());
        self.storage.shrink(paid);
        self.debt = self.debt.saturating_sub(paid);
        // What a pool has free within its floor it keeps, but as long as the other pool owes, nobody
        // is granted it: that would take the mode further above its total.
        let execution = self.debt.min(self.execution.free());
        self.execution.freeze(execution);
        self.storage
            .freeze(self.debt.saturating_sub(execution).min(self.storage.free()));
        self.opened |= execution < frozen;
    }

    /// The books agree with themselves and with the limit.
    pub(crate) fn check(&self) {
        let pools = add(self.storage.pool_size(), self.execution.pool_size());
        assert_eq!(
            pools,
            add(self.total, self.debt),
            "the pools make up the total"
        );
        let free = add(self.storage.free(), self.execution.free());
        assert!(self.granted() <= pools, "never more granted than there is");
        assert!(
            free == 0 || add(self.granted(), free) <= self.total,
            "nothing is free above the total"
        );
        self.execution.check();
    }
}
