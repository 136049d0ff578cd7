//! The consumers of a trace: they hold memory and pages, and spill as the trace says.

use std::io;
use std::sync::{Arc, Weak};

use mem_sync::Mutex;
use task_mem::raw::{self, RawPage};
use task_mem::{
    ConsumerId, ConsumerOptions, MemoryConsumer, Spill, SpillError, Spillable, TaskMemoryManager,
};

use super::journal::Journal;
use crate::format::{SpillBehaviour, SpillCall};
use crate::spark_errors;

/// A consumer of a trace.
#[derive(Debug)]
pub(super) struct TraceConsumer {
    /// Its number in the trace.
    pub(super) number: u64,
    pub(super) memory: MemoryConsumer,
    behaviour: SpillBehaviour,
    journal: Journal,
    /// Its own pages, oldest first.
    pages: Mutex<Vec<RawPage>>,
    /// The consumers of its task, by the number that the task gave them.
    peers: Peers,
}

/// The numbers in the trace of a task's consumers.
pub(super) type Peers = Arc<Mutex<std::collections::BTreeMap<ConsumerId, u64>>>;

impl TraceConsumer {
    pub(super) fn new(
        task: &Arc<TaskMemoryManager>,
        number: u64,
        behaviour: SpillBehaviour,
        mut options: ConsumerOptions,
        journal: Journal,
        peers: Peers,
    ) -> Arc<Self> {
        Arc::new_cyclic(|itself: &Weak<Self>| {
            options.name = format!("consumer-{number}");
            let weak: Weak<dyn Spill> = itself.clone();
            options.spill = Spillable::ByAnyone(weak);
            let memory = task.register(options);
            peers.lock().insert(memory.id(), number);
            Self {
                number,
                memory,
                behaviour,
                journal,
                pages: Mutex::default(),
                peers,
            }
        })
    }

    /// A page of its own has come.
    pub(super) fn keep(&self, page: RawPage) {
        self.pages.lock().push(page);
    }

    /// Frees a page; one of its own is its own no longer. False where the task has no such page.
    pub(super) fn free(&self, number: u16) -> bool {
        self.pages.lock().retain(|page| page.number != number);
        raw::free_page(&self.memory, number).is_ok()
    }

    /// Spills for a request of its own.
    pub(super) fn spill_itself(&self, need: u64) -> Result<u64, SpillError> {
        self.spill_for(need, self.memory.id())
    }

    fn spill_for(&self, need: u64, trigger: ConsumerId) -> Result<u64, SpillError> {
        let result = match self.behaviour {
            SpillBehaviour::All => Ok(self.spill_all()),
            SpillBehaviour::Requested => Ok(self.spill_requested(need)),
            SpillBehaviour::None => Ok(0),
            SpillBehaviour::Fail => Err(SpillError::Io(io::Error::other("spill failed"))),
            SpillBehaviour::Closed => {
                Err(SpillError::Interrupted(io::ErrorKind::Interrupted.into()))
            }
        };
        let trigger = self.peers.lock().get(&trigger).copied().unwrap_or_default();
        self.journal.spilled(SpillCall {
            consumer: self.number,
            requested: need,
            released: result.as_ref().ok().copied(),
            failed: result.as_ref().err().map(spark_errors::of_spilling),
            trigger,
        });
        result
    }

    fn spill_all(&self) -> u64 {
        let before = self.memory.used();
        while self.free_oldest().is_some() {}
        raw::free_memory(&self.memory, self.memory.used());
        before
    }

    fn spill_requested(&self, need: u64) -> u64 {
        let in_pages: u64 = self.pages.lock().iter().map(|page| page.bytes).sum();
        let outside = self.memory.used().saturating_sub(in_pages);
        let mut freed = outside.min(need);
        raw::free_memory(&self.memory, freed);
        while freed < need
            && let Some(bytes) = self.free_oldest()
        {
            freed = freed.saturating_add(bytes);
        }
        freed
    }

    /// Frees its oldest page; returns the page's bytes.
    fn free_oldest(&self) -> Option<u64> {
        let page = {
            let mut pages = self.pages.lock();
            (!pages.is_empty()).then(|| pages.remove(0))
        }?;
        let freed = raw::free_page(&self.memory, page.number);
        freed.is_ok().then_some(page.bytes)
    }
}

impl Spill for TraceConsumer {
    fn spill(&self, need: u64, trigger: ConsumerId) -> Result<u64, SpillError> {
        self.spill_for(need, trigger)
    }
}
