//! Merging runs, in as few passes as memory allows.

use std::io;
use std::sync::Arc;

use mem_spill::{Encoder, ReadAhead, SpillDirs};
use task_mem::{ConsumerOptions, Held, MemoryConsumer, NoSpill, Spillable, TaskMemoryManager};
use task_mem::{Unpaged, Wait};

use crate::error::SortError;
use crate::group::{Group, Memory, Range};
use crate::marks::bounds;
use crate::options::MergeOptions;
use crate::part::MergePart;
use crate::run::Run;
use crate::run_files::RunFiles;
use crate::stats::MergeStats;

/// Merges runs into one sequence of records.
///
/// Each run that is being merged takes a block, room for its longest record and, where there is
/// memory left, a second block to read ahead. So as many are merged at once as memory can be had
/// for. Where that is not all, the shortest are first merged into runs in between.
///
/// Spark's counterpart: `UnsafeSorterSpillMerger`, which merges all at once whatever that takes.
#[derive(Debug)]
pub struct Merger {
    consumer: MemoryConsumer,
    files: RunFiles,
    options: MergeOptions,
    threads: ReadAhead,
    stats: MergeStats,
}

/// What a run in between is written through.
struct Output {
    encoder: Encoder<Unpaged>,
    _context: Held,
}

impl Merger {
    /// A merger of `task`, whose runs in between go to `dirs`.
    ///
    /// # Errors
    ///
    /// [`SortError::Spill`] if the threads for reading ahead can't be started.
    pub fn new(
        task: &Arc<TaskMemoryManager>,
        dirs: SpillDirs,
        options: MergeOptions,
    ) -> Result<Self, SortError> {
        let consumer = task.register(ConsumerOptions {
            name: "merger".to_owned(),
            mode: options.mode,
            spill: Spillable::Never,
            ..ConsumerOptions::default()
        });
        Ok(Self {
            consumer,
            files: RunFiles::new(dirs).with_marks(options.marks),
            threads: ReadAhead::start(options.read_ahead_threads)?,
            options,
            stats: MergeStats::default(),
        })
    }

