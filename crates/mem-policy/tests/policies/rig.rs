//! What the suites drive: a manager's books by paired calls, and a store that stands in for the blocks.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use mem_block::MemoryMode;
use mem_pool::raw::{self, RawError};
use mem_pool::{
    CancelToken, Dataset, EvictError, Eviction, Evictor, Ledger, LedgerOptions, Policy, PoolSizes,
    TaskId, Wait,
};
use mem_sync::Mutex;
use mem_sync::atomic::{AtomicU64, Ordering};

/// How the store evicts.
#[derive(Debug, Clone)]
pub(crate) enum Blocks {
    /// Exactly what it is asked for, where storage uses as much.
    Any,
    /// Not at all: it throws.
    Bad,
    /// Whole blocks of these sizes, oldest first, and none where all of them are not enough.
    Sizes(VecDeque<u64>),
}

/// Spark's `evictBlocksToFreeSpace`, recorded.
struct FakeStore {
    ledger: Weak<Ledger>,
    blocks: Mutex<Blocks>,
    /// What was asked for and not looked at yet.
    asked: Mutex<Option<u64>>,
    unrolling: AtomicU64,
}

impl Evictor for FakeStore {
    fn select(
        &self,
        need: u64,
        mode: MemoryMode,
        _spare: Option<Dataset>,
    ) -> Option<Box<dyn Eviction>> {
        let before = self.asked.lock().replace(need);
        assert_eq!(before, None, "nobody has looked at the eviction before");
        let used = self
            .ledger
            .upgrade()
            .unwrap()
            .snapshot()
            .of_mode(mode)
            .storage_used;
        let freed = match &mut *self.blocks.lock() {
            Blocks::Any => (need <= used).then_some(need),
            Blocks::Bad => return Some(Box::new(Throws)),
            Blocks::Sizes(blocks) if blocks.iter().sum::<u64>() >= need => {
                let mut freed = 0;
                while freed < need {
                    freed += blocks.pop_front().unwrap();
                }
                Some(freed)
            }
            Blocks::Sizes(_) => None,
        };
        freed.map(|freed| -> Box<dyn Eviction> { Box::new(Frees(freed)) })
    }

    fn unrolling(&self) -> u64 {
        self.unrolling.load(Ordering::Relaxed)
    }
}

struct Frees(u64);

impl Eviction for Frees {
    fn run(self: Box<Self>) -> Result<u64, EvictError> {
        Ok(self.0)
    }
}

struct Throws;

impl Eviction for Throws {
    fn run(self: Box<Self>) -> Result<u64, EvictError> {
        let source = "bad memory store".into();
        Err(EvictError { freed: 0, source })
    }
}

/// Books of one mode and the store beside them.
pub(crate) struct Rig {
    pub(crate) ledger: Arc<Ledger>,
    mode: MemoryMode,
    store: Arc<FakeStore>,
    /// The ledger does not keep it alive.
    _evictor: Arc<dyn Evictor>,
}

impl Rig {
    pub(crate) fn new(policy: impl Policy + 'static, mode: MemoryMode, sizes: PoolSizes) -> Self {
        let mut options = LedgerOptions {
            wait_timeout: None,
            detect_deadlock: false,
            ..LedgerOptions::default()
        };
        match mode {
            MemoryMode::OnHeap => options.on_heap = sizes,
            MemoryMode::OffHeap => options.off_heap = sizes,
        }
        let ledger = Ledger::new(options, Arc::new(policy));
        let store = Arc::new(FakeStore {
            ledger: Arc::downgrade(&ledger),
            blocks: Mutex::new(Blocks::Any),
            asked: Mutex::new(None),
            unrolling: AtomicU64::new(0),
        });
        let evictor: Arc<dyn Evictor> = Arc::clone(&store) as Arc<dyn Evictor>;
        assert!(ledger.set_evictor(Arc::downgrade(&evictor)));
        Self {
            ledger,
            mode,
            store,
            _evictor: evictor,
        }
    }

    pub(crate) fn keep(&self, blocks: Blocks) {
        *self.store.blocks.lock() = blocks;
    }

    /// What the store says is being unrolled.
    pub(crate) fn set_unrolling(&self, bytes: u64) {
        self.store.unrolling.store(bytes, Ordering::Relaxed);
    }

    /// What the store was asked to evict since this was last asked.
    fn evicted(&self) -> Option<u64> {
        self.store.asked.lock().take()
    }

    /// Asks for execution memory where a wait is an error; what is granted and evicted.
    pub(crate) fn try_execution(
        &self,
        task: i64,
        bytes: i64,
    ) -> Result<(u64, Option<u64>), RawError> {
        let token = CancelToken::new();
        token.cancel();
        let wait = Wait {
            cancel: Some(&token),
            deadline: None,
        };
        let task = TaskId::new(task);
        let granted = raw::acquire_execution_memory(&self.ledger, bytes, task, self.mode, &wait);
        let evicted = self.evicted();
        Ok((granted?, evicted))
    }

    /// The same where it is granted and nothing is evicted.
    #[track_caller]
    pub(crate) fn execution(&self, task: i64, bytes: i64, granted: u64) {
        assert_eq!(self.try_execution(task, bytes).unwrap(), (granted, None));
    }

    #[track_caller]
    pub(crate) fn execution_evicts(&self, task: i64, bytes: i64, granted: u64, evicted: u64) {
        assert_eq!(
            self.try_execution(task, bytes).unwrap(),
            (granted, Some(evicted))
        );
    }

    pub(crate) fn release_execution(&self, task: i64, bytes: u64) {
        raw::release_execution_memory(&self.ledger, bytes, TaskId::new(task), self.mode);
    }

    fn try_storage(&self, bytes: i64) -> (bool, Option<u64>) {
        let stored = raw::acquire_storage_memory(&self.ledger, None, bytes, self.mode);
        (stored.unwrap(), self.evicted())
    }

    #[track_caller]
    pub(crate) fn stores(&self, bytes: i64) {
        assert_eq!(self.try_storage(bytes), (true, None));
    }

    #[track_caller]
    pub(crate) fn stores_evicting(&self, bytes: i64, evicted: u64) {
        assert_eq!(self.try_storage(bytes), (true, Some(evicted)));
    }

    #[track_caller]
    pub(crate) fn does_not_store(&self, bytes: i64) {
        assert_eq!(self.try_storage(bytes), (false, None));
    }

    /// Whether the block may be unrolled, and what was evicted for it.
    pub(crate) fn unroll(&self, bytes: i64) -> (bool, Option<u64>) {
        let unrolled = raw::acquire_unroll_memory(&self.ledger, None, bytes, self.mode);
        (unrolled.unwrap(), self.evicted())
    }

    pub(crate) fn release_storage(&self, bytes: u64) {
        raw::release_storage_memory(&self.ledger, bytes, self.mode);
    }

    pub(crate) fn release_all_storage(&self) {
        raw::release_all_storage_memory(&self.ledger);
    }

    /// Execution memory used, storage memory used.
    pub(crate) fn used(&self) -> (u64, u64) {
        self.ledger.check();
        let snapshot = self.ledger.snapshot();
        let books = snapshot.of_mode(self.mode);
        (books.execution_used, books.storage_used)
    }

    /// Storage pool, execution pool.
    pub(crate) fn pools(&self) -> (u64, u64) {
        let snapshot = self.ledger.snapshot();
        let books = snapshot.of_mode(self.mode);
        (books.storage_pool, books.execution_pool)
    }
}
