//! What a sort is made with.

use mem_block::MemoryMode;
use mem_spill::SpillOptions;

use crate::marks::MARK_BYTES;
use crate::order::Order;
use crate::run::Run;

/// Heap for what is counted nowhere else: the lists of pages and runs, and the merge of pages.
const BOOKKEEPING_BYTES: u64 = 4 << 10;

/// What an [`ExternalSorter`](crate::ExternalSorter) is made with.
#[derive(Debug, Clone)]
pub struct SorterOptions {
    /// The order of the records.
    pub order: Order,
    /// Leave out all but one of records that are the same.
    pub unique: bool,
    /// The mode of the memory; by default the manager's.
    pub mode: Option<MemoryMode>,
    /// Bytes of a page, which is sorted on its own; by default the manager's page size. Pages that
    /// fit the processor's second cache are sorted fastest, and few pages are merged fastest.
    pub page_bytes: Option<u64>,
    /// How runs are written.
    pub spill: SpillOptions,
    /// Spill when this many records are in memory, although there may be more memory (Spark:
    /// `spark.shuffle.spill.numElementsForceSpillThreshold`).
    pub force_spill_records: u64,
    /// Spill when the pages have this many bytes, although there may be more memory (Spark:
    /// `spark.shuffle.spill.maxSizeInBytesForSpillThreshold`).
    pub force_spill_bytes: u64,
    /// Until there are so many runs, a page is a run of its own, and once memory was short it is
    /// written as soon as it is full; later ones are merged from all pages that memory can be had
    /// for. Short runs save that merge, and make the last one wider.
    pub page_runs_max: usize,
    /// The most marks of a run, which take up to 150 bytes of heap each. [`Merger::split`] divides
    /// runs where there are marks; 0 is none.
    ///
    /// [`Merger::split`]: crate::Merger::split
    pub marks: usize,
}

impl SorterOptions {
    /// What a sorter reserves for lists of pages and of runs, in bytes. What a run that was merged
    /// from many pages takes comes to little.
    #[must_use]
    pub fn bookkeeping_bytes(&self) -> u64 {
        let run = size_of::<Run>().saturating_add(self.marks.saturating_mul(MARK_BYTES));
        let runs = self.page_runs_max.saturating_mul(run);
        BOOKKEEPING_BYTES.saturating_add(runs as u64)
    }
}

impl Default for SorterOptions {
    fn default() -> Self {
        Self {
            order: Order::default(),
            unique: false,
            mode: None,
            page_bytes: None,
            spill: SpillOptions::default(),
            force_spill_records: u64::MAX,
            force_spill_bytes: u64::MAX,
            page_runs_max: 0,
            marks: 0,
        }
    }
}

/// What a [`Merger`](crate::Merger) is made with.
#[derive(Debug, Clone)]
pub struct MergeOptions {
    /// The order of the records; that of the runs.
    pub order: Order,
    /// Leave out all but one of records that are the same.
    pub unique: bool,
    /// The mode of the memory; by default the manager's.
    pub mode: Option<MemoryMode>,
    /// How the runs were written, and how those in between are.
    pub spill: SpillOptions,
    /// The most marks of a run in between; see [`SorterOptions::marks`].
    pub marks: usize,
    /// Threads that read blocks ahead, where there is memory for a second block a run; 0 is none.
    pub read_ahead_threads: usize,
    /// The most runs to merge at once, 2 or more; by default as many as memory allows (Spark:
    /// `spark.unsafe.sorter.spill.merge.factor`).
    pub fan_in_max: Option<usize>,
}

impl Default for MergeOptions {
    fn default() -> Self {
        Self {
            order: Order::default(),
            unique: false,
            mode: None,
            spill: SpillOptions::default(),
            marks: 0,
            read_ahead_threads: 1,
            fan_in_max: None,
        }
    }
}
