//! The managers and pools that are compared.

use std::num::NonZeroUsize;
use std::sync::Arc;

use datafusion_execution::memory_pool::{
    GreedyMemoryPool, MemoryConsumer, MemoryPool, MemoryReservation, TrackConsumersPool,
};
use mem_block::MemoryMode;
use mem_policy::{ManagerOptions, MemoryConfig, MemoryManager, memory_manager};
use task_mem::{ConsumerOptions, TaskId, TaskMemoryManager};

/// Bytes that each side may grant.
pub(super) const TOTAL: u64 = 8 << 30;

/// The mode whose memory is counted.
pub(super) const MODE: MemoryMode = MemoryMode::OffHeap;

/// A manager as a configuration file would make it, with `TOTAL` bytes off heap.
pub(super) fn manager() -> Arc<dyn MemoryManager> {
    let config = MemoryConfig::new()
        .with("spark.memory.offHeap.enabled", true)
        .and_then(|config| config.with("spark.memory.offHeap.size", TOTAL))
        .expect("these are keys of Spark's");
    let resolved = config.resolve(1).expect("8 GiB are enough");
    memory_manager(resolved, &ManagerOptions::of(&config))
}

pub(super) fn task(manager: &Arc<dyn MemoryManager>, id: i64) -> Arc<TaskMemoryManager> {
    TaskMemoryManager::new(Arc::clone(manager), TaskId::new(id))
}

pub(super) fn consumer(task: &Arc<TaskMemoryManager>) -> task_mem::MemoryConsumer {
    task.register(ConsumerOptions {
        mode: Some(MODE),
        ..ConsumerOptions::named("consumer")
    })
}

pub(super) fn greedy() -> Arc<dyn MemoryPool> {
    Arc::new(GreedyMemoryPool::new(total()))
}

/// The pool that keeps books by consumer, and says in a refusal who has the most.
pub(super) fn tracked() -> Arc<dyn MemoryPool> {
    let top = NonZeroUsize::new(5).expect("5 is not 0");
    Arc::new(TrackConsumersPool::new(GreedyMemoryPool::new(total()), top))
}

pub(super) fn reservation(pool: &Arc<dyn MemoryPool>) -> MemoryReservation {
    MemoryConsumer::new("consumer").register(pool)
}

fn total() -> usize {
    usize::try_from(TOTAL).expect("64-bit machines are measured")
}
