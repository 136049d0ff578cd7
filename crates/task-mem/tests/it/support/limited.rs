//! A manager with one counter for both modes: the stand-in of Spark's `TestMemoryManager`.

use std::collections::VecDeque;
use std::sync::Arc;

use mem_block::testing::FailingAllocator;
use mem_block::{AllocatorOptions, HeapAllocator, MemoryAllocator, MemoryMode, OffHeapAllocator};
use mem_policy::MemoryManager;
use mem_policy::config::ResolvedMemory;
use mem_pool::{
    Books, Cause, Decision, Ledger, LedgerOptions, Limit, Policy, PoolSizes, Probe, Request,
    Resize, Want,
};
use mem_sync::Mutex;

use super::{OFF, ON, sizes};

/// Grants what is left of a limit, to whoever asks.
#[derive(Debug)]
struct Limited(Mutex<Inner>);

/// How a request is answered.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Answer {
    /// With what is left of the limit.
    Limit,
    /// With a grant of 0 bytes.
    Nothing,
    /// It waits.
    Wait,
}

#[derive(Debug)]
struct Inner {
    limit: u64,
    answers: VecDeque<Answer>,
    /// Used on heap and off, as of the last request of the mode: a release is seen by the next.
    used: [u64; 2],
}

fn index(mode: MemoryMode) -> usize {
    usize::from(mode == OFF)
}

impl Policy for Limited {
    fn decide(&self, books: &Books, request: &Request) -> Decision {
        let mut inner = self.0.lock();
        if let Want::Storage | Want::Unroll { .. } = request.want {
            return Decision::Grant(request.bytes);
        }
        match inner.answers.pop_front() {
            None | Some(Answer::Limit) => {}
            Some(Answer::Nothing) => return Decision::Grant(0),
            Some(Answer::Wait) => return Decision::Wait,
        }
        let here = index(books.mode());
        inner.used[here] = books.execution().used();
        let free = inner.limit.saturating_sub(inner.used[0] + inner.used[1]);
        let grant = request.bytes.min(free);
        inner.used[here] += grant;
        Decision::Grant(grant)
    }

    fn reexamines(&self, _cause: Cause) -> bool {
        true
    }

    fn max_storage(&self, _books: &Books) -> u64 {
        0
    }

    fn resize(&self, _books: &Books, _total: u64) -> Resize {
        Resize {
            storage_region: 0,
            storage_pool: 0,
            storage_floor: 0,
            execution_floor: 0,
        }
    }

    fn remedy(&self, _mode: MemoryMode, _limit: Limit) -> &'static str {
        "limit"
    }
}

/// See above. Its allocators can be made to fail.
#[derive(Debug)]
pub(crate) struct LimitedManager {
    ledger: Arc<Ledger>,
    policy: Arc<Limited>,
    failing: [Arc<FailingAllocator>; 2],
    allocators: [Arc<dyn MemoryAllocator>; 2],
    resolved: ResolvedMemory,
}

impl LimitedManager {
    pub(crate) fn new(limit: u64) -> Arc<Self> {
        Self::with_probe(limit, None)
    }

    pub(crate) fn with_probe(limit: u64, probe: Option<Arc<dyn Probe>>) -> Arc<Self> {
        let inner = Inner {
            limit,
            answers: VecDeque::new(),
            used: [0; 2],
        };
        let policy = Arc::new(Limited(Mutex::new(inner)));
        let plenty = PoolSizes {
            execution: 1 << 40,
            ..PoolSizes::default()
        };
        let options = LedgerOptions {
            on_heap: plenty,
            off_heap: plenty,
            probe,
            ..LedgerOptions::default()
        };
        let memory = AllocatorOptions::limited(1 << 40);
        let failing = [
            FailingAllocator::new(HeapAllocator::new(memory)),
            FailingAllocator::new(OffHeapAllocator::new(memory)),
        ];
        let allocators = failing
            .clone()
            .map(|failing| failing as Arc<dyn MemoryAllocator>);
        Arc::new(Self {
            ledger: Ledger::new(options, Arc::clone(&policy) as Arc<dyn Policy>),
            policy,
            failing,
            allocators,
            resolved: sizes(1 << 40, 1 << 40, (1, 2)),
        })
    }

    pub(crate) fn as_manager(self: &Arc<Self>) -> Arc<dyn MemoryManager> {
        Arc::clone(self) as Arc<dyn MemoryManager>
    }

    /// How the next requests are answered.
    pub(crate) fn answer(&self, answers: impl IntoIterator<Item = Answer>) {
        self.policy.0.lock().answers.extend(answers);
    }

    pub(crate) fn set_limit(&self, limit: u64) {
        self.policy.0.lock().limit = limit;
    }

    /// The allocator of off-heap blocks.
    pub(crate) fn off_heap(&self) -> &FailingAllocator {
        &self.failing[index(OFF)]
    }

    /// The allocator of on-heap blocks.
    pub(crate) fn heap(&self) -> &FailingAllocator {
        &self.failing[index(ON)]
    }
}

impl MemoryManager for LimitedManager {
    fn ledger(&self) -> &Arc<Ledger> {
        &self.ledger
    }

    fn allocator(&self, mode: MemoryMode) -> &Arc<dyn MemoryAllocator> {
        &self.allocators[index(mode)]
    }

    fn tungsten_memory_mode(&self) -> MemoryMode {
        ON
    }

    fn page_size_bytes(&self) -> u64 {
        1024
    }

    fn resolved(&self) -> &ResolvedMemory {
        &self.resolved
    }
}
