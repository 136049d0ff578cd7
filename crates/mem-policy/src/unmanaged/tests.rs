//! Spark's scenarios U11 to U15, and what the registry and the poller do beyond them.

use std::sync::Arc;
use std::time::Duration;

use mem_block::MemoryMode::{self, OffHeap, OnHeap};
use mem_pool::{Ask, Reservation, TaskId};
use mem_sync::atomic::{AtomicI64, Ordering};
use mem_sync::{ManualClock, thread};

use super::{
    UnmanagedMemoryConsumer, UnmanagedMemoryConsumerId, UnmanagedPoller, UnmanagedRegistry,
    UnmanagedTotals, UsageError,
};
use crate::config::{Collector, Environment, PolicyKind, SparkConf, resolve};
use crate::manager::{ManagerOptions, MemoryManager, memory_manager};

/// What a consumer answers instead of a number where it is to fail.
const FAILS: i64 = i64::MIN;

#[derive(Debug)]
struct Fake {
    id: UnmanagedMemoryConsumerId,
    mode: MemoryMode,
    bytes: AtomicI64,
}

impl Fake {
    fn new(key: &str, mode: MemoryMode, bytes: i64) -> Arc<Self> {
        Arc::new(Self {
            id: UnmanagedMemoryConsumerId::new("fake", key),
            mode,
            bytes: AtomicI64::new(bytes),
        })
    }

    fn set(&self, bytes: i64) {
        self.bytes.store(bytes, Ordering::Relaxed);
    }
}

impl UnmanagedMemoryConsumer for Fake {
    fn id(&self) -> UnmanagedMemoryConsumerId {
        self.id.clone()
    }

    fn memory_mode(&self) -> MemoryMode {
        self.mode
    }

    fn mem_bytes_used(&self) -> Result<i64, UsageError> {
        match self.bytes.load(Ordering::Relaxed) {
            FAILS => Err("asked too often".into()),
            bytes => Ok(bytes),
        }
    }
}

fn manager_with(interval: &str, options: &ManagerOptions) -> Arc<dyn MemoryManager> {
    let conf = SparkConf::from_iter([
        ("spark.testing", "true"),
        ("spark.testing.memory", "1000"),
        ("spark.memory.fraction", "1.0"),
        ("spark.memory.offHeap.enabled", "true"),
        ("spark.memory.offHeap.size", "1500"),
        ("spark.memory.unmanagedMemoryPollingInterval", interval),
    ]);
    let environment = Environment {
        cores: 1,
        is_driver: false,
        collector: Collector::Parallel,
        max_heap: 1000,
    };
    let resolved = resolve(&conf, PolicyKind::Unified, &environment).expect("it resolves");
    memory_manager(resolved, options)
}

/// A manager that polls every 100 ms, and the registry that is polled.
struct Scene {
    manager: Arc<dyn MemoryManager>,
    registry: Arc<UnmanagedRegistry>,
}

impl Scene {
    fn new() -> Self {
        Self {
            manager: manager_with("100ms", &ManagerOptions::default()),
            registry: UnmanagedRegistry::new(),
        }
    }

    fn set(&self, key: &str, mode: MemoryMode, bytes: i64) -> UnmanagedTotals {
        self.registry.register(Fake::new(key, mode, bytes));
        self.registry.poll_once(self.manager.ledger())
    }

    fn execution(&self, mode: MemoryMode, bytes: u64) -> Reservation {
        let ask = Ask::execution(TaskId::new(0), mode, bytes);
        let granted = self.manager.ledger().try_acquire(ask);
        granted.expect("a task at its minimum is granted what there is")
    }

    fn storage(&self, mode: MemoryMode, bytes: u64) -> bool {
        let ask = Ask::storage(mode, bytes, None);
        self.manager.ledger().try_acquire(ask).is_ok()
    }
}

#[test]
fn u11_unmanaged_memory_narrows_both_pools_of_its_mode() {
    let scene = Scene::new();
    scene.set("off", OffHeap, 200);
    assert_eq!(scene.execution(OnHeap, 1000).bytes(), 1000);
    scene.set("on", OnHeap, 200);
    assert_eq!(scene.execution(OnHeap, 900).bytes(), 800);
    scene.set("on", OnHeap, 300);
    assert!(!scene.storage(OnHeap, 800));
    assert!(scene.storage(OnHeap, 600));
}

#[test]
fn u12_registering_and_unregistering() {
    let registry = UnmanagedRegistry::new();
    let (one, two) = (Fake::new("1", OnHeap, 100), Fake::new("2", OnHeap, 200));
    registry.register(one.clone());
    registry.register(two.clone());
    assert_eq!(registry.used_by_type("fake"), 300);
    assert_eq!(registry.instance_keys("fake"), ["1", "2"]);
    assert!(registry.unregister(&one.id));
    assert!(!registry.unregister(&one.id));
    assert_eq!(registry.used_by_type("fake"), 200);
    assert!(registry.unregister(&two.id));
    assert_eq!(registry.used_by_type("fake"), 0);
    assert_eq!(registry.instance_keys("fake"), [""; 0]);
}

