//! What a sorter has taken in: records in pages, and the runs that others were written to.

use std::fmt;

use mem_spill::{Encoder, SpillDirs, SpillWriter};
use task_mem::{Page, WorkspaceBuffer};

use crate::error::SortError;
use crate::long_record::LongRecord;
use crate::merge_pages::merge_pages;
use crate::options::SorterOptions;
use crate::order::Order;
use crate::page::RecordPage;
use crate::run::Run;
use crate::run_files::RunFiles;
use crate::stats::SortStats;

/// Why there is an encoder.
const ENCODER: &str = "the sorter prepares to spill before it takes anything in";

/// A task's page as the memory of records.
#[derive(Debug)]
pub(crate) struct PageMemory(pub(crate) Page);

impl AsRef<[u8]> for PageMemory {
    #[inline]
    fn as_ref(&self) -> &[u8] {
        self.0.as_slice()
    }
}

impl AsMut<[u8]> for PageMemory {
    #[inline]
    fn as_mut(&mut self) -> &mut [u8] {
        self.0.as_mut_slice()
    }
}

/// The part of a sorter that a request for memory borrows in order to spill. It never asks for
/// memory itself.
pub(crate) struct Records {
    order: Order,
    unique: bool,
    force_spill_records: u64,
    force_spill_bytes: u64,
    /// The page that records go to.
    open: Option<RecordPage<PageMemory>>,
    /// Full pages, each of them sorted.
    sorted: Vec<RecordPage<PageMemory>>,
    /// Records in pages.
    in_memory: u64,
    /// So many runs are made of single pages; later ones are merged from all pages there are.
    page_runs_max: usize,
    /// There from before the first page on: spilling takes no memory.
    pub(crate) encoder: Option<Encoder<WorkspaceBuffer>>,
    files: RunFiles,
    pub(crate) runs: Vec<Run>,
    pub(crate) stats: SortStats,
}

impl Records {
    pub(crate) fn new(dirs: SpillDirs, options: &SorterOptions) -> Self {
        Self {
            order: options.order,
            unique: options.unique,
            force_spill_records: options.force_spill_records,
            force_spill_bytes: options.force_spill_bytes,
            open: None,
            sorted: Vec::new(),
            in_memory: 0,
            page_runs_max: options.page_runs_max,
            encoder: None,
            files: RunFiles::new(dirs).with_marks(options.marks),
            runs: Vec::new(),
            stats: SortStats::default(),
        }
    }

    /// Takes a record in, if it fits the open page and no spill is due.
    #[inline]
    pub(crate) fn push(&mut self, record: &[u8]) -> bool {
        if self.in_memory >= self.force_spill_records {
            return false;
        }
        let pushed = self.open.as_mut().is_some_and(|page| page.push(record));
        if pushed {
            self.count(record.len());
        }
        pushed
    }

    /// Takes a record in, in a page of its own.
    pub(crate) fn push_alone(&mut self, record: &[u8], page: Page) {
        let mut page = RecordPage::new(PageMemory(page));
        let pushed = page.push(record);
        assert!(pushed, "the page was asked for with the record's length");
        self.count(record.len());
        self.sort_page(page);
    }

    /// A record more in the pages. Lengths in memory: their sum stays below 2^64 for centuries.
    #[inline]
    fn count(&mut self, length: usize) {
        self.in_memory += 1;
        self.stats.records += 1;
        self.stats.record_bytes += length as u64;
    }

    /// Whether more is in memory than there is to be.
    pub(crate) fn spill_is_due(&self) -> bool {
        self.in_memory >= self.force_spill_records || self.page_bytes() >= self.force_spill_bytes
    }

    /// Bytes of all pages.
    pub(crate) fn page_bytes(&self) -> u64 {
        self.sorted
            .iter()
            .chain(&self.open)
            .map(|page| page.memory().0.bytes())
            .sum()
    }

    /// Takes a record in, and has later ones go to the same page.
    pub(crate) fn push_first(&mut self, record: &[u8], page: Page) {
        self.close();
        let mut page = RecordPage::new(PageMemory(page));
        let pushed = page.push(record);
        assert!(pushed, "the page was asked for with the record's length");
        self.count(record.len());
        self.open = Some(page);
    }

