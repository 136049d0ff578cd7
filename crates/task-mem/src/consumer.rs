//! A consumer: who asks for memory in a task.

use std::fmt;
use std::sync::Arc;

use mem_block::MemoryMode;

use crate::charge::{Account, Charge};
use crate::error::ConsumerLabel;
use crate::held::Held;
use crate::manager::TaskMemoryManager;
use crate::record::Record;
use crate::spill::Spillable;
use crate::workspace::{Shelf, WorkspaceBuffer};

/// A consumer's number in its task, in order of registration from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConsumerId(u64);

impl ConsumerId {
    /// The task itself: the owner of unpaged memory that no consumer asked for.
    pub const TASK: Self = Self(0);

    pub(crate) const fn new(id: u64) -> Self {
        Self(id)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for ConsumerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "consumer {}", self.0)
    }
}

/// What a consumer says of itself when it registers.
#[derive(Debug, Default)]
pub struct ConsumerOptions {
    /// What errors and reports call it.
    pub name: String,
    /// The mode of its memory; by default the manager's tungsten mode.
    pub mode: Option<MemoryMode>,
    /// Bytes of its pages; by default the manager's page size.
    pub page_size: Option<u64>,
    /// Who can make it spill.
    pub spill: Spillable,
    /// Bytes of each buffer that it needs in order to spill. They are reserved together with the
    /// consumer's first growth, and held until the consumer is dropped; without them it does not
    /// grow. So a spill can always proceed.
    pub spill_workspace: Vec<u64>,
}

impl ConsumerOptions {
    /// A consumer of that name, which spills for itself only, with everything else by default.
    #[must_use]
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }
}

/// Who asks for memory: Spark's `MemoryConsumer`, as a handle that the actual consumer owns.
///
/// Every way of asking comes with three faces: `acquire` waits on the calling thread, `try_acquire`
/// never waits, `acquire_async` is a future that can be dropped. What is granted is a guard.
///
/// While a consumer asks, no other makes it spill: the asker may hold the consumer's own lock. The
/// memory of a dropped consumer stays with its guards.
pub struct MemoryConsumer {
    registration: Arc<Registration>,
}

/// What a request has to know of its consumer.
pub(crate) struct Registration {
    pub(crate) task: Arc<TaskMemoryManager>,
    pub(crate) label: ConsumerLabel,
    pub(crate) mode: MemoryMode,
    pub(crate) page_size: u64,
    pub(crate) spills_itself: bool,
    pub(crate) shelf: Arc<Shelf>,
}

impl MemoryConsumer {
    pub(crate) fn new(task: &Arc<TaskMemoryManager>, options: ConsumerOptions) -> Self {
        let name: Arc<str> = options.name.into();
        let mode = options.mode.unwrap_or_else(|| task.tungsten_memory_mode());
        let spills_itself = !matches!(options.spill, Spillable::Never);
        let id = task.add(Record::new(Arc::clone(&name), mode, options.spill));
        let registration = Registration {
            task: Arc::clone(task),
            label: ConsumerLabel { id, name },
            mode,
            page_size: options.page_size.unwrap_or_else(|| task.page_size_bytes()),
            spills_itself,
            shelf: Arc::new(Shelf::new(options.spill_workspace)),
        };
        Self {
            registration: Arc::new(registration),
        }
    }

    /// Its number in its task.
    #[must_use]
    pub fn id(&self) -> ConsumerId {
        self.registration.label.id
    }

    /// The name it registered with.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.registration.label.name
    }

    /// The mode of its memory.
    #[must_use]
    pub fn mode(&self) -> MemoryMode {
        self.registration.mode
    }

    /// Bytes of a page, where no more are needed.
    #[must_use]
    pub fn page_size(&self) -> u64 {
        self.registration.page_size
    }

    /// Its task.
    #[must_use]
    pub fn task(&self) -> &Arc<TaskMemoryManager> {
        &self.registration.task
    }

    /// Bytes that it uses: its [`Held`] memory and its pages, but not its workspace, its unpaged
    /// regions, and what is [charged apart](crate::raw). Spark: `getUsed`.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.registration.task.state.lock().record(self.id()).used()
    }

    /// The whole size class that holds `bytes`, for asking in sizes that are used again well; what is
    /// asked for is what is charged.
    #[must_use]
    pub fn good_size(&self, bytes: u64) -> u64 {
        self.registration
            .task
            .allocator(self.registration.mode)
            .good_size(bytes)
    }

    /// A guard of no bytes, to merge others into.
    pub fn nothing_held(&self) -> Held {
        let epoch = self.registration.task.state.lock().epoch;
        let kind = (self.id(), Account::Used);
        Held::new(Charge::new(
            Arc::clone(&self.registration.task),
            kind,
            self.registration.mode,
            epoch,
            0,
        ))
    }

    /// The buffers that it needs in order to spill, in the order in which they were declared; each
    /// goes back when it is dropped. Those that are lent out already are missing, and before the
    /// consumer's first growth all are.
    #[must_use]
    pub fn workspace(&self) -> Vec<WorkspaceBuffer> {
        Shelf::lend(&self.registration.shelf)
    }

    pub(crate) fn registration(&self) -> &Arc<Registration> {
        &self.registration
    }
}

impl Drop for MemoryConsumer {
    fn drop(&mut self) {
        self.registration.shelf.close();
        self.registration
            .task
            .state
            .lock()
            .remove(self.registration.label.id);
    }
}

impl fmt::Debug for MemoryConsumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MemoryConsumer")
            .field(&self.registration)
            .finish()
    }
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registration")
            .field("task", &self.task.task())
            .field("label", &self.label)
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}
