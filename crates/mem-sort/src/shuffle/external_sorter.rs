//! The sorter: takes records in, in memory as long as there is some, and in runs.

use std::fmt;
use std::sync::Arc;

use mem_block::{PackedRecordPointer, PageAddress};
use mem_spill::{Encoder, SpillDirs, SpillOptions};
use task_mem::{
    ConsumerOptions, Failure, Held, MemoryConsumer, MemoryError, NoSpill, Page, Spillable,
    TaskMemoryManager, Wait, WorkspaceBuffer,
};

use super::error::{ShuffleError, is_shortage};
use super::in_memory_sorter::ShuffleInMemorySorter;
use super::long_record::LongShuffleRecord;
use super::options::ShuffleOptions;
use super::record_pages::RecordPages;
use super::run::{ShuffleRun, table_options};
use super::run_space::RunSpace;
use super::spills::ShuffleSpills;
use super::stats::ShuffleStats;

/// Heap for what is counted nowhere else: the lists of pages and of runs.
const BOOKKEEPING_BYTES: u64 = 4 << 10;

/// Sorts records by partition, any number of them within the memory that its task is granted
/// (Spark's class of the same name).
///
/// Records lie in pages, pointers to them in an array that is sorted by partition when they are
/// written. It is a consumer that spills for its own requests only, and for nobody else's: whenever
/// one is not granted in full, it writes all it has to a run, in memory that it holds from the
/// beginning for that, and goes on. Records of one partition come out in no particular order.
///
/// Dropping it gives memory and disk space back (Spark: `cleanupResources`).
#[derive(Debug)]
pub struct ShuffleExternalSorter {
    // The pages go before the consumer that they are charged to.
    buffered: Buffered,
    /// The heap that the codec's context takes.
    context: Held,
    consumer: MemoryConsumer,
    options: ShuffleOptions,
}

impl ShuffleExternalSorter {
    /// A sorter of `task` whose runs go to `dirs`. Takes the first array, and what spilling will need.
    ///
    /// # Errors
    ///
    /// [`ShuffleError::Partitions`], [`ShuffleError::Memory`], [`ShuffleError::Spill`] if the system
    /// has no memory for the codec.
    pub fn new(
        task: &Arc<TaskMemoryManager>,
        dirs: SpillDirs,
        options: ShuffleOptions,
        wait: &Wait<'_>,
    ) -> Result<Self, ShuffleError> {
        options.check()?;
        let page_bytes = options.page_bytes.unwrap_or_else(|| task.page_size_bytes());
        let workspace =
            [options.spill, table_options()].map(|spill| spill.write_buffer_bytes() as u64);
        let consumer = task.register(ConsumerOptions {
            name: "shuffle sorter".to_owned(),
            mode: options.mode,
            page_size: Some(page_bytes.min(PackedRecordPointer::MAXIMUM_PAGE_SIZE_BYTES)),
            spill: Spillable::OnlyByItself,
            spill_workspace: workspace.to_vec(),
        });
        // With the first bytes comes the workspace.
        let context = options.spill.write_context_bytes() as u64 + BOOKKEEPING_BYTES;
        let context = consumer.reserve(context, &mut NoSpill, wait)?;
        let (encoder, table_encoder) = encoders(&consumer, options.spill)?;
        // One pointer has room in an array of two words, however it is sorted.
        let words = options.initial_buffer_entries.max(2);
        let first = consumer.allocate_array(words, &mut NoSpill, wait)?;
        let mut buffered = Buffered {
            pointers: ShuffleInMemorySorter::new(first, options.use_radix_sort),
            pages: RecordPages::default(),
            space: RunSpace::new(dirs, table_encoder),
            encoder,
            runs: Vec::new(),
            stats: ShuffleStats::default(),
        };
        buffered.note_peak();
        Ok(Self {
            buffered,
            context,
            consumer,
            options,
        })
    }

