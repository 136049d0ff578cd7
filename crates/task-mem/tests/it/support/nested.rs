//! A consumer whose spill does what the test says.

use std::sync::{Arc, Weak};

use mem_sync::Mutex;
use task_mem::{
    ConsumerId, ConsumerOptions, Held, MemoryConsumer, MemoryError, NoSpill, Spill, SpillError,
    Spillable, TaskMemoryManager, Wait,
};

pub(crate) type Inside = Box<dyn Fn(&Nested) -> u64 + Send + Sync>;

/// A consumer whose spill does what the test says.
pub(crate) struct Nested {
    pub(crate) consumer: MemoryConsumer,
    held: Mutex<Vec<Held>>,
    inside: Inside,
    errors: Mutex<Vec<MemoryError>>,
}

impl Nested {
    pub(crate) fn new(task: &Arc<TaskMemoryManager>, inside: Inside) -> Arc<Self> {
        Arc::new_cyclic(|me: &Weak<Self>| {
            let spill = Spillable::ByAnyone(me.clone());
            Self {
                consumer: task.register(ConsumerOptions {
                    spill,
                    ..ConsumerOptions::named("nested")
                }),
                held: Mutex::new(Vec::new()),
                inside,
                errors: Mutex::new(Vec::new()),
            }
        })
    }

    pub(crate) fn acquire(&self, bytes: u64) {
        match self.consumer.acquire(bytes, &mut NoSpill, &Wait::default()) {
            Ok(held) => self.held.lock().push(held),
            Err(error) => self.errors.lock().push(error),
        }
    }

    /// Its requests that failed.
    pub(crate) fn errors(&self) -> Vec<MemoryError> {
        std::mem::take(&mut self.errors.lock())
    }

    pub(crate) fn free_all(&self) -> u64 {
        let held = std::mem::take(&mut *self.held.lock());
        held.iter().map(Held::bytes).sum()
    }
}

impl Spill for Nested {
    fn spill(&self, _need: u64, _trigger: ConsumerId) -> Result<u64, SpillError> {
        Ok((self.inside)(self))
    }
}
