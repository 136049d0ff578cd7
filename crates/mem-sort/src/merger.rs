//! Merging runs, in as few passes as memory allows.

use std::io;
use std::sync::Arc;

use mem_spill::{Encoder, ReadAhead, SpillDirs};
use task_mem::{ConsumerOptions, Held, MemoryConsumer, NoSpill, Spillable, TaskMemoryManager};
use task_mem::{Unpaged, Wait};

use crate::error::SortError;
use crate::group::{Group, Memory};
use crate::options::MergeOptions;
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
            files: RunFiles::new(dirs),
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
        mut runs: Vec<Run>,
        wait: &Wait<'_>,
        mut sink: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<MergeStats, SortError> {
        self.stats.runs = runs.len() as u64;
        runs.sort_by_key(Run::stored_bytes);
        loop {
            let output = self.output(runs.len(), wait)?;
            let group = self.open(&runs, wait)?;
            self.stats.fan_in = self.stats.fan_in.max(group.count() as u64);
            match output {
                Some(output) if group.count() < runs.len() => {
                    self.merge_between(&mut runs, group, output, wait)?;
                }
                _ => return self.merge_last(group, wait, &mut sink),
            }
        }
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
            group.merge(
                order,
                unique,
                |common, record| Ok(run.push(common, record)?),
            )
        })?;
        self.stats.extra_merges += 1;
        self.stats.stored_bytes += run.stored_bytes();
        runs.drain(..count);
        let longer = |other: &Run| other.stored_bytes() <= run.stored_bytes();
        let at = runs.partition_point(longer);
        runs.insert(at, run);
        Ok(())
    }

    fn merge_last(
        mut self,
        mut group: Group,
        wait: &Wait<'_>,
        sink: &mut impl FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<MergeStats, SortError> {
        group.read_ahead(&self.threads, &self.memory(wait))?;
        let stats = &mut self.stats;
        group.merge(self.options.order, self.options.unique, |_, record| {
            stats.records += 1;
            stats.record_bytes += record.len() as u64;
            sink(record).map_err(SortError::Sink)
        })?;
        Ok(self.stats)
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
