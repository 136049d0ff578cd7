//! One task's memory: the manager itself.

use std::fmt;
use std::sync::Arc;

use mem_block::{MemoryAllocator, MemoryMode, PageAddress};
use mem_policy::MemoryManager;
use mem_pool::{Credit, Event, Ledger, TaskId, raw};
use mem_sync::Mutex;

use crate::charge::{Account, Charge};
use crate::consumer::{ConsumerId, ConsumerOptions, MemoryConsumer};
use crate::record::Record;
use crate::state::State;

/// Manages the memory of one task: its consumers, its pages, who of them spills, what they leak.
/// Spark's class of the same name.
///
/// One lock, held for bookkeeping only: no consumer, allocator or ledger is called under it. All
/// methods may be called from any thread of the task.
pub struct TaskMemoryManager {
    manager: Arc<dyn MemoryManager>,
    ledger: Arc<Ledger>,
    task: TaskId,
    pub(crate) state: Mutex<State>,
}

impl TaskMemoryManager {
    /// The memory of `task`, which no other manager manages. The ledger keeps the task's peaks from
    /// now on; the task counts in N from its first request.
    #[must_use]
    pub fn new(manager: Arc<dyn MemoryManager>, task: TaskId) -> Arc<Self> {
        let ledger = Arc::clone(manager.ledger());
        ledger.register_task(task);
        Arc::new(Self {
            manager,
            ledger,
            task,
            state: Mutex::new(State::new()),
        })
    }

    /// A new consumer of the task.
    #[must_use]
    pub fn register(self: &Arc<Self>, options: ConsumerOptions) -> MemoryConsumer {
        MemoryConsumer::new(self, options)
    }

    /// The task.
    #[must_use]
    pub fn task(&self) -> TaskId {
        self.task
    }

    /// The manager that this task shares with the others.
    #[must_use]
    pub fn memory_manager(&self) -> &Arc<dyn MemoryManager> {
        &self.manager
    }

    /// The books of all tasks.
    #[must_use]
    pub fn ledger(&self) -> &Arc<Ledger> {
        &self.ledger
    }

    /// Where pages go by default: Spark's `getTungstenMemoryMode`.
    #[must_use]
    pub fn tungsten_memory_mode(&self) -> MemoryMode {
        self.manager.tungsten_memory_mode()
    }

    /// Bytes of a page by default: Spark's `pageSizeBytes`.
    #[must_use]
    pub fn page_size_bytes(&self) -> u64 {
        self.manager.page_size_bytes()
    }

    /// Bytes of execution memory that the task holds, both modes: Spark's
    /// `getMemoryConsumptionForThisTask`.
    #[must_use]
    pub fn memory_consumption(&self) -> u64 {
        self.ledger.execution_usage(self.task)
    }

    /// Bytes of `mode` that requests were granted and that were not given back. What failed requests
    /// left with the task is not in; nor does a clean-up change it.
    #[must_use]
    pub fn current_execution_memory(&self, mode: MemoryMode) -> u64 {
        self.state.lock().counter(mode).current
    }

    /// The highest that [`current_execution_memory`](Self::current_execution_memory) has been:
    /// Spark's `getPeak{On,Off}HeapExecutionMemory`.
    #[must_use]
    pub fn peak_execution_memory(&self, mode: MemoryMode) -> u64 {
        self.state.lock().counter(mode).peak
    }

    /// Bytes charged for pages that the allocator then did not give, kept until the task ends:
    /// Spark's `acquiredButNotUsed`.
    #[must_use]
    pub fn acquired_but_not_used(&self) -> u64 {
        self.state.lock().unused
    }

    /// Page and offset of an encoded address, counted from the page's first byte; none where the
    /// task has no such page now. Spark: `getPage` and `getOffsetInPage`.
    #[must_use]
    pub fn decode(&self, address: PageAddress) -> Option<(u16, u64)> {
        let start = self.state.lock().pages.get(address.page())?.location;
        let offset = start.index_of(address.offset_in(start))?;
        Some((address.page(), offset))
    }

    pub(crate) fn allocator(&self, mode: MemoryMode) -> &Arc<dyn MemoryAllocator> {
        self.manager.allocator(mode)
    }

    pub(crate) fn add(&self, record: Record) -> ConsumerId {
        self.state.lock().add(record)
    }

    /// Bytes that no longer belong to their owner are taken off its count and back to the ledger, or
    /// to the request for which the owner is being spilled.
    pub(crate) fn give_back(&self, charge: &Charge) {
        let credit = {
            let mut state = self.state.lock();
            if state.epoch != charge.epoch {
                return;
            }
            state.uncount(charge.owner, charge.account, charge.bytes());
            state.lower(charge.mode, charge.bytes());
            state.credit_for(charge.owner, charge.mode)
        };
        self.release(credit, charge.mode, charge.bytes());
    }

    /// The ledger's part of giving back. No lock of the task is held.
    pub(crate) fn release(&self, credit: Option<Arc<Credit>>, mode: MemoryMode, bytes: u64) {
        match credit {
            Some(credit) => credit.release(bytes),
            None => raw::release_execution_memory(&self.ledger, bytes, self.task, mode),
        };
    }

    pub(crate) fn recount(&self, charge: &Charge, account: Account) {
        let mut state = self.state.lock();
        if state.epoch == charge.epoch {
            state.count(charge.owner, account, charge.bytes());
            state.uncount(charge.owner, charge.account, charge.bytes());
        }
    }

    pub(crate) fn count_unused(&self, charge: Charge) {
        let mut state = self.state.lock();
        let (owner, account, epoch) = (charge.owner, charge.account, charge.epoch);
        let bytes = charge.forget();
        if state.epoch == epoch {
            state.uncount(owner, account, bytes);
            state.unused = state.unused.saturating_add(bytes);
        }
    }

    /// A region beside the pages has come, or goes.
    pub(crate) fn count_region(&self, charge: &Charge, more: bool) {
        let mut state = self.state.lock();
        if state.epoch == charge.epoch {
            state.count_regions(charge.owner, more);
        }
    }

    pub(crate) fn tell(&self, event: Event) {
        self.ledger.tell(None, event);
    }
}

impl fmt::Debug for TaskMemoryManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskMemoryManager")
            .field("task", &self.task)
            .finish_non_exhaustive()
    }
}

impl Drop for TaskMemoryManager {
    /// Cleans up, where that has not been done.
    fn drop(&mut self) {
        if self.state.lock().registered {
            self.cleanup();
        }
    }
}
