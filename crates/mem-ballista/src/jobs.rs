//! What the tasks of each job hold and have been through on one executor.

use std::collections::VecDeque;
use std::fmt::{self, Write};
use std::sync::{Arc, Weak};
use std::time::Duration;

use mem_datafusion::{HearthMemoryPool, PoolStats};
use mem_sync::Mutex;

/// Jobs that are remembered while none of their tasks runs.
const IDLE_JOBS: usize = 64;

/// How a task ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Succeeded,
    Failed,
    /// Cancelled, or the executor is being stopped.
    BrokenOff,
}

/// One job on one executor.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobStats {
    /// Ballista's name for it.
    pub job: String,
    /// Tasks that run now.
    pub running: u64,
    /// Tasks that succeeded.
    pub succeeded: u64,
    /// Tasks that failed.
    pub failed: u64,
    /// Tasks that were cancelled, by Ballista or because the executor was stopped.
    pub broken_off: u64,
    /// Tasks that still held memory two seconds after their end.
    pub leaks: u64,
    /// Bytes that its tasks hold now, those that are over included.
    pub held: u64,
    /// The most that one of its tasks held, in bytes, of those that are over.
    pub peak: u64,
    /// Requests of its tasks that were refused; most are followed by a spill.
    pub refusals: u64,
    /// Requests that waited for other tasks.
    pub waits: u64,
    /// How long they did, together.
    pub waited: Duration,
}

impl fmt::Display for JobStats {
    /// One line, `key=value`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "job={} running={} succeeded={} failed={} broken_off={} leaks={} held={} peak={} refusals={} waits={} waited_ms={}",
            self.job,
            self.running,
            self.succeeded,
            self.failed,
            self.broken_off,
            self.leaks,
            self.held,
            self.peak,
            self.refusals,
            self.waits,
            self.waited.as_millis()
        )
    }
}

/// All jobs of one executor.
#[derive(Debug, Default)]
pub(crate) struct Jobs {
    jobs: Mutex<VecDeque<Job>>,
}

#[derive(Debug, Default)]
struct Job {
    stats: JobStats,
    /// The tasks that run, or still hold something.
    tasks: Vec<(String, Weak<HearthMemoryPool>)>,
}

impl Job {
    /// What it has been through, and holds now.
    fn now(&mut self) -> JobStats {
        self.tasks.retain(|(_, pool)| pool.strong_count() > 0);
        let pools = self.tasks.iter().filter_map(|(_, pool)| pool.upgrade());
        self.stats.held = pools.map(|pool| pool.stats().used).sum();
        self.stats.clone()
    }
}

impl Jobs {
    /// A task begins.
    pub(crate) fn begin(&self, name: &str, task: &str, pool: &Arc<HearthMemoryPool>) {
        let mut jobs = self.jobs.lock();
        let place = jobs.iter().position(|job| job.stats.job == name);
        let place = place.unwrap_or_else(|| {
            forget_one(&mut jobs);
            jobs.push_back(Job::default());
            jobs.len().saturating_sub(1)
        });
        let job = &mut jobs[place];
        if job.stats.job.is_empty() {
            name.clone_into(&mut job.stats.job);
            log::info!("job={name} begins with {task}");
        }
        job.stats.running = job.stats.running.saturating_add(1);
        job.tasks.push((task.to_owned(), Arc::downgrade(pool)));
    }

    /// A task still held memory when its time was up.
    pub(crate) fn leaked(&self, name: &str) {
        let mut jobs = self.jobs.lock();
        if let Some(job) = jobs.iter_mut().find(|job| job.stats.job == name) {
            job.stats.leaks = job.stats.leaks.saturating_add(1);
        }
    }

    /// A task is over. What the job has been through, where that was the last one that ran.
    pub(crate) fn end(
        &self,
        name: &str,
        pool: &Arc<HearthMemoryPool>,
        task: &PoolStats,
        outcome: Outcome,
    ) -> Option<JobStats> {
        let mut jobs = self.jobs.lock();
        let job = jobs.iter_mut().find(|job| job.stats.job == name)?;
        if task.used == 0 {
            job.tasks
                .retain(|(_, other)| !std::ptr::eq(other.as_ptr(), Arc::as_ptr(pool)));
        }
        let stats = &mut job.stats;
        stats.running = stats.running.saturating_sub(1);
        let ended = match outcome {
            Outcome::Succeeded => &mut stats.succeeded,
            Outcome::Failed => &mut stats.failed,
            Outcome::BrokenOff => &mut stats.broken_off,
        };
        *ended = ended.saturating_add(1);
        stats.peak = stats.peak.max(task.peak);
        stats.refusals = stats.refusals.saturating_add(task.refusals);
        stats.waits = stats.waits.saturating_add(task.waits);
        stats.waited = stats.waited.saturating_add(task.waited);
        (stats.running == 0).then(|| job.now())
    }

    /// Whether none of a job's tasks has begun since its last one ended with that.
    pub(crate) fn rests_since(&self, last: &JobStats) -> bool {
        let ended = |stats: &JobStats| (stats.succeeded, stats.failed, stats.broken_off);
        let jobs = self.jobs.lock();
        let job = jobs.iter().find(|job| job.stats.job == last.job);
        job.is_none_or(|job| job.stats.running == 0 && ended(&job.stats) == ended(last))
    }

    pub(crate) fn running(&self) -> usize {
        let jobs = self.jobs.lock();
        let running: u64 = jobs.iter().map(|job| job.stats.running).sum();
        usize::try_from(running).unwrap_or(usize::MAX)
    }

    pub(crate) fn stats(&self) -> Vec<JobStats> {
        self.jobs.lock().iter_mut().map(Job::now).collect()
    }

    /// Which number is which task.
    pub(crate) fn names(&self) -> String {
        let mut text = String::new();
        for (name, pool) in self.jobs.lock().iter().flat_map(|job| &job.tasks) {
            if let Some(pool) = pool.upgrade() {
                let comma = if text.is_empty() { "" } else { ", " };
                // Writing to a string can't fail.
                write!(text, "{comma}{} is {name}", pool.task()).unwrap_or_default();
            }
        }
        text
    }
}

/// Makes room for one more job: the oldest that does nothing any more is forgotten.
fn forget_one(jobs: &mut VecDeque<Job>) {
    let idle = |job: &Job| job.stats.running == 0 && job.tasks.is_empty();
    if jobs.iter().filter(|job| idle(job)).count() >= IDLE_JOBS
        && let Some(oldest) = jobs.iter().position(idle)
    {
        drop(jobs.remove(oldest));
    }
}