#[test]
fn u13_minus_one_removes() {
    let registry = UnmanagedRegistry::new();
    let (one, two) = (Fake::new("1", OnHeap, 100), Fake::new("2", OffHeap, 200));
    registry.register(one.clone());
    registry.register(two.clone());
    assert_eq!(registry.used_by_type("fake"), 300);
    one.set(-1);
    assert_eq!(registry.used_by_type("fake"), 199, "before the next poll");
    let totals = UnmanagedTotals {
        on_heap: 0,
        off_heap: 200,
    };
    assert_eq!(registry.poll(), totals);
    assert_eq!(registry.used_by_type("fake"), 200);
    one.set(100);
    assert_eq!(registry.poll(), totals, "gone for good");
    two.set(-1);
    assert_eq!(registry.poll(), UnmanagedTotals::default());
    assert_eq!(registry.used_by_type("fake"), 0);
}

#[test]
fn u14_without_an_interval_nothing_counts() {
    let manager = manager_with("0", &ManagerOptions::default());
    let registry = UnmanagedRegistry::new();
    registry.register(Fake::new("on", OnHeap, 500));
    let poller = UnmanagedPoller::start(registry, &*manager).expect("no thread is needed");
    assert!(poller.is_none());
    let ask = Ask::execution(TaskId::new(0), OnHeap, 1000);
    assert_eq!(manager.ledger().try_acquire(ask).unwrap().bytes(), 1000);
}

#[test]
fn u15_each_mode_by_itself() {
    let scene = Scene::new();
    scene.set("off", OffHeap, 300);
    assert_eq!(scene.execution(OffHeap, 1400).bytes(), 1200);
    scene.set("off", OffHeap, 500);
    assert!(!scene.storage(OffHeap, 1100));
    assert!(scene.storage(OffHeap, 900));
    assert_eq!(scene.execution(OnHeap, 600).bytes(), 600);
    let totals = scene.set("off", OffHeap, 200);
    assert_eq!((totals.on_heap, totals.off_heap), (0, 200));
    assert_eq!(scene.execution(OnHeap, 400).bytes(), 400);
    assert_eq!(scene.execution(OffHeap, 1300).bytes(), 1300);
}

#[test]
fn whoever_cannot_say_or_says_nonsense_counts_nothing_and_stays() {
    let registry = UnmanagedRegistry::new();
    let fake = Fake::new("1", OnHeap, FAILS);
    registry.register(fake.clone());
    assert_eq!(registry.poll().on_heap, 0);
    fake.set(-7);
    assert_eq!(registry.poll().on_heap, 0);
    fake.set(i64::MAX);
    registry.register(Fake::new("2", OnHeap, i64::MAX));
    registry.register(Fake::new("3", OnHeap, i64::MAX));
    assert_eq!(registry.poll().on_heap, u64::MAX, "it does not wrap");
}

#[test]
fn clearing_resets_the_books_at_once() {
    let scene = Scene::new();
    scene.registry.attach(scene.manager.ledger());
    scene.set("on", OnHeap, 300);
    assert_eq!(scene.manager.ledger().snapshot().on_heap.unmanaged, 300);
    scene.registry.clear();
    assert_eq!(scene.registry.totals(), UnmanagedTotals::default());
    assert_eq!(scene.manager.ledger().snapshot().on_heap.unmanaged, 0);
}

#[test]
fn the_poller_polls_at_once_and_then_at_its_interval() {
    let clock = Arc::new(ManualClock::new());
    let options = ManagerOptions {
        clock: clock.clone(),
        ..ManagerOptions::default()
    };
    let manager = manager_with("100ms", &options);
    let registry = UnmanagedRegistry::new();
    let fake = Fake::new("on", OnHeap, 100);
    registry.register(fake.clone());
    let poller = UnmanagedPoller::start(registry, &*manager).unwrap();
    let poller = poller.expect("the interval is above 0");
    let rested = |polls: u64| {
        while poller.polls() < polls || clock.parked() == 0 {
            thread::yield_now();
        }
        (
            poller.polls(),
            manager.ledger().snapshot().on_heap.unmanaged,
        )
    };
    assert_eq!(rested(1), (1, 100));
    fake.set(250);
    clock.advance(Duration::from_millis(99));
    assert_eq!(rested(1), (1, 100), "not yet");
    clock.advance(Duration::from_millis(1));
    assert_eq!(rested(2), (2, 250));
    drop(poller);
    clock.advance(Duration::from_secs(9));
    assert_eq!(manager.ledger().snapshot().on_heap.unmanaged, 250);
}
