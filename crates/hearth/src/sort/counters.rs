//! Counting by task what happens in the ledger.

use std::collections::BTreeMap;

use mem_pool::{Event, Probe, TaskId, TracingProbe};
use mem_sync::Mutex;

/// How often something happened to a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct TaskCounts {
    /// Its requests that waited.
    pub waits: u64,
    /// Its requests that were granted in part.
    pub short_grants: u64,
    /// Its requests that were refused.
    pub refusals: u64,
}

/// A [`Probe`] that counts waits, short grants and refusals by task.
#[derive(Debug, Default)]
pub struct Counters {
    tasks: Mutex<BTreeMap<TaskId, TaskCounts>>,
    /// Events go on to there.
    next: Option<TracingProbe>,
}

impl Counters {
    /// Counters that pass every event on to [`tracing`](TracingProbe), if it is to be `logged`.
    #[must_use]
    pub fn new(logged: bool) -> Self {
        Self {
            tasks: Mutex::default(),
            next: logged.then_some(TracingProbe),
        }
    }

    /// What happened to a task so far.
    #[must_use]
    pub fn of(&self, task: TaskId) -> TaskCounts {
        self.tasks.lock().get(&task).copied().unwrap_or_default()
    }

    fn count(&self, task: TaskId, count: impl FnOnce(&mut TaskCounts)) {
        count(self.tasks.lock().entry(task).or_default());
    }
}

impl Probe for Counters {
    fn record(&self, sequence: Option<u64>, event: &Event) {
        match *event {
            Event::Wait { task, .. } => self.count(task, |counts| counts.waits += 1),
            Event::Refuse {
                task: Some(task), ..
            } => {
                self.count(task, |counts| counts.refusals += 1);
            }
            Event::Grant {
                task: Some(task),
                asked,
                granted,
                ..
            } if granted < asked => {
                self.count(task, |counts| counts.short_grants += 1);
            }
            _ => {}
        }
        if let Some(next) = &self.next {
            next.record(sequence, event);
        }
    }
}
