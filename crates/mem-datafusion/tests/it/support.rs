//! What the tests are made with: runtimes of known sizes, consumers, and who drives them.

use std::sync::Arc;
use std::time::Duration;

use datafusion_execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation};
use mem_datafusion::{HearthMemoryPool, HearthRuntime, RuntimeOptions};
use mem_policy::{ManagerOptions, MemoryConfig, memory_manager};
use mem_sync::ManualClock;

pub(crate) const MIB: usize = 1 << 20;

/// All memory is `bytes`, half of it storage region; nothing takes any of it beforehand.
pub(crate) fn runtime(bytes: usize) -> HearthRuntime {
    runtime_with(bytes, ManagerOptions::default(), plain())
}

/// No disk for cached blocks, and waits that no test runs into.
pub(crate) fn plain() -> RuntimeOptions {
    RuntimeOptions {
        cache_on_disk: false,
        wait: Duration::from_secs(600),
        ..RuntimeOptions::default()
    }
}

pub(crate) fn runtime_with(
    bytes: usize,
    manager: ManagerOptions,
    options: RuntimeOptions,
) -> HearthRuntime {
    let config = MemoryConfig::new()
        .with("spark.memory.offHeap.enabled", true)
        .and_then(|config| config.with("spark.memory.offHeap.size", bytes))
        .unwrap();
    let manager = memory_manager(config.resolve(2).unwrap(), &manager);
    HearthRuntime::new(manager, options).unwrap()
}

/// The same on a clock that stands still.
pub(crate) fn runtime_on_a_clock(bytes: usize) -> (HearthRuntime, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new());
    let manager = ManagerOptions {
        clock: Arc::<ManualClock>::clone(&clock),
        ..ManagerOptions::default()
    };
    (runtime_with(bytes, manager, plain()), clock)
}

/// Waits until some worker waits on the clock; from outside of the runtime's workers.
pub(crate) fn until_parked(clock: &ManualClock) {
    while clock.parked() == 0 {
        std::thread::yield_now();
    }
}

/// A consumer that can spill, of any pool.
pub(crate) fn spiller(pool: &Arc<dyn MemoryPool>, name: &str) -> MemoryReservation {
    MemoryConsumer::new(name)
        .with_can_spill(true)
        .register(pool)
}

/// A consumer that can't.
pub(crate) fn holder(pool: &Arc<dyn MemoryPool>, name: &str) -> MemoryReservation {
    MemoryConsumer::new(name).register(pool)
}

/// A new task of a runtime, as DataFusion sees it and as itself.
pub(crate) fn task(runtime: &HearthRuntime) -> (Arc<dyn MemoryPool>, Arc<HearthMemoryPool>) {
    let pool = runtime.task();
    (Arc::<HearthMemoryPool>::clone(&pool), pool)
}

/// Grows in steps until it is refused; returns how much it then holds.
pub(crate) fn fill(reservation: &MemoryReservation, step: usize) -> usize {
    while reservation.try_grow(step).is_ok() {}
    reservation.size()
}

/// Nothing is held by anybody, and the books agree.
#[track_caller]
pub(crate) fn check_empty(runtime: &HearthRuntime) {
    runtime.manager().ledger().check();
    let stats = runtime.stats();
    let left = (
        stats.execution,
        stats.overdraft,
        stats.on_disk,
        stats.waiting,
    );
    assert_eq!(left, (0, 0, 0, 0), "{stats:?}");
}

/// A tokio runtime with two workers.
pub(crate) fn two_workers() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap()
}

/// Until somebody waits for memory.
pub(crate) async fn until_somebody_waits(runtime: &HearthRuntime) {
    while runtime.stats().waiting == 0 {
        tokio::task::yield_now().await;
    }
}
