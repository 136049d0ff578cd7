//! The ledger: the one lock of the accounting, and what can be asked of it.

use std::fmt;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use mem_block::MemoryMode;
use mem_sync::atomic::{AtomicU64, Ordering};
use mem_sync::{CachePadded, Clock, Moment, Mutex};

use crate::books::Books;
use crate::credit::Credit;
use crate::evictor::Evictor;
use crate::exchange::Exchanges;
use crate::helpers::Helpers;
use crate::options::{LedgerOptions, Wait};
use crate::policy::Policy;
use crate::probe::{Event, Probe};
use crate::refusal::Refusal;
use crate::reservation::Reservation;
use crate::snapshot::Snapshot;
use crate::state::State;
use crate::task::TaskId;
use crate::ticket::{Ask, Ticket};

/// Counts who holds how many bytes of which mode, for one process: the mechanism under every
/// policy. One lock; no foreign code runs under it but [`Policy::decide`], which is pure.
pub struct Ledger {
    /// Apart from the ledger's own count of references: that changes with every guard, and whoever
    /// has the lock would lose the lock's cache line by it.
    pub(crate) state: CachePadded<Mutex<State>>,
    policy: Arc<dyn Policy>,
    evictor: OnceLock<Weak<dyn Evictor>>,
    pub(crate) probe: Option<Arc<dyn Probe>>,
    clock: Arc<dyn Clock>,
    wait_timeout: Option<Duration>,
    helpers: Helpers,
    pub(crate) exchanges: Exchanges,
    /// The next number for a credit, or a request that takes one over.
    numbers: AtomicU64,
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ledger")
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

impl Ledger {
    /// A ledger with empty books.
    #[must_use]
    pub fn new(options: LedgerOptions, policy: Arc<dyn Policy>) -> Arc<Self> {
        let books = [
            Books::new(MemoryMode::OnHeap, options.on_heap),
            Books::new(MemoryMode::OffHeap, options.off_heap),
        ];
        let tells_steps = options
            .probe
            .as_ref()
            .is_some_and(|probe| probe.wants_steps());
        let detect_deadlock = options.detect_deadlock;
        let state = State::new(books, Arc::clone(&policy), detect_deadlock, tells_steps);
        Arc::new(Self {
            state: CachePadded::new(Mutex::new(state)),
            policy,
            evictor: OnceLock::new(),
            numbers: AtomicU64::new(0),
            probe: options.probe,
            clock: options.clock,
            wait_timeout: options.wait_timeout,
            helpers: Helpers::new(options.reclaim_inline),
            exchanges: Exchanges::default(),
        })
    }

    /// Says who can evict blocks; once. The ledger does not keep it alive.
    ///
    /// Returns false, changing nothing, where one was set before.
    pub fn set_evictor(&self, evictor: Weak<dyn Evictor>) -> bool {
        self.evictor.set(evictor).is_ok()
    }

    /// Asks for memory and never waits: where it would have to, it is refused. May evict, on the
    /// caller's thread. Execution memory may be granted in part, also with 0 bytes.
    ///
    /// # Errors
    /// The [`Refusal`].
    #[inline]
    pub fn try_acquire(self: &Arc<Self>, ask: Ask) -> Result<Reservation, Refusal> {
        let bytes = self.take(&ask)?;
        Ok(self.guard(&ask, bytes))
    }

    /// Like [`try_acquire`](Self::try_acquire) for a request for which `credit` was spilled.
    ///
    /// # Errors
    /// The [`Refusal`].
    pub fn try_acquire_with(
        self: &Arc<Self>,
        ask: Ask,
        credit: &Credit,
    ) -> Result<Reservation, Refusal> {
        crate::faces::drive_without_waiting(self.ticket_with(ask, credit))
    }

    /// Asks for memory, waiting as `wait` says. Execution memory may be granted in part, also with 0
    /// bytes. The caller must hold no lock that an eviction or another task needs.
    ///
    /// # Errors
    /// The [`Refusal`]; every wait ends in one at the latest when its deadline passes.
    pub fn acquire(self: &Arc<Self>, ask: Ask, wait: &Wait<'_>) -> Result<Reservation, Refusal> {
        crate::faces::drive_blocking(self, self.ticket(ask), wait)
    }

    /// Like [`acquire`](Self::acquire) for a request for which `credit` was spilled: those bytes are
    /// nobody else's until it is answered, and what it leaves of them then falls free.
    ///
    /// # Errors
    /// The [`Refusal`].
    pub fn acquire_with(
        self: &Arc<Self>,
        ask: Ask,
        credit: &Credit,
        wait: &Wait<'_>,
    ) -> Result<Reservation, Refusal> {
        crate::faces::drive_blocking(self, Ticket::new(Arc::clone(self), ask, Some(credit)), wait)
    }

    /// Asks for memory without holding a thread: a future. Dropping it cancels the request, and no
    /// byte is lost. Evictions run on a helper thread. It is refused when the ledger's own timeout
    /// has passed.
    pub fn acquire_async(self: &Arc<Self>, ask: Ask) -> crate::faces::Acquire {
        crate::faces::Acquire::new(Arc::clone(self), self.ticket(ask))
    }

    /// Like [`acquire_async`](Self::acquire_async) for a request for which `credit` was spilled.
    pub fn acquire_async_with(
        self: &Arc<Self>,
        ask: Ask,
        credit: &Credit,
    ) -> crate::faces::Acquire {
        crate::faces::Acquire::new(Arc::clone(self), self.ticket_with(ask, credit))
    }

