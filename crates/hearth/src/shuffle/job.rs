//! A shuffle from the first line read to the last file in its place.

use std::path::Path;
use std::sync::Arc;

use mem_policy::MemoryManager;
use mem_sort::{Partitioner, ShuffleWriter, partition_of};
use mem_spill::SpillDirs;
use memchr::memchr_iter;
use task_mem::{CancelToken, TaskId, TaskMemoryManager, Unpaged, Wait};

use super::error::ShuffleFailure;
use super::plan::ShufflePlan;
use super::report::{ShufflePhases, ShuffleReport};
use crate::sort::{Chunk, Counters, Progress, Source, Splitter, peak_resident_bytes};

/// A shuffle that is to be done, in a task of a memory manager that others may use too.
#[derive(Debug)]
pub struct ShuffleJob {
    manager: Arc<dyn MemoryManager>,
    plan: ShufflePlan,
    sources: Vec<Source>,
    /// Where runs go.
    pub spill_dirs: SpillDirs,
    /// The number of its task.
    pub task: TaskId,
    /// What the manager's probe counts, to be reported.
    pub counters: Option<Arc<Counters>>,
    /// Shows how far it is.
    pub progress: Progress,
    /// Cancels its waits for memory.
    pub cancel: Option<CancelToken>,
}

impl ShuffleJob {
    /// A shuffle of the lines of `sources`, as `plan` says, which was made for `manager`.
    #[must_use]
    pub fn new(manager: Arc<dyn MemoryManager>, plan: ShufflePlan, sources: Vec<Source>) -> Self {
        Self {
            manager,
            plan,
            sources,
            spill_dirs: SpillDirs::default(),
            task: TaskId::new(1),
            counters: None,
            progress: Progress::default(),
            cancel: None,
        }
    }

    /// Shuffles to `directory`, which is made if there is none.
    ///
    /// # Errors
    ///
    /// [`ShuffleFailure`]; all memory has been given back and no file is left.
    pub fn run(self, directory: &Path) -> Result<ShuffleReport, ShuffleFailure> {
        let clock = Arc::clone(self.manager.ledger().clock());
        let start = clock.now();
        let length: Option<u64> = self.sources.iter().map(Source::length).sum();
        self.progress.phase("shuffling", length);
        let task = TaskMemoryManager::new(Arc::clone(&self.manager), self.task);
        let wait = Wait {
            deadline: None,
            cancel: self.cancel.as_ref(),
        };
        let writer = self.insert_all(directory, &task, &wait)?;
        let inserted = clock.now();
        self.progress.phase("merging", None);
        let stats = writer.finish(&wait)?;
        self.progress.finish();
        let counts = self
            .counters
            .as_ref()
            .map(|counters| counters.of(self.task));
        Ok(ShuffleReport {
            memory: self.plan.mode.to_string(),
            budget_bytes: self.plan.budget,
            peak_granted_bytes: self.manager.ledger().peak_of(self.task, self.plan.mode),
            peak_resident_bytes: peak_resident_bytes(),
            partitions: self.plan.options.partitions,
            records: stats.records,
            record_bytes: stats.record_bytes,
            written_bytes: stats.written_bytes,
            spills: stats.spills,
            spilled_bytes: stats.memory_spilled_bytes,
            stored_bytes: stats.disk_spilled_bytes,
            remerged_bytes: stats.remerged_bytes,
            counts: counts.unwrap_or_default(),
            seconds: ShufflePhases {
                insert: inserted.since(start),
                merge: clock.now().since(inserted),
                total: clock.now().since(start),
            },
        })
    }

    /// Reads all lines and inserts them. The read buffers are given back before anything is merged.
    fn insert_all(
        &self,
        directory: &Path,
        task: &Arc<TaskMemoryManager>,
        wait: &Wait<'_>,
    ) -> Result<ShuffleWriter, ShuffleFailure> {
        let plan = &self.plan;
        let buffer = || task.allocate_unpaged(plan.read_bytes, plan.mode, wait);
        let (buffer, carry) = (buffer()?, buffer()?);
        let (dirs, options) = (self.spill_dirs.clone(), plan.options.clone());
        let writer = ShuffleWriter::create(directory, task, dirs, options, wait)?;
        let mut inserting = Inserting {
            input: Splitter::new(self.sources.clone(), b'\n', carry),
            buffer,
            writer,
            partitions: plan.options.partitions,
            wait,
        };
        while inserting.take_chunk()? {
            self.progress.done(inserting.input.bytes_read());
        }
        Ok(inserting.writer)
    }
}

/// Lines on their way to the writer.
struct Inserting<'a> {
    input: Splitter,
    buffer: Unpaged,
    writer: ShuffleWriter,
    partitions: u32,
    wait: &'a Wait<'a>,
}

impl Inserting<'_> {
    /// Inserts the next lines; false after the last.
    fn take_chunk(&mut self) -> Result<bool, ShuffleFailure> {
        match self.input.fill(self.buffer.as_mut_slice())? {
            Chunk::End => return Ok(false),
            Chunk::Lines(filled) => self.take_lines(filled)?,
            Chunk::LineBegins => self.take_long_line()?,
        }
        Ok(true)
    }

    /// Inserts each line with its newline.
    fn take_lines(&mut self, filled: usize) -> Result<(), ShuffleFailure> {
        let lines = &self.buffer.as_slice()[..filled];
        let mut start = 0;
        for end in memchr_iter(b'\n', lines) {
            let partition = partition_of(&lines[start..end], self.partitions);
            self.writer
                .write(&lines[start..=end], partition, self.wait)?;
            start = end + 1;
        }
        Ok(())
    }

    /// Inserts a line that is longer than the buffer, however long it is.
    fn take_long_line(&mut self) -> Result<(), ShuffleFailure> {
        let mut line = self.writer.write_long()?;
        let mut partitioner = Partitioner::default();
        let mut piece = self.buffer.as_slice();
        loop {
            partitioner.update(piece);
            line.append(piece)?;
            let next = self.input.read_on(self.buffer.as_mut_slice())?;
            piece = &self.buffer.as_slice()[..next.bytes];
            if next.is_last {
                break;
            }
        }
        partitioner.update(piece);
        line.append(piece)?;
        line.append(b"\n")?;
        Ok(line.finish(partitioner.partition(self.partitions))?)
    }
}
