//! Consumers that spill: the stand-ins of Spark's `TestMemoryConsumer` and
//! `TestPartialSpillingMemoryConsumer`, and some that do not do as they should.

use std::io;
use std::sync::{Arc, Weak};

use mem_block::MemoryMode;
use mem_sync::Mutex;
use mem_sync::atomic::{AtomicU64, Ordering};
use task_mem::{
    ConsumerId, ConsumerOptions, Held, MemoryConsumer, MemoryError, Page, Spill, SpillError,
    Spillable, TaskMemoryManager, Wait,
};

/// How a [`TestConsumer`] spills.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Everything, however little is needed.
    All,
    /// What is needed, of what it holds outside pages; then page by page.
    Partial,
    /// Nothing.
    Nothing,
    /// Nothing, but it says otherwise.
    Liar,
    /// The disk is full.
    DiskFull,
    /// The task was killed.
    Killed,
    /// Another error.
    Confused,
}

#[derive(Debug, Default)]
struct Memory {
    held: Option<Held>,
    pages: Vec<Page>,
}

/// A consumer with memory to spill.
#[derive(Debug)]
pub(crate) struct TestConsumer {
    pub(crate) handle: MemoryConsumer,
    kind: Kind,
    memory: Mutex<Memory>,
    spilled: AtomicU64,
    /// Needs it was asked for, in order.
    asked: Mutex<Vec<u64>>,
}

impl TestConsumer {
    pub(crate) fn new(task: &Arc<TaskMemoryManager>, kind: Kind) -> Arc<Self> {
        Self::with(task, kind, ConsumerOptions::named("test"))
    }

    pub(crate) fn of_mode(
        task: &Arc<TaskMemoryManager>,
        kind: Kind,
        mode: MemoryMode,
    ) -> Arc<Self> {
        let options = ConsumerOptions {
            mode: Some(mode),
            ..ConsumerOptions::named("test")
        };
        Self::with(task, kind, options)
    }

    pub(crate) fn with(
        task: &Arc<TaskMemoryManager>,
        kind: Kind,
        options: ConsumerOptions,
    ) -> Arc<Self> {
        Arc::new_cyclic(|me: &Weak<Self>| {
            let spill = Spillable::ByAnyone(me.clone());
            Self {
                handle: task.register(ConsumerOptions { spill, ..options }),
                kind,
                memory: Mutex::new(Memory::default()),
                spilled: AtomicU64::new(0),
                asked: Mutex::new(Vec::new()),
            }
        })
    }

    /// Spark's `use`: acquires and keeps. Returns the grant.
    pub(crate) fn acquire(&self, bytes: u64) -> Result<u64, MemoryError> {
        let mut spill = |need| self.spill_now(need);
        let held = self.handle.acquire(bytes, &mut spill, &Wait::default())?;
        Ok(self.keep(held))
    }

    /// [`acquire`](Self::acquire) as a future.
    pub(crate) async fn acquire_async(&self, bytes: u64) -> Result<u64, MemoryError> {
        let mut spill = |need| self.spill_now(need);
        let held = self
            .handle
            .acquire_async(bytes, &mut spill, &Wait::default())
            .await?;
        Ok(self.keep(held))
    }

    pub(crate) fn allocate_page(&self, required: u64) -> Result<u16, MemoryError> {
        let mut spill = |need| self.spill_now(need);
        let page = self
            .handle
            .allocate_page(required, &mut spill, &Wait::default())?;
        let number = page.number();
        self.memory.lock().pages.push(page);
        Ok(number)
    }

    pub(crate) fn allocate_array(&self, longs: u64) -> Result<u16, MemoryError> {
        let mut spill = |need| self.spill_now(need);
        let page = self
            .handle
            .allocate_array(longs, &mut spill, &Wait::default())?;
        let number = page.number();
        self.memory.lock().pages.push(page);
        Ok(number)
    }

    pub(crate) fn keep(&self, held: Held) -> u64 {
        let bytes = held.bytes();
        let mut memory = self.memory.lock();
        let Some(before) = &mut memory.held else {
            memory.held = Some(held);
            return bytes;
        };
        before.merge(held).expect("all is of one consumer");
        bytes
    }

    /// Gives back `bytes` of what it holds outside pages.
    pub(crate) fn free(&self, bytes: u64) {
        let freed = self
            .memory
            .lock()
            .held
            .as_mut()
            .map(|held| held.split(bytes));
        assert_eq!(
            freed.map(|freed| freed.bytes()),
            Some(bytes),
            "it holds what it frees"
        );
    }

    pub(crate) fn free_all(&self) -> u64 {
        let memory = std::mem::take(&mut *self.memory.lock());
        let held = memory.held.as_ref().map_or(0, Held::bytes);
        held + memory.pages.iter().map(Page::bytes).sum::<u64>()
    }

    /// Takes out what it holds outside pages.
    pub(crate) fn take_held(&self) -> Option<Held> {
        self.memory.lock().held.take()
    }

    pub(crate) fn used(&self) -> u64 {
        self.handle.used()
    }

    /// Bytes spilled so far.
    pub(crate) fn spilled(&self) -> u64 {
        self.spilled.load(Ordering::Relaxed)
    }

    /// The needs it was asked for since the last look.
    pub(crate) fn asked(&self) -> Vec<u64> {
        std::mem::take(&mut self.asked.lock())
    }

    pub(crate) fn spill_now(&self, need: u64) -> Result<u64, SpillError> {
        self.asked.lock().push(need);
        let released = match self.kind {
            Kind::All => self.free_all(),
            Kind::Partial => self.free_some(need),
            Kind::Nothing => 0,
            Kind::Liar => return Ok(need),
            Kind::DiskFull => return Err(io::Error::from(io::ErrorKind::StorageFull).into()),
            Kind::Killed => return Err(io::Error::from(io::ErrorKind::Interrupted).into()),
            Kind::Confused => return Err(SpillError::Other("confused".into())),
        };
        self.spilled.fetch_add(released, Ordering::Relaxed);
        Ok(released)
    }

    fn free_some(&self, need: u64) -> u64 {
        let held = self
            .memory
            .lock()
            .held
            .as_mut()
            .map(|held| held.split(need));
        let mut freed = held.map_or(0, |held| held.bytes());
        while freed < need {
            let page = {
                let mut memory = self.memory.lock();
                if memory.pages.is_empty() {
                    None
                } else {
                    Some(memory.pages.remove(0))
                }
            };
            let Some(page) = page else { break };
            freed += page.bytes();
        }
        freed
    }
}

impl Spill for TestConsumer {
    fn spill(&self, need: u64, _trigger: ConsumerId) -> Result<u64, SpillError> {
        self.spill_now(need)
    }
}