    /// Takes a record in (Spark: `insertRecord`). May wait for memory as `wait` says, and may spill.
    ///
    /// # Errors
    ///
    /// [`ShuffleError::NoSuchPartition`], [`ShuffleError::Memory`], [`ShuffleError::Spill`]. What was
    /// inserted before is still there, and it can be tried again.
    pub fn insert(
        &mut self,
        record: &[u8],
        partition: u32,
        wait: &Wait<'_>,
    ) -> Result<(), ShuffleError> {
        self.check_partition(partition)?;
        if self.spill_is_due() {
            self.buffered.spill()?;
        }
        if !self.buffered.pointers.has_space_for_another_record() {
            self.grow_pointer_array(wait)?;
        }
        let address = match self.buffered.pages.push(record) {
            Some(address) => address,
            None => match self.acquire_page(record, wait)? {
                Some(page) => self.buffered.push_to(page, record),
                None => return self.insert_as_run(record, partition),
            },
        };
        self.buffered.point_to(address, partition);
        self.buffered.stats.count_record(record.len() as u64);
        Ok(())
    }

    fn spill_is_due(&self) -> bool {
        let (buffered, options) = (&self.buffered, &self.options);
        buffered.pointers.len() as u64 >= options.force_spill_records
            || (options.force_spill_bytes < u64::MAX
                && buffered.bytes() >= options.force_spill_bytes)
    }

    /// Makes room for another pointer: in an array twice as large, or by spilling
    /// (Spark: `growPointerArrayIfNecessary`).
    fn grow_pointer_array(&mut self, wait: &Wait<'_>) -> Result<(), ShuffleError> {
        let buffered = &mut self.buffered;
        let words = buffered.pointers.words() as u64;
        let mut spill = |_need: u64| Ok(buffered.spill()?);
        let larger = self
            .consumer
            .allocate_array(words.saturating_mul(2), &mut spill, wait);
        let has_space = self.buffered.pointers.has_space_for_another_record();
        match larger {
            // It spilled for the array, and does not need it any more.
            Ok(_) if has_space => {}
            Ok(larger) => {
                self.buffered.pointers.expand(larger);
                self.buffered.note_peak();
            }
            Err(error) => match error.failure() {
                Failure::TooLargePage { .. } | Failure::PageTableFull => {
                    self.buffered.spill()?;
                }
                Failure::OutOfMemory { .. } | Failure::Refused(_) if has_space => {}
                _ => return Err(error.into()),
            },
        }
        Ok(())
    }

