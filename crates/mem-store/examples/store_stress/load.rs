//! Threads that put, get, pin and remove blocks, and check what they get.

use std::sync::{Arc, Barrier};

use mem_block::MemoryMode;
use mem_policy::config::{Collector, Environment, PolicyKind, SparkConf, resolve};
use mem_policy::{ManagerOptions, MemoryManager, memory_manager};
use mem_pool::Dataset;
use mem_store::{
    BlockBytes, BlockId, BlockManager, BytesPut, DiskOptions, MemoryStore, StorageLevel,
    StoreOptions, TaskContext,
};
use mem_sync::atomic::{AtomicBool, AtomicU64, Ordering};
use mem_sync::thread;

/// How much of it.
#[derive(Debug)]
pub(crate) struct Load {
    pub(crate) threads: u64,
    pub(crate) blocks: u64,
    /// The largest block; others have down to half of it.
    pub(crate) block_bytes: u64,
    /// Bytes on heap, the workspace for the disk included, and as many off heap.
    pub(crate) memory: u64,
    /// What each thread does between two pauses.
    pub(crate) steps: u64,
}

/// What was done.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) rounds: u64,
    pub(crate) puts: AtomicU64,
    pub(crate) gets: AtomicU64,
    /// Gets that found the block in memory, or brought it back.
    pub(crate) from_memory: AtomicU64,
    pub(crate) removals: AtomicU64,
    pub(crate) bytes_to_disk: u64,
    pub(crate) files_at_most: u64,
}

/// A unified manager with `on_heap` bytes, and as many off heap.
pub(crate) fn manager(on_heap: u64) -> Arc<dyn MemoryManager> {
    let bytes = on_heap.to_string();
    let conf = SparkConf::from_iter([
        ("spark.testing.memory", bytes.as_str()),
        ("spark.testing.reservedMemory", "0"),
        ("spark.memory.fraction", "1.0"),
        ("spark.memory.offHeap.enabled", "true"),
        ("spark.memory.offHeap.size", bytes.as_str()),
    ]);
    let environment = Environment {
        cores: 1,
        is_driver: false,
        collector: Collector::Parallel,
        max_heap: 0,
    };
    let resolved = resolve(&conf, PolicyKind::Unified, &environment).expect("it resolves");
    memory_manager(resolved, &ManagerOptions::default())
}

/// SplitMix64.
#[derive(Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

fn block(number: u64) -> BlockId {
    let dataset = i64::try_from(number % 7).expect("small");
    BlockId::rdd(Dataset::new(dataset), number)
}

impl Load {
    /// What a block consists of: always the same, and different from all others.
    fn contents(&self, number: u64) -> Vec<u8> {
        let mut random = Random(number);
        let size = self.block_bytes - number % (self.block_bytes / 2);
        let words = (0..size.div_ceil(8)).flat_map(|_| random.next().to_le_bytes());
        words.take(usize::try_from(size).expect("small")).collect()
    }

