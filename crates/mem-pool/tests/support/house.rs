//! A ledger with a store whose blocks it can have evicted.

use std::sync::Arc;

use mem_block::MemoryMode;
use mem_pool::{
    Ask, Evictor, Ledger, LedgerOptions, Policy, PoolSizes, PoolSnapshot, Reservation, TaskId,
};

use crate::store::{Evicting, Store};

pub(crate) const ON: MemoryMode = MemoryMode::OnHeap;

pub(crate) struct House {
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) store: Arc<Store>,
    /// The ledger itself does not keep it alive.
    _evictor: Arc<dyn Evictor>,
}

/// On-heap pools of those sizes.
pub(crate) fn sizes(execution: u64, storage: u64, storage_region: u64) -> PoolSizes {
    PoolSizes {
        execution,
        storage,
        storage_region,
        max_unroll: 0,
    }
}

/// An on-heap execution request of the task with that number.
pub(crate) fn ask(task: i64, bytes: u64) -> Ask {
    Ask::execution(TaskId::new(task), ON, bytes)
}

impl House {
    pub(crate) fn new(policy: impl Policy + 'static, options: LedgerOptions) -> Self {
        let ledger = Ledger::new(options, Arc::new(policy));
        let store = Arc::new(Store::default());
        let evictor: Arc<dyn Evictor> = Arc::new(Evicting(Arc::clone(&store)));
        assert!(ledger.set_evictor(Arc::downgrade(&evictor)));
        Self {
            ledger,
            store,
            _evictor: evictor,
        }
    }

    /// Execution memory that is free, for the task with that number.
    pub(crate) fn grant(&self, task: i64, bytes: u64) -> Reservation {
        let grant = self.ledger.try_acquire(ask(task, bytes));
        let grant = grant.expect("the test begins with memory to spare");
        assert_eq!(grant.bytes(), bytes);
        grant
    }

    /// A block of that size is put into the store.
    pub(crate) fn cache(&self, bytes: u64) {
        self.cache_in(ON, bytes);
    }

    pub(crate) fn cache_in(&self, mode: MemoryMode, bytes: u64) {
        let block = self.ledger.try_acquire(Ask::storage(mode, bytes, None));
        block.expect("the test begins with memory to spare").leave();
        self.store.put(mode, bytes);
    }

    /// The on-heap books.
    pub(crate) fn books(&self) -> PoolSnapshot {
        self.ledger.check();
        self.ledger.snapshot().on_heap
    }

    /// Ends those tasks, which hold nothing any more, and sees that nothing is left behind.
    pub(crate) fn close(&self, tasks: &[i64]) {
        for task in tasks {
            assert_eq!(self.ledger.end_task(TaskId::new(*task)), (0, 0));
        }
        self.ledger.check();
        let snapshot = self.ledger.snapshot();
        assert_eq!(snapshot.waiting, 0, "nobody is queued any more");
        for books in [snapshot.on_heap, snapshot.off_heap] {
            assert_eq!((books.execution_used, books.kept), (0, 0));
            assert_eq!(books.active_tasks, 0, "nobody counts in N any more");
        }
    }
}
