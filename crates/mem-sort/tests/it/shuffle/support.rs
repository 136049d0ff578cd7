//! What the tests of the shuffle share.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use mem_policy::{ManagerOptions, MemoryConfig, MemoryManager, memory_manager};
use mem_sort::{ShuffleExternalSorter, ShuffleOptions, ShuffleReader, ShuffleWriter};
use mem_spill::testing::FaultyFiles;
use mem_spill::{Codec, SpillDirs, SpillOptions};
use task_mem::{ConsumerOptions, TaskId, TaskMemoryManager, Wait};
use tempfile::TempDir;

use crate::support::memory_dirs;

pub(crate) const CODECS: [Codec; 3] = [Codec::None, Codec::Lz4, Codec::Zstd { level: 1 }];

/// Bytes that a sorter takes beside the first array, to be able to spill.
pub(crate) fn spill_memory(options: &ShuffleOptions) -> u64 {
    let spill = options.spill;
    let bookkeeping = 4 << 10;
    let table = 1 << 10;
    (spill.write_buffer_bytes() + spill.write_context_bytes() + bookkeeping + table) as u64
}

/// One task with memory of its own, spill files in memory, and a directory for the output.
pub(crate) struct Bench {
    pub(crate) manager: Arc<dyn MemoryManager>,
    pub(crate) task: Arc<TaskMemoryManager>,
    pub(crate) files: FaultyFiles,
    pub(crate) dirs: SpillDirs,
    directory: TempDir,
}

impl Bench {
    pub(crate) fn new(memory: u64, page: u64) -> Self {
        let config = MemoryConfig::new()
            .with("spark.memory.offHeap.enabled", true)
            .and_then(|config| config.with("spark.memory.offHeap.size", memory))
            .and_then(|config| config.with("spark.buffer.pageSize", page))
            .unwrap();
        let resolved = config.resolve_in(&config.environment(1)).unwrap();
        let manager: Arc<dyn MemoryManager> = memory_manager(resolved, &ManagerOptions::default());
        let files = FaultyFiles::default();
        Self {
            task: TaskMemoryManager::new(Arc::clone(&manager), TaskId::new(1)),
            manager,
            dirs: memory_dirs(&files),
            files,
            directory: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn writer(&self, options: ShuffleOptions) -> ShuffleWriter {
        let dirs = self.dirs.clone();
        let (directory, wait) = (self.directory.path(), Wait::default());
        ShuffleWriter::create(directory, &self.task, dirs, options, &wait).unwrap()
    }

    pub(crate) fn sorter(&self, options: ShuffleOptions) -> ShuffleExternalSorter {
        let (dirs, wait) = (self.dirs.clone(), Wait::default());
        ShuffleExternalSorter::new(&self.task, dirs, options, &wait).unwrap()
    }

    /// All partitions of the output.
    pub(crate) fn partitions(&self) -> Vec<Vec<u8>> {
        let reader = ShuffleReader::open(self.directory()).unwrap();
        let consumer = self.task.register(ConsumerOptions::named("test"));
        let read = |partition| {
            let mut bytes = Vec::new();
            let mut reader = reader
                .partition(partition, &consumer, &Wait::default())
                .unwrap();
            reader.read_to_end(&mut bytes).unwrap();
            assert_eq!(bytes.len() as u64, reader.record_bytes());
            bytes
        };
        (0..reader.partitions()).map(read).collect()
    }

    /// The names in the output's directory.
    pub(crate) fn listed(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.directory()).unwrap();
        let name = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name();
        let mut names: Vec<_> = entries
            .map(|entry| name(entry).into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// The task holds nothing any more, nor does anybody else; no spill file is left.
    pub(crate) fn check_nothing_left(&self) {
        assert_eq!(self.task.memory_consumption(), 0);
        let snapshot = self.manager.ledger().snapshot();
        assert_eq!(snapshot.on_heap.execution_used, 0);
        assert_eq!(snapshot.off_heap.execution_used, 0);
        self.manager.ledger().check();
        assert_eq!((self.files.alive(), self.dirs.stats().files_alive), (0, 0));
    }
}

/// Options for tests: small blocks.
pub(crate) fn options(partitions: u32) -> ShuffleOptions {
    with_codec(partitions, Codec::Lz4)
}

pub(crate) fn with_codec(partitions: u32, codec: Codec) -> ShuffleOptions {
    ShuffleOptions {
        spill: SpillOptions::new(codec, 1 << 10).unwrap(),
        ..ShuffleOptions::new(partitions)
    }
}

/// SplitMix64.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// Bytes of which few kinds occur, or many.
    pub(crate) fn bytes(&mut self, length: u64) -> Vec<u8> {
        let kinds = [2, 16, 256][usize::try_from(self.below(3)).unwrap()];
        (0..length)
            .map(|_| u8::try_from(self.below(kinds)).unwrap())
            .collect()
    }
}