    /// Runs rounds as long as `goes_on` says, which is asked at each pause.
    pub(crate) fn run(&self, disk: DiskOptions, goes_on: &(dyn Fn(u64) -> bool + Sync)) -> Report {
        let manager = manager(self.memory);
        let blocks = BlockManager::new(manager.clone(), StoreOptions::default(), Some(disk));
        let blocks = blocks.expect("there is room for the workspace");
        let mut report = Report::default();
        let pause = Barrier::new(usize::try_from(self.threads).expect("few"));
        let (is_over, rounds, files) =
            (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
        let work = |number| {
            let mut random = Random(number);
            while !is_over.load(Ordering::Acquire) {
                self.round(&blocks, &mut random, &report);
                if pause.wait().is_leader() {
                    check_books(&blocks);
                    let stats = blocks.disk_store().expect("it was given one").stats();
                    files.fetch_max(stats.files_alive, Ordering::Relaxed);
                    let round = rounds.fetch_add(1, Ordering::Relaxed);
                    is_over.store(!goes_on(round), Ordering::Release);
                }
                pause.wait();
            }
        };
        thread::scope(|scope| {
            for number in 0..self.threads {
                scope.spawn(move || work(number));
            }
        });
        let stats = blocks.disk_store().expect("it was given one").stats();
        self.leave_nothing(blocks, &*manager);
        report.rounds = rounds.into_inner();
        report.bytes_to_disk = stats.bytes_written;
        report.files_at_most = files.into_inner();
        report
    }

    fn round(&self, blocks: &BlockManager, random: &mut Random, report: &Report) {
        let mut held = Vec::new();
        for _ in 0..self.steps {
            self.step(blocks, random, &mut held, report);
            if held.len() > 6 {
                let (number, bytes) = held.swap_remove(0);
                self.check(number, &bytes);
            }
        }
    }

    fn step(
        &self,
        blocks: &BlockManager,
        random: &mut Random,
        held: &mut Vec<(u64, BlockBytes)>,
        report: &Report,
    ) {
        let number = random.below(self.blocks);
        let (id, context) = (block(number), TaskContext::default());
        match random.below(10) {
            0..4 => {
                let bytes = self.contents(number);
                let size = u64::try_from(bytes.len()).expect("small");
                let level = match number % 3 {
                    0 => StorageLevel::OFF_HEAP,
                    _ => StorageLevel::MEMORY_AND_DISK_SER,
                };
                let put = blocks.put_bytes(&id, level, context, size, |out| out.write_all(&bytes));
                assert!(!matches!(put.expect("nothing fails"), BytesPut::NotStored));
                report.puts.fetch_add(1, Ordering::Relaxed);
            }
            4..8 => {
                if let Some(found) = blocks.get_bytes(&id, context).expect("nothing fails") {
                    self.check(number, &found);
                    report.gets.fetch_add(1, Ordering::Relaxed);
                    let in_memory = u64::from(found.is_in_memory());
                    report.from_memory.fetch_add(in_memory, Ordering::Relaxed);
                    if random.below(8) == 0 {
                        held.push((number, found));
                    }
                }
            }
            8 => {
                let removed = blocks.remove(&id).expect("nothing fails");
                report
                    .removals
                    .fetch_add(u64::from(removed), Ordering::Relaxed);
            }
            _ => {
                let pin = blocks.pin(&id, None).expect("nothing fails");
                thread::yield_now();
                drop(pin);
            }
        }
    }

    fn check(&self, number: u64, found: &BlockBytes) {
        let found = found.to_vec().expect("nothing fails");
        assert!(
            found == self.contents(number),
            "block {number} has other bytes"
        );
    }

    fn leave_nothing(&self, blocks: BlockManager, manager: &dyn MemoryManager) {
        for number in 0..self.blocks {
            blocks.remove(&block(number)).expect("nothing fails");
        }
        check_books(&blocks);
        assert!(blocks.infos().is_empty());
        let disk = blocks.disk_store().expect("it was given one").clone();
        drop(blocks);
        let files = disk.stats().files_alive;
        assert!(
            files <= 2,
            "only those that can still be written to: {files}"
        );
        drop(disk);
        for mode in [MemoryMode::OnHeap, MemoryMode::OffHeap] {
            assert_eq!(manager.ledger().snapshot().of_mode(mode).storage_used, 0);
            assert_eq!(manager.allocator(mode).live_bytes(), 0);
        }
    }
}

/// The ledger's storage memory is what the blocks and the workspace hold.
fn check_books(blocks: &BlockManager) {
    let store: &MemoryStore = blocks.memory_store();
    let ledger = store.manager().ledger();
    ledger.check();
    let (snapshot, stats) = (ledger.snapshot(), store.stats());
    let workspace = blocks
        .disk_store()
        .expect("it was given one")
        .workspace_bytes();
    assert_eq!(
        snapshot.on_heap.storage_used,
        stats.on_heap_bytes + workspace
    );
    assert_eq!(snapshot.off_heap.storage_used, stats.off_heap_bytes);
    assert_eq!((stats.unroll_bytes, stats.overdrawn_bytes), (0, 0));
}