    /// Passes the records of `runs` to `sink` in order. May wait for memory, as `wait` says, for what
    /// is needed to merge two of them; all beyond is taken only where it is free.
    ///
    /// # Errors
    ///
    /// [`SortError`].
    pub fn merge(
        mut self,
        runs: Vec<Run>,
        wait: &Wait<'_>,
        mut sink: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<MergeStats, SortError> {
        for part in self.split(runs, 1, wait)? {
            let merged = part.merge(&mut sink)?;
            self.stats.records = merged.records;
            self.stats.record_bytes = merged.record_bytes;
        }
        Ok(self.stats)
    }

    /// Merges runs until all that are left can be merged at once, and divides that last merge into
    /// parts: at most `parts`, of about the same size and in order. Each can be merged by a thread of
    /// its own. Fewer are made where memory is short, where a run is a single long record, and where
    /// the runs' [marks](crate::SorterOptions::marks) are too few.
    ///
    /// # Errors
    ///
    /// [`SortError`].
    pub fn split(
        &mut self,
        mut runs: Vec<Run>,
        parts: usize,
        wait: &Wait<'_>,
    ) -> Result<Vec<MergePart>, SortError> {
        self.stats.runs = runs.len() as u64;
        runs.sort_by_key(Run::stored_bytes);
        loop {
            let output = self.output(runs.len(), wait)?;
            if let Some(parts) = self.open_parts(&runs, parts, wait)? {
                self.stats.fan_in = self.stats.fan_in.max(runs.len() as u64);
                return Ok(parts);
            }
            let mut group = self.open(&runs, wait)?;
            self.stats.fan_in = self.stats.fan_in.max(group.count() as u64);
            match output {
                Some(output) if group.count() < runs.len() => {
                    self.merge_between(&mut runs, group, output, wait)?;
                }
                output => {
                    drop(output);
                    group.release_read();
                    group.read_ahead(&self.threads, &self.memory(wait))?;
                    return Ok(vec![MergePart::new(group, self.options.unique)]);
                }
            }
        }
    }

    /// What it did so far, the parts of the last merge left out.
    #[must_use]
    pub fn stats(&self) -> MergeStats {
        self.stats
    }

    /// Opens all `runs` several times; nothing where they can't be divided.
    fn open_parts(
        &self,
        runs: &[Run],
        parts: usize,
        wait: &Wait<'_>,
    ) -> Result<Option<Vec<MergePart>>, SortError> {
        let MergeOptions {
            order,
            unique,
            spill,
            ..
        } = self.options;
        let fits = self.options.fan_in_max.is_none_or(|max| runs.len() <= max);
        let divisible = runs.iter().all(|run| !run.marks.is_empty());
        let mut parts = if fits && divisible { parts } else { 1 };
        while parts > 1 {
            let work = |run: &Run| (run.records, run.record_bytes);
            let samples = runs.iter().map(|run| (&run.marks, work(run)));
            let bounds = bounds(order, parts, samples);
            let ends = bounds.iter().map(|bound| Some(&**bound)).chain([None]);
            let mut opened = Vec::new();
            let mut first = None;
            for end in ends {
                let range = Range { first, end };
                let group = Group::try_open(runs, order, range, spill, &self.memory(wait))?;
                opened.extend(group);
                first = end;
            }
            if opened.len() == bounds.len() + 1 {
                let parts = opened.into_iter().map(|mut group| {
                    group.release_read();
                    MergePart::new(group, unique)
                });
                return Ok(Some(parts.collect()));
            }
            parts /= 2;
        }
        Ok(None)
    }

    /// What a run in between is written through, unless there can be none. It is taken first, so
    /// that a merge that turns out not to be the last can go on.
    fn output(&self, runs: usize, wait: &Wait<'_>) -> Result<Option<Output>, SortError> {
        if runs <= 2 {
            return Ok(None);
        }
        let spill = self.options.spill;
        let context = spill.write_context_bytes() as u64;
        let context = self.consumer.reserve(context, &mut NoSpill, wait)?;
        let buffer = self
            .memory(wait)
            .wait_for(spill.write_buffer_bytes() as u64)?;
        let encoder = Encoder::new(spill, buffer)?;
        Ok(Some(Output {
            encoder,
            _context: context,
        }))
    }

    fn open(&self, runs: &[Run], wait: &Wait<'_>) -> Result<Group, SortError> {
        let fan_in_max = self.options.fan_in_max.map_or(usize::MAX, |max| max.max(2));
        let (order, spill) = (self.options.order, self.options.spill);
        Group::open(
            runs.iter().take(fan_in_max),
            order,
            spill,
            &self.memory(wait),
        )
    }

    /// Merges the shortest runs into one.
    fn merge_between(
        &mut self,
        runs: &mut Vec<Run>,
        mut group: Group,
        mut output: Output,
        wait: &Wait<'_>,
    ) -> Result<(), SortError> {
        let Self {
            consumer,
            files,
            options,
            ..
        } = self;
        let (order, unique, spill) = (options.order, options.unique, options.spill);
        let memory = Memory { consumer, wait };
        let count = first_merge(runs.len(), group.count());
        group.truncate(count);
        group.read_ahead(&self.threads, &memory)?;
        let mut first = Some(group);
        let run = files.write(&mut output.encoder, |run| {
            let group = match first.take() {
                Some(group) => group,
                // A file could not be written; in another the runs are merged from the beginning.
                None => Group::open(runs[..count].iter(), order, spill, &memory)?,
            };
            group.merge(unique, |common, record| Ok(run.push(common, record)?))
        })?;
        self.stats.extra_merges += 1;
        self.stats.stored_bytes += run.stored_bytes();
        runs.drain(..count);
        let longer = |other: &Run| other.stored_bytes() <= run.stored_bytes();
        let at = runs.partition_point(longer);
        runs.insert(at, run);
        Ok(())
    }

    fn memory<'a>(&'a self, wait: &'a Wait<'a>) -> Memory<'a> {
        Memory {
            consumer: &self.consumer,
            wait,
        }
    }
}

/// How many of `runs` to merge first, `fan_in` being the most at once, so that all later merges are
/// as wide as they can be.
fn first_merge(runs: usize, fan_in: usize) -> usize {
    let rest = runs.saturating_sub(1) % fan_in.saturating_sub(1).max(1);
    if rest == 0 { fan_in } else { rest + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_the_first_merge_all_are_full() {
        for fan_in in 2..10 {
            for runs in fan_in + 1..100 {
                let first = first_merge(runs, fan_in);
                assert!((2..=fan_in).contains(&first));
                let left = runs - first + 1;
                assert_eq!(
                    (left - 1) % (fan_in - 1),
                    0,
                    "{runs} runs, {fan_in} at once"
                );
            }
        }
    }
}
