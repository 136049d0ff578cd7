//! One of the tasks that sort.

use std::sync::Arc;

use mem_sort::{ExternalSorter, SortStats, Sorted};
use mem_sync::Mutex;
use memchr::memchr_iter;
use task_mem::{TaskMemoryManager, Unpaged, Wait};

use super::error::SortFailure;
use super::gather::{Gathered, Gathering};
use super::input::{Chunk, Splitter};
use super::plan::Plan;
use super::progress::Progress;

/// What all tasks of a sort share.
pub(super) struct Shared<'a> {
    pub(super) plan: &'a Plan,
    pub(super) delimiter: u8,
    pub(super) input: Mutex<Splitter>,
    pub(super) gathering: Gathering,
    pub(super) progress: &'a Progress,
    pub(super) wait: Wait<'a>,
}

/// A task that sorts what it gets of the input.
pub(super) struct Worker<'a> {
    pub(super) shared: &'a Shared<'a>,
    pub(super) sorter: ExternalSorter,
    /// Where lines are read to.
    pub(super) buffer: Unpaged,
    // All memory goes before the task that it belongs to.
    pub(super) task: Arc<TaskMemoryManager>,
}

/// What a task leaves behind.
pub(super) struct Worked {
    pub(super) sorted: Sorted,
    pub(super) stats: SortStats,
    pub(super) buffer: Unpaged,
    pub(super) task: Arc<TaskMemoryManager>,
}

impl Worker<'_> {
    /// Sorts until there is no more input and the others are done too; nothing where one of them
    /// failed.
    pub(super) fn work(mut self) -> Result<Option<Worked>, SortFailure> {
        let mut abandon = Abandon(Some(&self.shared.gathering));
        while self.take_chunk()? {}
        let gathered = self
            .shared
            .gathering
            .arrive(&mut self.sorter, self.task.ledger())?;
        let sorter = &mut self.sorter;
        match gathered {
            Gathered::Abandoned => return Ok(None),
            Gathered::InMemory => {}
            Gathered::Spilled => drop(sorter.spill()?),
        }
        let stats = self.sorter.stats();
        let sorted = self.sorter.finish()?;
        abandon.0 = None;
        Ok(Some(Worked {
            sorted,
            stats,
            buffer: self.buffer,
            task: self.task,
        }))
    }

    /// Inserts the next lines; false after the last.
    fn take_chunk(&mut self) -> Result<bool, SortFailure> {
        let shared = self.shared;
        if shared.gathering.is_abandoned() {
            return Ok(false);
        }
        let mut input = shared.input.lock();
        let chunk = input.fill(self.buffer.as_mut_slice())?;
        shared.progress.done(input.bytes_read());
        match chunk {
            Chunk::End => Ok(false),
            Chunk::LineBegins => {
                self.take_long_line(&mut input)?;
                Ok(true)
            }
            Chunk::Lines(filled) => {
                drop(input);
                self.take_lines(filled)?;
                Ok(true)
            }
        }
    }

    fn take_lines(&mut self, filled: usize) -> Result<(), SortFailure> {
        let lines = &self.buffer.as_slice()[..filled];
        let mut start = 0;
        for end in memchr_iter(self.shared.delimiter, lines) {
            self.sorter.insert(&lines[start..end], &self.shared.wait)?;
            start = end + 1;
        }
        Ok(())
    }

    /// Takes a line that is longer than the buffer. Nobody else can read meanwhile.
    fn take_long_line(&mut self, input: &mut Splitter) -> Result<(), SortFailure> {
        let mut line = self.sorter.insert_long(&self.shared.wait)?;
        line.append(self.buffer.as_slice())?;
        loop {
            let piece = input.read_on(self.buffer.as_mut_slice())?;
            line.append(&self.buffer.as_slice()[..piece.bytes])?;
            if piece.is_last {
                return Ok(line.finish()?);
            }
            let plan = self.shared.plan;
            if line.length() > plan.budget {
                return Err(SortFailure::LineTooLong {
                    name: input.name(),
                    read: line.length(),
                    budget: plan.budget,
                    key: plan.budget_key,
                });
            }
        }
    }
}

/// Unless it is disarmed, nobody waits for this task any more: it failed, or panicked.
struct Abandon<'a>(Option<&'a Gathering>);

impl Drop for Abandon<'_> {
    fn drop(&mut self) {
        if let Some(gathering) = self.0 {
            gathering.abandon();
        }
    }
}
