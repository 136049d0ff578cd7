//! Managers, records and whole sorts for the tests.

use std::io;
use std::sync::Arc;

use mem_policy::{ManagerOptions, MemoryConfig, MemoryManager, memory_manager};
use mem_sort::{
    ExternalSorter, MergeOptions, Merger, Order, Run, SortError, Sorted, SortedPages, SorterOptions,
};
use mem_spill::testing::FaultyFiles;
use mem_spill::{Codec, SpillDirs, SpillOptions};
use task_mem::{TaskId, TaskMemoryManager, Wait};

pub(crate) const KIB: u64 = 1 << 10;

/// Off-heap memory of `bytes`, under the unified manager.
pub(crate) fn manager(bytes: u64) -> Arc<dyn MemoryManager> {
    let config = MemoryConfig::new()
        .with("spark.memory.offHeap.enabled", true)
        .and_then(|config| config.with("spark.memory.offHeap.size", format!("{bytes}b")))
        .unwrap();
    memory_manager(config.resolve(1).unwrap(), &ManagerOptions::of(&config))
}

/// Spill files in memory, in two directories.
pub(crate) fn memory_dirs(files: &FaultyFiles) -> SpillDirs {
    SpillDirs::with_provider(vec!["a".into(), "b".into()], files.clone()).unwrap()
}

pub(crate) fn small_blocks() -> SpillOptions {
    SpillOptions::new(Codec::Lz4, 1 << 10).unwrap()
}

/// A task with a manager, spill files and options of its own.
pub(crate) struct Bench {
    pub(crate) manager: Arc<dyn MemoryManager>,
    pub(crate) files: FaultyFiles,
    pub(crate) dirs: SpillDirs,
    pub(crate) sorter: SorterOptions,
    pub(crate) fan_in_max: Option<usize>,
    /// Parts of the last merge, where it can be divided.
    pub(crate) parts: usize,
}

impl Bench {
    pub(crate) fn new(budget: u64, page_bytes: u64) -> Self {
        Self::with_manager(manager(budget), page_bytes)
    }

    pub(crate) fn with_manager(manager: Arc<dyn MemoryManager>, page_bytes: u64) -> Self {
        let files = FaultyFiles::default();
        Self {
            manager,
            dirs: memory_dirs(&files),
            files,
            sorter: SorterOptions {
                page_bytes: Some(page_bytes),
                spill: small_blocks(),
                ..SorterOptions::default()
            },
            fan_in_max: None,
            parts: 1,
        }
    }

    pub(crate) fn task(&self, number: i64) -> Arc<TaskMemoryManager> {
        TaskMemoryManager::new(Arc::clone(&self.manager), TaskId::new(number))
    }

    pub(crate) fn new_sorter(&self, task: &Arc<TaskMemoryManager>) -> ExternalSorter {
        ExternalSorter::new(task, self.dirs.clone(), self.sorter.clone())
    }

    pub(crate) fn merge_options(&self) -> MergeOptions {
        MergeOptions {
            order: self.sorter.order,
            unique: self.sorter.unique,
            spill: self.sorter.spill,
            fan_in_max: self.fan_in_max,
            marks: self.sorter.marks,
            ..MergeOptions::default()
        }
    }

    /// Merges in a task of its own.
    pub(crate) fn merge(&self, runs: Vec<Run>) -> Result<Vec<Vec<u8>>, SortError> {
        let mut records: Vec<Vec<u8>> = Vec::new();
        let wait = Wait::default();
        let mut merger = Merger::new(&self.task(100), self.dirs.clone(), self.merge_options())?;
        if self.parts == 1 {
            merger.merge(runs, &wait, collect(&mut records))?;
            return Ok(records);
        }
        let parts = merger.split(runs, self.parts, &wait)?;
        assert!(parts.len() <= self.parts);
        for mut part in parts {
            let before = part.begin()?;
            let bytes: usize = records.iter().map(Vec::len).sum();
            // Repetitions that were left out have been counted there.
            assert!(self.sorter.unique || before == (records.len() as u64, bytes as u64));
            part.merge(collect(&mut records))?;
        }
        Ok(records)
    }

    /// Sorts in one task, and merges in another.
    pub(crate) fn sort(&self, records: &[Vec<u8>]) -> Result<Vec<Vec<u8>>, SortError> {
        let task = self.task(1);
        let mut sorter = self.new_sorter(&task);
        for record in records {
            sorter.insert(record, &Wait::default())?;
        }
        match sorter.finish()? {
            Sorted::InMemory(pages) => in_memory(&[pages]),
            Sorted::Spilled(runs) => {
                drop(task);
                self.merge(runs)
            }
        }
    }

    /// All memory has been given back, all files are gone, and never was too much granted.
    pub(crate) fn check_nothing_left(&self) {
        let books = self.manager.ledger().snapshot();
        assert_eq!((books.off_heap.execution_used, books.waiting), (0, 0));
        assert_eq!(books.on_heap.execution_used, 0);
        assert!(books.off_heap.peak_granted <= books.off_heap.total);
        self.manager.ledger().check();
        assert_eq!(self.files.alive(), 0);
    }
}

pub(crate) fn in_memory(pages: &[SortedPages]) -> Result<Vec<Vec<u8>>, SortError> {
    let mut records = Vec::new();
    SortedPages::merge(pages, collect(&mut records))?;
    Ok(records)
}

pub(crate) fn collect(records: &mut Vec<Vec<u8>>) -> impl FnMut(&[u8]) -> io::Result<()> {
    |record| {
        records.push(record.to_vec());
        Ok(())
    }
}

/// What sorting these records has to give.
pub(crate) fn expected(records: &[Vec<u8>], order: Order, unique: bool) -> Vec<Vec<u8>> {
    let mut sorted = records.to_vec();
    sorted.sort_by(|a, b| order.compare(a, b));
    if unique {
        sorted.dedup();
    }
    sorted
}

/// Numbers as text, in an order that looks random, some of them several times.
pub(crate) fn numbers(count: u64) -> Vec<Vec<u8>> {
    let text = |n: u64| format!("number {:06}", n.wrapping_mul(7_654_321) % (count / 2 + 1));
    (0..count).map(|n| text(n).into_bytes()).collect()
}
