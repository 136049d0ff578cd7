//! What the tests are made with: managers of known sizes, values of known costs, disks that fail.

use std::io::{self, BufRead, Read, Write};
use std::path::PathBuf;
use std::sync::Arc;

use mem_block::MemoryMode;
use mem_policy::config::{Collector, Environment, PolicyKind, SparkConf, resolve};
use mem_policy::{ManagerOptions, MemoryManager, memory_manager};
use mem_spill::testing::FaultyFiles;
use mem_spill::{Codec, SpillDirs, SpillOptions};
use mem_store::{
    BlockId, BlockManager, DiskCopy, DiskOptions, DropError, DropHandler, LeavingBlock,
    MemoryStore, StoreOptions, ValueFormat,
};
use mem_sync::Mutex;

pub(crate) const ON: MemoryMode = MemoryMode::OnHeap;
pub(crate) const OFF: MemoryMode = MemoryMode::OffHeap;

/// A unified manager with `memory` bytes on heap and 12000 off, and the settings of Spark's
/// `MemoryStoreSuite`.
pub(crate) fn manager(memory: u64) -> Arc<dyn MemoryManager> {
    manager_with(memory, &[], &ManagerOptions::default())
}

/// The same with more settings.
pub(crate) fn manager_with(
    memory: u64,
    settings: &[(&str, &str)],
    options: &ManagerOptions,
) -> Arc<dyn MemoryManager> {
    let memory = memory.to_string();
    let mut conf = vec![
        ("spark.testing", "true"),
        ("spark.testing.memory", memory.as_str()),
        ("spark.memory.fraction", "1.0"),
        ("spark.memory.offHeap.enabled", "true"),
        ("spark.memory.offHeap.size", "12000"),
        ("spark.storage.unrollMemoryThreshold", "512"),
    ];
    conf.extend(settings);
    let environment = Environment {
        cores: 1,
        is_driver: false,
        collector: Collector::Parallel,
        max_heap: 0,
    };
    let conf = SparkConf::from_iter(conf);
    let resolved = resolve(&conf, PolicyKind::Unified, &environment).expect("it resolves");
    memory_manager(resolved, options)
}

pub(crate) fn store(memory: u64) -> Arc<MemoryStore> {
    MemoryStore::new(manager(memory), StoreOptions::default()).expect("the manager's first store")
}

pub(crate) fn id(name: &str) -> BlockId {
    name.parse().expect("a test's blocks have names")
}

/// Bytes of storage memory in use, on heap.
pub(crate) fn used(store: &MemoryStore) -> u64 {
    let snapshot = store.manager().ledger().snapshot();
    snapshot.of_mode(ON).storage_used
}

/// Puts a block of `size` bytes, all of them `fill`.
pub(crate) fn put(store: &MemoryStore, name: &str, size: u64, fill: u8) -> bool {
    let put = store.put_bytes(&id(name), ON, size, |out| fill_with(out, size, fill));
    put.expect("nothing fails")
}

pub(crate) fn fill_with(out: &mut dyn Write, size: u64, fill: u8) -> io::Result<()> {
    io::copy(&mut io::repeat(fill).take(size), out).map(|_| ())
}

/// The ledger's storage memory is what the store says that it holds.
#[track_caller]
pub(crate) fn check_books(store: &MemoryStore, workspace: u64) {
    let ledger = store.manager().ledger();
    ledger.check();
    let (snapshot, stats) = (ledger.snapshot(), store.stats());
    let books = snapshot.on_heap.storage_used + snapshot.off_heap.storage_used;
    let held = stats.on_heap_bytes + stats.off_heap_bytes + stats.unroll_bytes;
    assert_eq!(books, held + workspace, "{stats:?}");
    assert_eq!(stats.overdrawn_bytes, 0);
}

/// Values that cost `cost` bytes each and take `cost` bytes: the value in eight, then padding.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sized(pub(crate) u64);

impl ValueFormat<u64> for Sized {
    fn cost(&self, _value: &u64) -> u64 {
        self.0
    }

    fn write(&self, value: &u64, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(&value.to_le_bytes())?;
        fill_with(out, self.0 - 8, 0)
    }

    fn read(&self, input: &mut dyn BufRead) -> io::Result<Option<u64>> {
        if input.fill_buf()?.is_empty() {
            return Ok(None);
        }
        let mut value = [0; 8];
        input.read_exact(&mut value)?;
        io::copy(&mut input.take(self.0 - 8), &mut io::sink())?;
        Ok(Some(u64::from_le_bytes(value)))
    }
}

pub(crate) fn sized(cost: u64) -> Arc<dyn ValueFormat<u64>> {
    Arc::new(Sized(cost))
}

/// Remembers which blocks were dropped, in order.
#[derive(Debug, Default)]
pub(crate) struct Dropped(pub(crate) Mutex<Vec<String>>);

impl Dropped {
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock())
    }
}

impl DropHandler for Dropped {
    fn drop_from_memory(&self, _block: &LeavingBlock<'_>) -> Result<Option<DiskCopy>, DropError> {
        Ok(None)
    }

    fn dropped(&self, block: &BlockId) {
        self.0.lock().push(block.to_string());
    }
}

/// A store that remembers which blocks it dropped.
pub(crate) fn watched(memory: u64) -> (Arc<MemoryStore>, Arc<Dropped>) {
    let dropped = Arc::new(Dropped::default());
    let options = StoreOptions {
        drop_handler: dropped.clone(),
        ..StoreOptions::default()
    };
    let store = MemoryStore::new(manager(memory), options).expect("the manager's first store");
    (store, dropped)
}

/// Room for one writer and one reader in small blocks, on files in memory.
pub(crate) fn disk_options(files: &FaultyFiles) -> DiskOptions {
    let directories = vec![PathBuf::from("one"), PathBuf::from("two")];
    DiskOptions {
        dirs: SpillDirs::with_provider(directories, files.clone()).expect("there are two"),
        spill: SpillOptions::new(Codec::None, 1024).expect("in range"),
        writers: 1,
        readers: 1,
        ..DiskOptions::default()
    }
}

/// The workspace of such a disk: a block to write in and a block to read with.
pub(crate) const WORKSPACE: u64 = 2048;

/// Blocks in `memory` bytes beside the workspace, and on files in memory.
pub(crate) fn blocks(memory: u64) -> (BlockManager, FaultyFiles) {
    let files = FaultyFiles::default();
    let manager = manager(memory + WORKSPACE);
    let blocks = BlockManager::new(manager, StoreOptions::default(), Some(disk_options(&files)));
    (blocks.expect("there is room for the workspace"), files)
}
