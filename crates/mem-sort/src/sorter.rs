//! The sorter: takes records in, in memory as long as there is some, and in runs.

use std::sync::Arc;

use mem_spill::{Encoder, SpillDirs};
use task_mem::{
    ConsumerOptions, Failure, Held, MemoryConsumer, MemoryError, NoSpill, Page, Spillable,
    TaskMemoryManager, Wait,
};

use crate::error::SortError;
use crate::group::is_shortage;
use crate::long_record::LongRecord;
use crate::options::SorterOptions;
use crate::page::RecordPage;
use crate::records::{PageMemory, Records};
use crate::run::Run;
use crate::sorted::{Sorted, SortedPages};
use crate::stats::SortStats;

/// Sorts any number of records of any length within the memory that its task is granted.
///
/// It is a consumer that spills for its own requests only: whenever one is not granted in full, it
/// writes all it has to a run, in memory that it holds from the beginning for that, and goes on. It
/// takes no memory before the first record.
///
/// Dropping it gives memory and disk space back.
///
/// Spark's counterpart: `UnsafeExternalSorter`.
#[derive(Debug)]
pub struct ExternalSorter {
    // The pages go before the consumer that they are charged to.
    records: Records,
    /// The heap that the codec's context takes.
    context: Option<Held>,
    consumer: MemoryConsumer,
    options: SorterOptions,
}

impl ExternalSorter {
    /// A sorter of `task` whose runs go to `dirs`.
    #[must_use]
    pub fn new(task: &Arc<TaskMemoryManager>, dirs: SpillDirs, options: SorterOptions) -> Self {
        let workspace = options.spill.write_buffer_bytes() as u64;
        let consumer = task.register(ConsumerOptions {
            name: "external sorter".to_owned(),
            mode: options.mode,
            page_size: options.page_bytes,
            spill: Spillable::OnlyByItself,
            spill_workspace: vec![workspace],
        });
        Self {
            records: Records::new(dirs, &options),
            context: None,
            consumer,
            options,
        }
    }

    /// Takes a record in. May wait for memory as `wait` says, and may spill.
    ///
    /// # Errors
    ///
    /// [`SortError::Memory`], [`SortError::Spill`]. What was inserted before is still there, and it
    /// can be tried again.
    #[inline]
    pub fn insert(&mut self, record: &[u8], wait: &Wait<'_>) -> Result<(), SortError> {
        if self.records.push(record) {
            return Ok(());
        }
        self.insert_elsewhere(record, wait)
    }

    /// The open page is full, or there is none.
    #[cold]
    #[inline(never)]
    fn insert_elsewhere(&mut self, record: &[u8], wait: &Wait<'_>) -> Result<(), SortError> {
        self.prepare(wait)?;
        if self.records.spill_is_due() {
            self.records.spill()?;
            if self.records.push(record) {
                return Ok(());
            }
        }
        if self.records.is_streaming() {
            self.records.stream()?;
            if self.records.push(record) {
                return Ok(());
            }
        }
        let Some(needed) = RecordPage::<PageMemory>::bytes_for(record.len()) else {
            return self.insert_as_run(record, wait);
        };
        let alone = needed > self.consumer.page_size();
        if !alone {
            // Sorted before memory is asked for: the request may have it spilled.
            self.records.close();
        }
        let allocated = match self.allocate_page(needed, wait) {
            // There is memory, but no page number: those of the sorter's pages are as good.
            Err(error) if is_full(&error) && self.records.spill()? > 0 => {
                self.allocate_page(needed, wait)
            }
            allocated => allocated,
        };
        match allocated {
            Ok(page) if alone => self.records.push_alone(record, page),
            Ok(page) => self.records.push_first(record, page),
            Err(error) if alone && is_shortage(&error) => self.insert_as_run(record, wait)?,
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// A page of `needed` bytes at least; all is spilled for it if need be.
    fn allocate_page(&mut self, needed: u64, wait: &Wait<'_>) -> Result<Page, MemoryError> {
        let records = &mut self.records;
        let mut spill = |_need: u64| Ok(records.spill()?);
        self.consumer.allocate_page(needed, &mut spill, wait)
    }

    /// A record for which there is no page: it goes through the block that spills go through.
    fn insert_as_run(&mut self, record: &[u8], wait: &Wait<'_>) -> Result<(), SortError> {
        let mut long = self.insert_long(wait)?;
        long.append(record)?;
        long.finish()
    }

    /// Begins a record that comes in pieces and may be longer than all memory: it goes to a run of
    /// its own. Merging will need it in memory as a whole.
    ///
    /// # Errors
    ///
    /// [`SortError::Memory`] if the first memory of all can't be had, [`SortError::Spill`].
    pub fn insert_long(&mut self, wait: &Wait<'_>) -> Result<LongRecord<'_>, SortError> {
        self.prepare(wait)?;
        self.records.begin_long()
    }

    /// Makes sure that spilling is possible.
    fn prepare(&mut self, wait: &Wait<'_>) -> Result<(), SortError> {
        if self.records.encoder.is_some() {
            return Ok(());
        }
        let context = self.options.spill.write_context_bytes() as u64;
        let context = context.saturating_add(self.options.bookkeeping_bytes());
        // With the first bytes comes the workspace.
        let context = self.consumer.reserve(context, &mut NoSpill, wait)?;
        let workspace = self.consumer.workspace().into_iter().next();
        let workspace = workspace.expect("one buffer was declared, and it is lent here only");
        self.records.encoder = Some(Encoder::new(self.options.spill, workspace)?);
        self.context = Some(context);
        Ok(())
    }

    /// Writes what is in memory to a run and frees it. Returns the bytes freed.
    ///
    /// # Errors
    ///
    /// [`SortError::Spill`]; the records are still in memory then.
    pub fn spill(&mut self) -> Result<u64, SortError> {
        self.records.spill()
    }

    /// Whether there are runs.
    #[must_use]
    pub fn has_spilled(&self) -> bool {
        !self.records.runs.is_empty()
    }

    /// What it did so far.
    #[must_use]
    pub fn stats(&self) -> SortStats {
        self.records.stats
    }

    /// The end of input: leaves the records in memory if nothing was spilled, and else spills the
    /// rest.
    ///
    /// # Errors
    ///
    /// [`SortError::Spill`].
    pub fn finish(self) -> Result<Sorted, SortError> {
        if self.has_spilled() {
            return self.into_runs().map(Sorted::Spilled);
        }
        let pages = self.records.into_pages();
        Ok(Sorted::InMemory(SortedPages::new(pages, &self.options)))
    }

    /// The end of input, with everything in runs: they need no memory, and can outlive the task.
    ///
    /// # Errors
    ///
    /// [`SortError::Spill`].
    pub fn into_runs(mut self) -> Result<Vec<Run>, SortError> {
        self.records.spill()?;
        Ok(self.records.runs)
    }
}

/// Whether the task has no page number left.
fn is_full(error: &MemoryError) -> bool {
    matches!(error.failure(), Failure::PageTableFull)
}