    /// A page for a record (Spark: `acquireNewPageIfNecessary`), or nothing where the record is longer
    /// than the usual page and the memory for it can't be had. What is left of the last page stays
    /// unused.
    fn acquire_page(
        &mut self,
        record: &[u8],
        wait: &Wait<'_>,
    ) -> Result<Option<Page>, ShuffleError> {
        let needed = RecordPages::bytes_for(record);
        let mut page = self.allocate_page(needed, wait);
        if matches!(&page, Err(error) if matches!(error.failure(), Failure::PageTableFull)) {
            self.buffered.spill()?;
            page = self.allocate_page(needed, wait);
        }
        match page {
            Ok(page) => Ok(Some(page)),
            Err(error) if needed > self.consumer.page_size() && is_shortage(&error) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn allocate_page(&mut self, needed: u64, wait: &Wait<'_>) -> Result<Page, MemoryError> {
        let buffered = &mut self.buffered;
        let mut spill = |_need: u64| Ok(buffered.spill()?);
        self.consumer.allocate_page(needed, &mut spill, wait)
    }

    /// A record for which there is no page: it goes through the block that spills go through.
    fn insert_as_run(&mut self, record: &[u8], partition: u32) -> Result<(), ShuffleError> {
        let mut long = self.insert_long()?;
        long.append(record)?;
        long.finish(partition)
    }

    /// Begins a record that comes in pieces and may be longer than all memory: it goes to a run of
    /// its own, and is never in memory as a whole.
    ///
    /// # Errors
    ///
    /// [`ShuffleError::Spill`].
    pub fn insert_long(&mut self) -> Result<LongShuffleRecord<'_>, ShuffleError> {
        let (buffered, partitions) = (&mut self.buffered, self.options.partitions);
        let writer = buffered.space.begin_single(&mut buffered.encoder)?;
        Ok(LongShuffleRecord::new(
            writer,
            partitions,
            &mut buffered.runs,
            &mut buffered.stats,
        ))
    }

    fn check_partition(&self, partition: u32) -> Result<(), ShuffleError> {
        check_partition(partition, self.options.partitions)
    }

    /// Writes what is in memory to a run and frees the pages. Returns their bytes.
    ///
    /// # Errors
    ///
    /// [`ShuffleError::Spill`]; the records are still in memory then.
    pub fn spill(&mut self) -> Result<u64, ShuffleError> {
        self.buffered.spill()
    }

    /// What it did so far.
    #[must_use]
    pub fn stats(&self) -> ShuffleStats {
        self.buffered.stats
    }

    /// The end of input: writes what is in memory to a last run, and frees all memory but that for
    /// spilling (Spark: `closeAndGetSpills`). The last run is not counted as a spill.
    ///
    /// # Errors
    ///
    /// [`ShuffleError::Spill`].
    pub fn close_and_get_spills(mut self) -> Result<ShuffleSpills, ShuffleError> {
        if let Some(last) = self.buffered.write_run()? {
            self.buffered.runs.push(last);
        }
        let Buffered {
            runs,
            space,
            encoder,
            stats,
            ..
        } = self.buffered;
        Ok(ShuffleSpills {
            runs,
            space,
            encoder,
            stats,
            _context: self.context,
            consumer: self.consumer,
            options: self.options,
        })
    }
}

/// Encoders of runs and of their tables, in the buffers that `consumer` declared for them.
fn encoders(
    consumer: &MemoryConsumer,
    options: SpillOptions,
) -> Result<(Encoder<WorkspaceBuffer>, Encoder<WorkspaceBuffer>), ShuffleError> {
    let mut buffers = consumer.workspace().into_iter();
    let mut buffer = || {
        let buffer = buffers.next();
        buffer.expect("two were declared and came with the first bytes, and nobody else has them")
    };
    let encoder = Encoder::new(options, buffer())?;
    Ok((encoder, Encoder::new(table_options(), buffer())?))
}

/// What a request for memory borrows in order to spill. It never asks for memory itself.
struct Buffered {
    pointers: ShuffleInMemorySorter,
    pages: RecordPages,
    space: RunSpace,
    encoder: Encoder<WorkspaceBuffer>,
    runs: Vec<ShuffleRun>,
    stats: ShuffleStats,
}

impl Buffered {
    /// Bytes of pages and pointers (Spark: `getMemoryUsage`).
    fn bytes(&self) -> u64 {
        self.pages.bytes().saturating_add(self.pointers.bytes())
    }

    fn note_peak(&mut self) {
        self.stats.peak_memory_bytes = self.stats.peak_memory_bytes.max(self.bytes());
    }

    /// Has records go to `page` from now on, `record` first.
    fn push_to(&mut self, page: Page, record: &[u8]) -> PageAddress {
        self.pages.add(page);
        self.note_peak();
        let pushed = self.pages.push(record);
        pushed.expect("the page was asked for with the record's length")
    }

    fn point_to(&mut self, record: PageAddress, partition: u32) {
        let pointer = PackedRecordPointer::pack(record, partition);
        let pointer = pointer.expect("the partition was checked, and pages check the offset");
        self.pointers.insert(pointer);
    }

    /// Writes a run, frees the pages, and returns their bytes: 0 where there are no records, so that
    /// one can always be taken in.
    fn spill(&mut self) -> Result<u64, ShuffleError> {
        let Some(run) = self.write_run()? else {
            return Ok(0);
        };
        let freed = self.pages.bytes();
        self.stats.count_spill(freed, run.segments.stored_bytes());
        self.runs.push(run);
        self.pages.clear();
        self.pointers.reset();
        Ok(freed)
    }

    /// Writes the records to a run, and leaves them in memory.
    fn write_run(&mut self) -> Result<Option<ShuffleRun>, ShuffleError> {
        if self.pointers.is_empty() {
            return Ok(None);
        }
        let pointers = self.pointers.sorted();
        let run = self
            .space
            .write_sorted(pointers, &self.pages, &mut self.encoder)?;
        Ok(Some(run))
    }
}

pub(crate) fn check_partition(partition: u32, partitions: u32) -> Result<(), ShuffleError> {
    if partition < partitions {
        return Ok(());
    }
    Err(ShuffleError::NoSuchPartition {
        partition,
        partitions,
    })
}

impl fmt::Debug for Buffered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buffered")
            .field("records", &self.pointers.len())
            .field("runs", &self.runs.len())
            .field("stats", &self.stats)
            .finish_non_exhaustive()
    }
}