    /// Why execution memory was granted short of `ask`, for an asker that can't use less. The facts
    /// are captured now, so this comes before the short grant is given back.
    #[must_use]
    pub fn explain_short(self: &Arc<Self>, ask: Ask) -> Refusal {
        let nothing = Reservation::new(Arc::clone(self), ask.kind(), ask.task(), ask.mode(), 0);
        Refusal::short(self, ask, nothing)
    }

    /// Exactly what was asked for, without waiting.
    ///
    /// # Errors
    /// A [`Refusal`] whose `kept` is what could be had.
    pub fn try_reserve(self: &Arc<Self>, ask: Ask) -> Result<Reservation, Refusal> {
        self.exactly(ask, self.try_acquire(ask)?)
    }

    /// Exactly what was asked for, waiting as `wait` says.
    ///
    /// # Errors
    /// A [`Refusal`] whose `kept` is what could be had.
    pub fn reserve(self: &Arc<Self>, ask: Ask, wait: &Wait<'_>) -> Result<Reservation, Refusal> {
        self.exactly(ask, self.acquire(ask, wait)?)
    }

    /// The steps of a request one by one, for those who drive them themselves.
    pub fn ticket(self: &Arc<Self>, ask: Ask) -> Ticket {
        Ticket::new(Arc::clone(self), ask, None)
    }

    /// Like [`ticket`](Self::ticket) for a request for which `credit` was spilled.
    pub fn ticket_with(self: &Arc<Self>, ask: Ask, credit: &Credit) -> Ticket {
        Ticket::new(Arc::clone(self), ask, Some(credit))
    }

    /// Starts to collect what is spilled for a request of `task`.
    pub fn open_credit(self: &Arc<Self>, task: TaskId, mode: MemoryMode) -> Credit {
        Credit::new(Arc::clone(self), self.next_number(), task, mode)
    }

    /// The most that storage of `mode` could use now: Spark's `max{On,Off}HeapStorageMemory`.
    #[must_use]
    pub fn max_storage(&self, mode: MemoryMode) -> u64 {
        self.with_books(mode, |books| self.policy.max_storage(books))
    }

    /// Bytes of execution memory that `task` holds, both modes: Spark's
    /// `getExecutionMemoryUsageForTask`.
    #[must_use]
    pub fn execution_usage(&self, task: TaskId) -> u64 {
        self.look(|state| {
            state
                .books
                .iter()
                .map(|books| books.execution.held_by(task))
                .fold(0, crate::sum::add)
        })
    }

    /// The most that `task` held of `mode` since it was registered.
    #[must_use]
    pub fn peak_of(&self, task: TaskId, mode: MemoryMode) -> u64 {
        self.with_books(mode, |books| books.execution.peak_of(task))
    }

    /// All books as they stand at one instant.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let mut snapshot = self.look(Snapshot::of);
        self.exchanges.count_in(&mut snapshot.counters);
        snapshot
    }

    /// The tasks that hold the most of `mode` now, at most `count`, largest first.
    #[must_use]
    pub fn largest_holders(&self, mode: MemoryMode, count: usize) -> Vec<(TaskId, u64)> {
        let mut holders: Vec<(TaskId, u64)> = self.with_books(mode, |books| {
            books
                .execution
                .accounts()
                .map(|(task, account)| (task, account.bytes))
                .collect()
        });
        holders.retain(|(_, bytes)| *bytes > 0);
        holders.sort_unstable_by_key(|(task, bytes)| (std::cmp::Reverse(*bytes), *task));
        holders.truncate(count);
        holders
    }

    /// Bytes of `mode` that tasks hold and do not use: the slack of their
    /// [`LocalReservation`](crate::LocalReservation)s, which go on while it is added up.
    #[must_use]
    pub fn slack(&self, mode: MemoryMode) -> u64 {
        self.look(|state| state.slack(mode))
    }

    /// Whether a request of `task` waits now.
    #[must_use]
    pub fn is_waiting(&self, task: TaskId) -> bool {
        self.look(|state| {
            state
                .queue
                .iter()
                .any(|(_, w)| w.attempt.task() == Some(task))
        })
    }

    /// Who decides.
    #[must_use]
    pub fn policy(&self) -> &Arc<dyn Policy> {
        &self.policy
    }

    /// Where time comes from.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Tells the probe, if there is one. Must be called without a lock.
    #[inline]
    pub fn tell(&self, sequence: Option<u64>, event: Event) {
        if let Some(probe) = &self.probe {
            probe.record(sequence, &event);
        }
    }

    /// Checks the books against themselves; for tests, costs the number of tasks.
    ///
    /// # Panics
    /// Where they disagree.
    pub fn check(&self) {
        self.look(|state| state.books.iter().for_each(Books::check));
    }

    pub(crate) fn with_books<R>(&self, mode: MemoryMode, body: impl FnOnce(&Books) -> R) -> R {
        self.look(|state| body(state.books(mode)))
    }

    pub(crate) fn evictor(&self) -> Option<Arc<dyn Evictor>> {
        self.evictor.get().and_then(Weak::upgrade)
    }

    pub(crate) fn unrolling(&self) -> u64 {
        self.evictor().map_or(0, |evictor| evictor.unrolling())
    }

    pub(crate) fn default_deadline(&self) -> Option<Moment> {
        self.wait_timeout.map(|timeout| self.clock.now() + timeout)
    }

    /// A number that no credit and no request that took one over has.
    pub(crate) fn next_number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn helpers(&self) -> &Helpers {
        &self.helpers
    }

    pub(crate) fn exactly(
        self: &Arc<Self>,
        ask: Ask,
        got: Reservation,
    ) -> Result<Reservation, Refusal> {
        if got.bytes() == ask.bytes() {
            Ok(got)
        } else {
            Err(Refusal::short(self, ask, got))
        }
    }
}
