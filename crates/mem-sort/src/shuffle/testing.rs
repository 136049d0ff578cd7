//! What the unit tests of the shuffle share.

use std::sync::Arc;

use mem_block::MemoryMode;
use mem_policy::{ManagerOptions, MemoryConfig, MemoryManager, memory_manager};
use task_mem::{ConsumerOptions, MemoryConsumer, TaskId, TaskMemoryManager};

/// A task that has a manager to itself, with as much memory on heap as off it.
pub(crate) struct Task(Arc<TaskMemoryManager>);

impl Task {
    pub(crate) fn new(memory: &str) -> Self {
        let config = MemoryConfig::new()
            .with("spark.memory.offHeap.enabled", true)
            .and_then(|config| config.with("spark.memory.offHeap.size", memory))
            .and_then(|config| config.with("spark.buffer.pageSize", "64"))
            .unwrap();
        let resolved = config.resolve_in(&config.environment(1)).unwrap();
        let manager: Arc<dyn MemoryManager> = memory_manager(resolved, &ManagerOptions::default());
        Self(TaskMemoryManager::new(manager, TaskId::new(1)))
    }

    pub(crate) fn consumer(&self) -> MemoryConsumer {
        self.consumer_in(MemoryMode::OffHeap)
    }

    pub(crate) fn consumer_in(&self, mode: MemoryMode) -> MemoryConsumer {
        self.0.register(ConsumerOptions {
            mode: Some(mode),
            ..ConsumerOptions::named("test")
        })
    }
}

/// SplitMix64.
pub(crate) fn random(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed;
    move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
