//! Managers and consumers for the tests.

mod consumers;
mod limited;
mod nested;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use mem_block::MemoryMode;
use mem_policy::config::{ResolvedMemory, ResolvedMode};
use mem_policy::{
    ManagerOptions, MemoryConfig, MemoryManager, StaticMemoryManager, UnifiedMemoryManager,
};
use mem_pool::{Event, Probe};
use mem_sync::Mutex;
use task_mem::{TaskId, TaskMemoryManager};

pub(crate) use consumers::{Kind, TestConsumer};
pub(crate) use limited::{Answer, LimitedManager};
pub(crate) use nested::Nested;

pub(crate) const ON: MemoryMode = MemoryMode::OnHeap;
pub(crate) const OFF: MemoryMode = MemoryMode::OffHeap;

/// Sizes as they would come out of a configuration, without one: its minimum is too large for the
/// small numbers of the scenarios.
pub(crate) fn sizes(on_heap: i64, off_heap: i64, storage_share: (i64, i64)) -> ResolvedMemory {
    let defaults = MemoryConfig::new()
        .resolve(1)
        .expect("the defaults resolve");
    let mode = |max: i64| {
        let storage = max * storage_share.0 / storage_share.1;
        ResolvedMode {
            max,
            storage_region: storage,
            storage_start: storage,
            execution_start: max - storage,
        }
    };
    ResolvedMemory {
        on_heap: mode(on_heap),
        off_heap: mode(off_heap),
        page_size: 1024,
        ..defaults
    }
}

/// Spark's waits have no deadline, and nobody looks for deadlocks: so here.
pub(crate) fn patient() -> ManagerOptions {
    ManagerOptions {
        wait_timeout: None,
        detect_deadlock: false,
        ..ManagerOptions::default()
    }
}

/// A unified manager; half is storage, which execution may borrow while nothing is stored.
pub(crate) fn unified(on_heap: i64, off_heap: i64) -> Arc<dyn MemoryManager> {
    UnifiedMemoryManager::new(sizes(on_heap, off_heap, (1, 2)), &patient())
}

/// A static manager without storage.
pub(crate) fn fixed(on_heap: i64, off_heap: i64) -> Arc<dyn MemoryManager> {
    StaticMemoryManager::new(sizes(on_heap, off_heap, (0, 1)), &patient())
}

pub(crate) fn task(manager: &Arc<dyn MemoryManager>, id: i64) -> Arc<TaskMemoryManager> {
    TaskMemoryManager::new(Arc::clone(manager), TaskId::new(id))
}

/// A future that the test polls by hand.
pub(crate) struct Polled<'a, T>(Pin<Box<dyn Future<Output = T> + 'a>>);

impl<'a, T> Polled<'a, T> {
    pub(crate) fn new(future: impl Future<Output = T> + 'a) -> Self {
        Self(Box::pin(future))
    }

    /// What it has come to, if it has.
    pub(crate) fn poll(&mut self) -> Option<T> {
        match self
            .0
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
        {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        }
    }
}

/// Keeps the events of the layers above the ledger.
#[derive(Debug, Default)]
pub(crate) struct Recorder(Mutex<Vec<Event>>);

impl Recorder {
    pub(crate) fn take(&self) -> Vec<Event> {
        std::mem::take(&mut self.0.lock())
    }
}

impl Probe for Recorder {
    fn record(&self, _sequence: Option<u64>, event: &Event) {
        if matches!(
            event,
            Event::Spill { .. } | Event::Page { .. } | Event::Leak { .. }
        ) {
            self.0.lock().push(*event);
        }
    }
}

/// SplitMix64: random numbers that are the same in every run.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}