    /// Sorts the open page, while it is in the cache.
    pub(crate) fn close(&mut self) {
        if let Some(page) = self.open.take() {
            self.sort_page(page);
        }
    }

    fn sort_page(&mut self, mut page: RecordPage<PageMemory>) {
        page.sort(self.order);
        page.set_codes(self.order, self.unique);
        self.sorted.push(page);
    }

    /// Whether the open page is better written to a run now than kept: memory was short before, and
    /// there may be another run of a single page.
    pub(crate) fn is_streaming(&self) -> bool {
        !self.runs.is_empty() && self.open.is_some() && self.runs.len() < self.page_runs_max
    }

    /// Sorts the open page and writes it to a run, while it is in the cache, to take in more.
    pub(crate) fn stream(&mut self) -> Result<(), SortError> {
        // Pages of long records, which were given memory although it was short.
        self.spill_pages()?;
        let Some(mut page) = self.open.take() else {
            return Ok(());
        };
        page.sort(self.order);
        let encoder = self.encoder.as_mut().expect(ENCODER);
        let written = self.files.write(encoder, |run| {
            page.for_each(self.unique, |common, record| Ok(run.push(common, record)?))
        });
        match written {
            Ok(run) => {
                add_run(&mut self.runs, &mut self.stats, run);
                self.open = Some(page.emptied());
                self.in_memory = 0;
                Ok(())
            }
            Err(error) => {
                page.set_codes(self.order, self.unique);
                self.sorted.push(page);
                Err(error)
            }
        }
    }

    /// Writes all records to runs and frees the pages. Returns their bytes.
    pub(crate) fn spill(&mut self) -> Result<u64, SortError> {
        self.close();
        let bytes = self.page_bytes();
        if self.runs.len().saturating_add(self.sorted.len()) <= self.page_runs_max {
            self.spill_pages()?;
        } else if !self.sorted.is_empty() {
            self.spill_run(0)?;
            self.sorted.clear();
        }
        self.in_memory = 0;
        Ok(bytes)
    }

    /// Writes each of the sorted pages to a run of its own, and frees it.
    fn spill_pages(&mut self) -> Result<(), SortError> {
        while let Some(last) = self.sorted.len().checked_sub(1) {
            self.spill_run(last)?;
            self.sorted.truncate(last);
        }
        Ok(())
    }

    /// Writes the sorted pages from the one at `first` on to a run.
    fn spill_run(&mut self, first: usize) -> Result<(), SortError> {
        let encoder = self.encoder.as_mut().expect(ENCODER);
        let (order, unique, pages) = (self.order, self.unique, &self.sorted[first..]);
        let run = self.files.write(encoder, |run| match pages {
            [page] => page.for_each(unique, |common, record| Ok(run.push(common, record)?)),
            pages => merge_pages(pages.iter(), order, unique, |common, record| {
                Ok(run.push(common, record)?)
            }),
        })?;
        add_run(&mut self.runs, &mut self.stats, run);
        Ok(())
    }

    /// Begins a record that goes to a run of its own.
    pub(crate) fn begin_long(&mut self) -> Result<LongRecord<'_>, SortError> {
        let encoder = self.encoder.as_mut().expect(ENCODER);
        let writer = SpillWriter::new(self.files.next()?, encoder);
        Ok(LongRecord::new(writer, &mut self.runs, &mut self.stats))
    }

    /// The sorted pages; the open one too.
    pub(crate) fn into_pages(mut self) -> Vec<RecordPage<PageMemory>> {
        self.close();
        self.sorted
    }
}

/// A run more.
pub(crate) fn add_run(runs: &mut Vec<Run>, stats: &mut SortStats, run: Run) {
    // Lengths of files, whose sum the system keeps below 2^63.
    stats.spills += 1;
    stats.spilled_bytes += run.record_bytes();
    stats.stored_bytes += run.stored_bytes();
    runs.push(run);
}

impl fmt::Debug for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Records")
            .field("in_memory", &self.in_memory)
            .field("runs", &self.runs.len())
            .field("stats", &self.stats)
            .finish_non_exhaustive()
    }
}
