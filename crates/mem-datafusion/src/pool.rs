//! The memory pool of one task.

mod arriving;
mod books;
mod growing;
mod pressing;
mod refusal;
mod stats;

use std::fmt;
use std::sync::{Arc, OnceLock};

use datafusion_common::Result;
use datafusion_execution::memory_pool::{
    MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation,
};
use mem_pool::{CancelToken, TaskId, raw};
use mem_sync::Mutex;
use mem_sync::atomic::{AtomicBool, AtomicU64};

use crate::shared::{Room, Shared};
use books::Books;
pub(crate) use books::TO_BEGIN;
use pressing::Freed;
pub use stats::{ConsumerStats, PoolStats};

/// DataFusion's memory pool for one task (a query, or a task of a distributed one): its share of the
/// memory that all tasks of a [`HearthRuntime`](crate::HearthRuntime) have together.
///
/// - **Between tasks** memory is shared by Spark's rule: with N tasks that hold something, each can get
///   1/2N of it at least, sooner or later, and 1/N at most. A task counts from its first growth until
///   it gives its last byte back. Cached blocks give way first, down to the storage region.
/// - **Inside the task** all that is free is lent to whoever asks. What a refusal would do to the one that
///   asks decides: one that would fail gets all that there is, one that would spill leaves a little, what
///   its siblings (the other partitions of its operator) lack of as much as it has, up to 1/2N, and what sorts
///   need to go on: as much as one of them has taken beforehand for its merge, and a batch. Before anybody was
///   refused it leaves less. Rows on their way through a repartitioning are refused last.
///   One that merges what it has spilled reads no more runs at once than fit its guaranteed part.
/// - **What a spill gives back is for the spill**: a sort merges in it, as a consumer that can't spill, and
///   asks again for what it was refused.
/// - **Pressure**: where one that has nothing to spill is refused all the same, the largest consumer
///   that can spill has to leave as much with its next growth, or is refused too and spills. The first waits for
///   that, half a second at most.
/// - **Never over the limit**: what is granted never is. [`grow`](MemoryPool::grow), which can't be
///   refused, takes what is free, and only then overdraws: that is [metered](PoolStats), repaid by the
///   next bytes that are given back, and until then nothing is granted that it would take beyond the
///   limit.
/// - **Waiting**: a task below its minimum waits for memory that *other* tasks hold, for a bounded time,
///   on runtimes of many threads only, with the worker's other tasks handed to another thread.
///   Only one that would fail waits for memory of its own task, as said.
///
/// Its counterparts in Spark are `TaskMemoryManager` and, for a refusal, `SparkOutOfMemoryError`.
pub struct HearthMemoryPool {
    shared: Arc<Shared>,
    task: TaskId,
    /// As how many tasks it counts.
    weight: u32,
    books: Mutex<Books>,
    cancel: CancelToken,
    /// A consumer that could have spilled has waited in vain: such ones do not wait any more.
    impatient: AtomicBool,
    /// It has asked the ledger, which has to be told of its end.
    has_asked: OnceLock<()>,
    waits: AtomicU64,
    waited_nanos: AtomicU64,
    freed: Freed,
}

impl HearthMemoryPool {
    pub(crate) fn new(shared: Arc<Shared>, task: TaskId, weight: u32) -> Arc<Self> {
        let pool = Arc::new(Self {
            shared: Arc::clone(&shared),
            task,
            weight: weight.max(1),
            books: Mutex::default(),
            cancel: CancelToken::new(),
            impatient: AtomicBool::new(false),
            has_asked: OnceLock::new(),
            waits: AtomicU64::new(0),
            waited_nanos: AtomicU64::new(0),
            freed: Freed::default(),
        });
        shared.enter(&pool);
        pool
    }

    /// The task whose memory this is.
    #[must_use]
    pub fn task(&self) -> TaskId {
        self.task
    }

    /// As how many tasks it counts where memory is shared: 1 mostly.
    #[must_use]
    pub fn weight(&self) -> u32 {
        self.weight
    }

