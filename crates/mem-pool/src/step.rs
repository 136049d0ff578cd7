//! The ledger's steps as plain facts: what was done to the books, and how they stood afterwards.
//!
//! One step is one transaction under the lock that changed something. The facts are enough to make
//! the same steps again, one by one on one thread, whatever threads made them first.

use mem_block::MemoryMode;

use crate::books::Books;
use crate::probe::Kind;
use crate::state::State;
use crate::task::TaskId;

/// One step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LedgerStep {
    /// What was done.
    pub action: Action,
    /// What came of it for whoever did it.
    pub outcome: ActionOutcome,
    /// The on-heap books after it.
    pub on_heap: PoolLevels,
    /// The off-heap books after it.
    pub off_heap: PoolLevels,
    /// Requests that are queued after it.
    pub waiting: u64,
}

/// What was done to the ledger. Requests that queue are numbered by the ledger, and so are credits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// A request came.
    Arrive {
        /// What for.
        kind: Kind,
        /// The task, for execution memory.
        task: Option<TaskId>,
        /// The mode.
        mode: MemoryMode,
        /// Bytes asked for.
        bytes: u64,
        /// Unroll memory that the block store held, in bytes.
        unrolling: u64,
        /// The number that it was given when it took over a credit; none where it did not.
        taken_over: Option<u64>,
        /// Whether it may wait.
        may_wait: bool,
    },
    /// The ticket of a queued request looked.
    Revisit {
        /// The request.
        request: u64,
        /// Whether it may wait on.
        may_wait: bool,
    },
    /// The eviction for a queued request is over.
    Settle {
        /// The request.
        request: u64,
        /// Bytes that were freed.
        freed: u64,
        /// Whether it stopped with an error.
        failed: bool,
    },
    /// The ticket of a queued request was dropped.
    Abandon {
        /// The request.
        request: u64,
    },
    /// A queued request was ended early.
    GiveUp {
        /// The request.
        request: u64,
        /// By its deadline, not by being cancelled.
        deadline: bool,
    },
    /// Memory was given back.
    Release {
        /// The task, for execution memory.
        task: Option<TaskId>,
        /// The mode.
        mode: MemoryMode,
        /// What it was held for.
        kind: Kind,
        /// Bytes that were to be released.
        bytes: u64,
    },
    /// All that a task holds was given back, of both modes.
    ReleaseAll {
        /// The task.
        task: TaskId,
    },
    /// Execution memory was given back, and is kept for one request.
    ReleaseToCredit {
        /// Where it is collected.
        credit: u64,
        /// The task.
        task: TaskId,
        /// The mode.
        mode: MemoryMode,
        /// Bytes that were to be released.
        bytes: u64,
    },
    /// What a credit held falls free.
    DropCredit {
        /// The credit.
        credit: u64,
    },
    /// A request that is still to arrive took over what a credit held.
    TakeOver {
        /// The credit.
        credit: u64,
        /// The number that the request was given.
        number: u64,
        /// The task.
        task: Option<TaskId>,
        /// The mode.
        mode: MemoryMode,
        /// Bytes that it will ask for.
        bytes: u64,
    },
    /// A request that took over a credit was dropped before it arrived.
    Return {
        /// The number that it was given.
        number: u64,
    },
    /// A task is known from now on.
    RegisterTask {
        /// The task.
        task: TaskId,
        /// As how many tasks it counts.
        weight: u32,
    },
    /// A task is over.
    EndTask {
        /// The task.
        task: TaskId,
    },
    /// Every waiter is to be looked at.
    NotifyAll,
    /// Memory in use outside the ledger changed.
    SetUnmanaged {
        /// The mode.
        mode: MemoryMode,
        /// Bytes now.
        bytes: u64,
    },
    /// A total changed.
    SetLimit {
        /// The mode.
        mode: MemoryMode,
        /// Bytes now.
        total: u64,
    },
}

/// What a step came to. Sizes are bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActionOutcome {
    /// Nothing to tell.
    Done,
    /// The request was granted that many bytes.
    Granted(u64),
    /// The request waits in the queue.
    Parked {
        /// Under this number.
        request: u64,
    },
    /// The request needs an eviction before it can go on.
    Evict {
        /// Its number in the queue.
        request: u64,
        /// Bytes needed.
        need: u64,
    },
    /// The request was refused; the name of the [`Reason`](crate::Reason), as in `would_wait`.
    Refused(&'static str),
    /// That many bytes were given back: on heap and off heap together.
    Released(u64),
}

/// One mode's pools after a step, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolLevels {
    /// What the storage pool has.
    pub storage_pool: u64,
    /// What blocks hold of it.
    pub storage_used: u64,
    /// Unused storage that is kept for requests whose evictions run.
    pub storage_kept: u64,
    /// What the execution pool has.
    pub execution_pool: u64,
    /// What tasks hold of it.
    pub execution_used: u64,
    /// Execution memory that was spilled for requests and is kept for them.
    pub execution_kept: u64,
    /// N.
    pub active_tasks: u64,
}

impl PoolLevels {
    fn of(books: &Books) -> Self {
        Self {
            storage_pool: books.storage.pool_size(),
            storage_used: books.storage.used(),
            storage_kept: books.storage.kept(),
            execution_pool: books.execution.pool_size(),
            execution_used: books.execution.used(),
            execution_kept: books.execution.kept(),
            active_tasks: books.execution.active_tasks(),
        }
    }
}

impl LedgerStep {
    /// The facts of a step that was just made, still under its lock.
    pub(crate) fn capture(state: &State, action: Action, outcome: ActionOutcome) -> Self {
        Self {
            action,
            outcome,
            on_heap: PoolLevels::of(state.books(MemoryMode::OnHeap)),
            off_heap: PoolLevels::of(state.books(MemoryMode::OffHeap)),
            waiting: state.queue.len() as u64,
        }
    }
}
