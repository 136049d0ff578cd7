//! The tasks of a trace, each with its memory manager and its consumers.

use std::collections::BTreeMap;
use std::sync::Arc;

use mem_block::testing::FailingAllocator;
use mem_block::{MemoryAllocator, MemoryMode};
use mem_policy::MemoryManager;
use mem_policy::config::ResolvedMemory;
use mem_pool::{Ledger, TaskId};
use task_mem::{ConsumerOptions, TaskMemoryManager};

use super::consumer::{Peers, TraceConsumer};
use super::journal::Journal;
use crate::format::{Mode, SpillBehaviour};
use crate::report::Problem;

/// The tasks that there are, and all their consumers.
#[derive(Debug)]
pub(super) struct Tasks {
    /// Where pages come from.
    pages: Arc<dyn MemoryAllocator>,
    tasks: BTreeMap<i64, TraceTask>,
    consumers: BTreeMap<u64, Arc<TraceConsumer>>,
}

/// One task.
#[derive(Debug)]
pub(super) struct TraceTask {
    pub(super) memory: Arc<TaskMemoryManager>,
    /// Where its pages come from.
    pub(super) allocator: Arc<FailingAllocator>,
    peers: Peers,
}

impl Tasks {
    /// No tasks yet; their pages will come from `pages`.
    pub(super) fn new(pages: Arc<dyn MemoryAllocator>) -> Self {
        Self {
            pages,
            tasks: BTreeMap::new(),
            consumers: BTreeMap::new(),
        }
    }

    /// A task begins.
    pub(super) fn begin(
        &mut self,
        manager: &Arc<dyn MemoryManager>,
        task: i64,
    ) -> Result<(), Problem> {
        if self.tasks.contains_key(&task) {
            return Err(Problem::sense(format!("there is a task {task} already")));
        }
        let allocator = FailingAllocator::new(Arc::clone(&self.pages));
        let own = TaskView {
            shared: Arc::clone(manager),
            pages: Arc::clone(&allocator) as Arc<dyn MemoryAllocator>,
        };
        let memory = TaskMemoryManager::new(Arc::new(own), TaskId::new(task));
        self.tasks.insert(
            task,
            TraceTask {
                memory,
                allocator,
                peers: Peers::default(),
            },
        );
        Ok(())
    }

    /// A task gets a consumer.
    pub(super) fn add_consumer(
        &mut self,
        (task, number): (i64, u64),
        (mode, page_size): (Mode, Option<i64>),
        behaviour: SpillBehaviour,
        journal: &Journal,
    ) -> Result<(), Problem> {
        if self.consumers.contains_key(&number) {
            return Err(Problem::sense(format!(
                "there is a consumer {number} already"
            )));
        }
        let task = self.task(task)?;
        let options = ConsumerOptions {
            mode: Some(mode.into()),
            page_size: page_size.map(|bytes| u64::try_from(bytes).unwrap_or(0)),
            ..ConsumerOptions::default()
        };
        let (journal, peers) = (journal.clone(), Arc::clone(&task.peers));
        let consumer = TraceConsumer::new(&task.memory, number, behaviour, options, journal, peers);
        self.consumers.insert(number, consumer);
        Ok(())
    }

    pub(super) fn task(&self, task: i64) -> Result<&TraceTask, Problem> {
        let known = self.tasks.get(&task);
        known.ok_or_else(|| Problem::sense(format!("there is no task {task}")))
    }

    pub(super) fn consumer(&self, number: u64) -> Result<&Arc<TraceConsumer>, Problem> {
        let known = self.consumers.get(&number);
        known.ok_or_else(|| Problem::sense(format!("there is no consumer {number}")))
    }

    /// A task ends, and its consumers with it. Returns what it had left behind, as Spark counts it.
    pub(super) fn end(&mut self, task: i64) -> Result<u64, Problem> {
        let released = self.task(task)?.memory.cleanup().released;
        self.consumers
            .retain(|_, consumer| consumer.memory.task().task() != TaskId::new(task));
        self.tasks.remove(&task);
        Ok(released)
    }

    /// What each consumer of a task uses; nothing for a task that has no memory manager.
    pub(super) fn used(&self, task: i64) -> impl Iterator<Item = (u64, u64)> + '_ {
        let own = move |consumer: &&Arc<TraceConsumer>| {
            consumer.memory.task().task() == TaskId::new(task)
        };
        let consumers = self.consumers.values().filter(own);
        consumers.map(|consumer| (consumer.number, consumer.memory.used()))
    }
}

/// The shared manager as one task sees it: its pages come from an allocator of its own, of the mode
/// that pages are of, whoever they are charged to; so does Spark.
#[derive(Debug)]
struct TaskView {
    shared: Arc<dyn MemoryManager>,
    pages: Arc<dyn MemoryAllocator>,
}

impl MemoryManager for TaskView {
    fn ledger(&self) -> &Arc<Ledger> {
        self.shared.ledger()
    }

    fn allocator(&self, _mode: MemoryMode) -> &Arc<dyn MemoryAllocator> {
        &self.pages
    }

    fn tungsten_memory_mode(&self) -> MemoryMode {
        self.shared.tungsten_memory_mode()
    }

    fn page_size_bytes(&self) -> u64 {
        self.shared.page_size_bytes()
    }

    fn resolved(&self) -> &ResolvedMemory {
        self.shared.resolved()
    }
}
