//! A sort from the first line read to the last line written.

use std::fs::File;
use std::io::Write;
use std::sync::Arc;

use mem_policy::{MemoryManager, PolicyKind};
use mem_pool::Ledger;
use mem_sort::{ExternalSorter, Merger, Run, SortStats, Sorted, SortedPages};
use mem_spill::SpillDirs;
use mem_sync::{Mutex, thread};
use task_mem::{CancelToken, TaskId, TaskMemoryManager, Unpaged, Wait};

use super::counters::Counters;
use super::error::SortFailure;
use super::gather::Gathering;
use super::input::{Source, Splitter};
use super::merge;
use super::output::{LineWriter, Target};
use super::plan::Plan;
use super::progress::Progress;
use super::report::{SortReport, TaskReport};
use super::resident::peak_resident_bytes;
use super::worker::{Shared, Worked, Worker};

/// A sort that is to be done, in tasks of a memory manager that others may use too.
#[derive(Debug)]
pub struct SortJob {
    manager: Arc<dyn MemoryManager>,
    plan: Plan,
    sources: Vec<Source>,
    /// What ends a line.
    pub delimiter: u8,
    /// Where runs go.
    pub spill_dirs: SpillDirs,
    /// The number of its first task; the others follow, the merging one is the last.
    pub first_task: i64,
    /// What the manager's probe counts, to be reported by task.
    pub counters: Option<Arc<Counters>>,
    /// Shows how far it is.
    pub progress: Progress,
    /// Cancels its waits for memory.
    pub cancel: Option<CancelToken>,
}

/// What the tasks that sorted left.
struct Gathered {
    pages: Vec<SortedPages>,
    runs: Vec<Run>,
    buffers: Vec<Unpaged>,
    tasks: Vec<Arc<TaskMemoryManager>>,
}

impl SortJob {
    /// A sort of the lines of `sources`, as `plan` says, which was made for `manager`.
    #[must_use]
    pub fn new(manager: Arc<dyn MemoryManager>, plan: Plan, sources: Vec<Source>) -> Self {
        Self {
            manager,
            plan,
            sources,
            delimiter: b'\n',
            spill_dirs: SpillDirs::default(),
            first_task: 1,
            counters: None,
            progress: Progress::default(),
            cancel: None,
        }
    }

    /// Sorts, and writes the lines to `output`. All inputs have been read before the first is written.
    ///
    /// # Errors
    ///
    /// [`SortFailure`]; all memory has been given back and no file is left.
    pub fn run(self, mut output: impl Write) -> Result<SortReport, SortFailure> {
        self.run_to(Target::Stream(&mut output))
    }

    /// The same, to a file from `offset` on, which several threads write at the same time.
    ///
    /// # Errors
    ///
    /// [`SortFailure`]; the file may have parts of the output then.
    pub fn run_to_file(self, file: &File, offset: u64) -> Result<SortReport, SortFailure> {
        self.run_to(Target::File { file, offset })
    }

    fn run_to(self, output: Target<'_>) -> Result<SortReport, SortFailure> {
        let clock = Arc::clone(self.ledger().clock());
        let mut report = self.new_report();
        let start = clock.now();
        let length: Option<u64> = self.sources.iter().map(Source::length).sum();
        self.progress.phase("sorting", length);
        let gathered = self.sort(&mut report)?;
        let sorted = clock.now();
        self.progress.phase("merging", Some(report.record_bytes));
        if gathered.runs.is_empty() {
            self.merge_pages(gathered, output, &mut report)?;
        } else {
            let Gathered {
                runs,
                pages,
                buffers,
                tasks,
            } = gathered;
            drop(pages);
            drop(buffers);
            drop(tasks);
            self.merge_runs(runs, output, &mut report)?;
        }
        self.progress.finish();
        report.seconds.sort = sorted.since(start);
        report.seconds.merge = clock.now().since(sorted);
        report.seconds.total = clock.now().since(start);
        report.peak_granted_bytes = self
            .ledger()
            .snapshot()
            .of_mode(self.plan.mode)
            .peak_granted;
        report.peak_resident_bytes = peak_resident_bytes();
        Ok(report)
    }

    fn ledger(&self) -> &Arc<Ledger> {
        self.manager.ledger()
    }