    /// Cancels the waits of this task: they end in an error that says so.
    #[must_use]
    pub fn cancel_token(&self) -> &CancelToken {
        &self.cancel
    }

    /// What the task holds and has been through, at this moment. Costs the number of its consumers.
    #[must_use]
    pub fn stats(&self) -> PoolStats {
        PoolStats::of(self)
    }

    /// Checks the books against themselves; for tests.
    ///
    /// # Panics
    /// Where they disagree, and where a request is on its way.
    pub fn check(&self) {
        self.books.lock().check();
    }

    /// Gives slack back to the ledger; whether there was any.
    pub(crate) fn give_slack_back(&self) -> bool {
        let slack = self.with_books(|books| books.release_slack(0));
        self.release(slack);
        slack > 0
    }

    /// Changes the books, and keeps the common meter of overdraft in step.
    fn with_books<R>(&self, change: impl FnOnce(&mut Books) -> R) -> R {
        let mut books = self.books.lock();
        let before = books.overdraft();
        let result = change(&mut books);
        self.shared.overdraft().change(before, books.overdraft());
        result
    }

    /// What there is to be granted now.
    fn room(&self) -> Room {
        self.shared.room(self.weight)
    }

    /// Before each request. The first has the ledger told of the weight before another can be made.
    fn note_request(&self) {
        self.has_asked.get_or_init(|| {
            if self.weight > 1 {
                let ledger = self.shared.ledger();
                ledger.register_weighted(self.task, self.weight);
            }
        });
    }

    /// Gives bytes back to the ledger. No lock of the pool's is held: others are woken.
    fn release(&self, bytes: u64) {
        if bytes > 0 {
            let (ledger, mode) = (self.shared.ledger(), self.shared.mode());
            raw::release_execution_memory(ledger, bytes, self.task, mode);
        }
    }
}

impl MemoryPool for HearthMemoryPool {
    fn name(&self) -> &str {
        "hearth"
    }

    /// Counts for nothing but what is left to its siblings.
    fn register(&self, consumer: &MemoryConsumer) {
        let now = self.shared.ledger().clock().now();
        self.books.lock().register(consumer, now);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        let surplus = self.with_books(|books| books.unregister(consumer, self.shared.slack_max()));
        self.release(surplus);
        self.freed.tell();
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        if additional > 0 {
            self.grow_anyway(reservation.consumer(), bytes(additional));
        }
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        let (id, here) = (reservation.consumer().id(), bytes(reservation.size()));
        let surplus = self.with_books(|books| {
            // Asked under the lock: who begins to want collects slack afterwards.
            books.shrink(id, here, bytes(shrink), self.shared.slack_max())
        });
        self.release(surplus);
        self.freed.tell();
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        if additional == 0 {
            return Ok(());
        }
        let here = bytes(reservation.size());
        self.grow_if_granted(reservation.consumer(), here, bytes(additional))
    }

    fn reserved(&self) -> usize {
        usize::try_from(self.books.lock().used()).unwrap_or(usize::MAX)
    }

    /// All memory of the runtime: a task that is alone may have it.
    fn memory_limit(&self) -> MemoryLimit {
        let total = self.room().total;
        MemoryLimit::Finite(usize::try_from(total).unwrap_or(usize::MAX))
    }
}

impl Drop for HearthMemoryPool {
    /// Reservations keep the pool alive, so nothing is held any more; what is, all the same, goes back.
    fn drop(&mut self) {
        self.with_books(|books| *books = Books::default());
        if self.has_asked.get().is_some() {
            self.shared.ledger().end_task(self.task);
        }
    }
}

impl fmt::Debug for HearthMemoryPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HearthMemoryPool")
            .field("task", &self.task)
            .field("books", &self.books)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for HearthMemoryPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let room = self.room();
        let used = self.books.lock().used();
        write!(
            f,
            "hearth({}, used: {used}, share: {}, total: {})",
            self.task, room.share, room.total
        )
    }
}

fn bytes(size: usize) -> u64 {
    u64::try_from(size).unwrap_or(u64::MAX)
}
