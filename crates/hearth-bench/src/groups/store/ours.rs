//! Hearth's memory store as a cache of numbered blocks.

use std::sync::Arc;

use mem_block::MemoryMode;
use mem_policy::config::{Collector, Environment, PolicyKind, SparkConf, resolve};
use mem_policy::{ManagerOptions, memory_manager};
use mem_pool::Dataset;
use mem_store::{BlockId, MemoryStore, ReadGuard, StoreOptions};

use super::{Cache, SIZE, sum};

pub(super) struct Ours {
    store: Arc<MemoryStore>,
    /// Of which new blocks are; none for blocks of no dataset.
    dataset: Option<i64>,
}

impl Ours {
    /// A store under the unified manager with on-heap memory for so many blocks.
    pub(super) fn new(blocks: u64) -> Self {
        let memory = (blocks * u64::try_from(SIZE).expect("1 KiB")).to_string();
        let conf = SparkConf::from_iter([
            ("spark.testing.memory", memory.as_str()),
            ("spark.testing.reservedMemory", "0"),
            ("spark.memory.fraction", "1.0"),
        ]);
        let environment = Environment {
            cores: 2,
            is_driver: false,
            collector: Collector::Parallel,
            max_heap: 0,
        };
        let resolved = resolve(&conf, PolicyKind::Unified, &environment).expect("it resolves");
        let manager = memory_manager(resolved, &ManagerOptions::default());
        let store = MemoryStore::new(manager, StoreOptions::default());
        Self {
            store: store.expect("the manager's first store"),
            dataset: None,
        }
    }

    /// With every block of dataset 0.
    pub(super) fn of_one_dataset(self) -> Self {
        Self {
            dataset: Some(0),
            ..self
        }
    }

    /// New blocks are of another dataset than all before.
    pub(super) fn turn_to_next_dataset(&mut self) {
        self.dataset = Some(self.dataset.map_or(0, |dataset| dataset + 1));
    }

    /// Keeps blocks from being evicted.
    pub(super) fn pin(&self, blocks: impl Iterator<Item = u64>) -> Vec<ReadGuard> {
        let infos = self.store.infos();
        let pin = |block| infos.try_lock_for_reading(&self.id(block), None);
        blocks
            .map(|block| pin(block).expect("it is there"))
            .collect()
    }

    fn id(&self, block: u64) -> BlockId {
        match self.dataset {
            Some(dataset) => BlockId::rdd(Dataset::new(dataset), block),
            None => BlockId::broadcast(block),
        }
    }
}

impl Cache for Ours {
    const NAME: &'static str = "mem-store";

    fn get(&self, block: u64) -> Option<usize> {
        let bytes = self.store.get_bytes(&self.id(block)).expect("bytes")?;
        usize::try_from(bytes.len()).ok()
    }

    fn read(&self, block: u64) -> Option<u64> {
        let bytes = self.store.get_bytes(&self.id(block)).expect("bytes")?;
        Some(bytes.chunks().map(sum).fold(0, u64::wrapping_add))
    }

    fn put(&self, block: u64, bytes: &[u8; SIZE]) {
        use std::io::Write;
        let size = u64::try_from(SIZE).expect("1 KiB");
        let put = self
            .store
            .put_bytes(&self.id(block), MemoryMode::OnHeap, size, |out| {
                out.write_all(bytes)
            });
        assert!(put.expect("nothing fails"), "others can be evicted");
    }
}