    fn wait(&self) -> Wait<'_> {
        Wait {
            deadline: None,
            cancel: self.cancel.as_ref(),
        }
    }

    fn new_report(&self) -> SortReport {
        SortReport {
            policy: match self.plan.policy {
                PolicyKind::Unified => "unified",
                PolicyKind::Static => "static",
            },
            memory: self.plan.mode.to_string(),
            budget_bytes: self.plan.budget,
            ..SortReport::default()
        }
    }

    fn new_task(&self, index: u32) -> Arc<TaskMemoryManager> {
        let number = self.first_task.saturating_add(i64::from(index));
        TaskMemoryManager::new(Arc::clone(&self.manager), TaskId::new(number))
    }

    /// The first phase: reads and sorts all lines.
    fn sort(&self, report: &mut SortReport) -> Result<Gathered, SortFailure> {
        let (plan, wait) = (&self.plan, self.wait());
        // All tasks ask for their first memory here, so that from the first line on each has its
        // share and no more.
        let mut tasks = Vec::new();
        for index in 0..plan.tasks {
            let task = self.new_task(index);
            let buffer = task.allocate_unpaged(plan.read_bytes, plan.mode, &wait)?;
            tasks.push((buffer, task));
        }
        let (_, first) = tasks.first().expect("a plan has one task at least");
        let carry = first.allocate_unpaged(plan.read_bytes, plan.mode, &wait)?;
        let shared = Shared {
            plan,
            delimiter: self.delimiter,
            input: Mutex::new(Splitter::new(self.sources.clone(), self.delimiter, carry)),
            gathering: Gathering::of(plan.tasks),
            progress: &self.progress,
            wait,
        };
        let worker = |(buffer, task)| Worker {
            shared: &shared,
            sorter: ExternalSorter::new(&task, self.spill_dirs.clone(), plan.sorter.clone()),
            buffer,
            task,
        };
        let worked = run_all(tasks.into_iter().map(worker).collect(), &shared.gathering)?;
        Ok(self.gather(worked, report))
    }

    fn gather(&self, worked: Vec<Worked>, report: &mut SortReport) -> Gathered {
        let mut gathered = Gathered {
            pages: Vec::new(),
            runs: Vec::new(),
            buffers: Vec::new(),
            tasks: Vec::new(),
        };
        let mut sums = SortStats::default();
        for Worked {
            sorted,
            stats,
            buffer,
            task,
        } in worked
        {
            sums += stats;
            report.add_task(self.task_report(task.task(), "sort", stats.records, stats.spills));
            match sorted {
                Sorted::InMemory(pages) => gathered.pages.push(pages),
                Sorted::Spilled(runs) => gathered.runs.extend(runs),
            }
            gathered.buffers.push(buffer);
            gathered.tasks.push(task);
        }
        report.records = sums.records;
        report.record_bytes = sums.record_bytes;
        report.spills = sums.spills;
        report.spilled_bytes = sums.spilled_bytes;
        report.stored_bytes = sums.stored_bytes;
        gathered
    }

    fn task_report(
        &self,
        task: TaskId,
        role: &'static str,
        records: u64,
        spills: u64,
    ) -> TaskReport {
        TaskReport {
            task,
            role,
            peak_granted_bytes: self.ledger().peak_of(task, self.plan.mode),
            records,
            spills,
            counts: self
                .counters
                .as_ref()
                .map(|counters| counters.of(task))
                .unwrap_or_default(),
        }
    }

    /// The second phase, if nothing was spilled. One of the read buffers becomes the output buffer.
    fn merge_pages(
        &self,
        mut gathered: Gathered,
        output: Target<'_>,
        report: &mut SortReport,
    ) -> Result<(), SortFailure> {
        let buffer = gathered
            .buffers
            .pop()
            .expect("a plan has one task at least");
        let mut output = LineWriter::new(output.into_stream(), buffer, self.delimiter);
        let sink = merge::sink(&mut output, &self.progress);
        SortedPages::merge(&gathered.pages, sink)?;
        let written = output.finish().map_err(SortFailure::Output)?;
        (report.output_records, report.output_bytes) = written;
        Ok(())
    }

    /// The second phase, if there are runs: a task merges them, which has all the memory.
    fn merge_runs(
        &self,
        runs: Vec<Run>,
        output: Target<'_>,
        report: &mut SortReport,
    ) -> Result<(), SortFailure> {
        let (plan, wait) = (&self.plan, self.wait());
        // What is left out where lines are the same is not known before.
        let parts = match output {
            Target::File { .. } if !plan.merge.unique => plan.merge_parts,
            _ => 1,
        };
        let task = self.new_task(plan.tasks);
        let mut buffers = Vec::new();
        for _ in 0..parts {
            buffers.push(task.allocate_unpaged(plan.output_bytes, plan.mode, &wait)?);
        }
        let mut merger = Merger::new(&task, self.spill_dirs.clone(), plan.merge.clone())?;
        let parts = merger.split(runs, parts, &wait)?;
        let merging = merge::Merging {
            progress: &self.progress,
            delimiter: self.delimiter,
        };
        let merged = merging.merge(parts, buffers, output)?;
        let stats = merger.stats();
        report.output_records = merged.lines;
        report.output_bytes = merged.bytes;
        report.extra_merges = stats.extra_merges;
        report.fan_in = stats.fan_in;
        report.extra_stored_bytes = stats.stored_bytes;
        report.add_task(self.task_report(task.task(), "merge", merged.lines, stats.extra_merges));
        Ok(())
    }
}

/// Has each worker work in a thread of its own, and waits for all. The first failure counts.
fn run_all(workers: Vec<Worker<'_>>, gathering: &Gathering) -> Result<Vec<Worked>, SortFailure> {
    let outcomes: Vec<_> = thread::scope(|scope| {
        let mut threads = Vec::new();
        for worker in workers {
            let name = format!("sort-{}", worker.task.task().get());
            let thread = thread::Builder::new()
                .name(name)
                .spawn_scoped(scope, || worker.work());
            if thread.is_err() {
                gathering.abandon();
            }
            threads.push(thread);
        }
        let mut outcomes = Vec::new();
        for thread in threads {
            outcomes.push(match thread {
                Ok(thread) => thread.join().unwrap_or(Err(SortFailure::Panicked)),
                Err(error) => Err(SortFailure::Thread(error)),
            });
        }
        outcomes
    });
    let worked: Vec<Option<Worked>> = outcomes.into_iter().collect::<Result<_, _>>()?;
    // Only where somebody failed is there nothing of somebody.
    Ok(worked.into_iter().flatten().collect())
}
