//! One consumer in a task's books.

use datafusion_execution::memory_pool::MemoryConsumer;

/// What one consumer holds, in bytes.
#[derive(Debug)]
pub(in crate::pool) struct Account {
    pub(in crate::pool) name: Box<str>,
    pub(in crate::pool) can_spill: bool,
    pub(in crate::pool) held: u64,
    pub(in crate::pool) peak: u64,
    pub(in crate::pool) refusals: u64,
    /// What it was refused and has not come back for; 0 where it was refused nothing.
    pub(super) wanted: u64,
    /// It has given something back since it was refused: its next request is the retry.
    pub(super) returned: bool,
    /// Of what it gave back then: kept for its retry, and nobody else's.
    pub(super) credit: u64,
    /// It was refused and has not come back: it may be spilling.
    pub(super) spilling: bool,
    /// What was given back meanwhile: kept for those that can't spill, because spilling takes memory.
    pub(super) escrow: u64,
    /// Another, of this number, could not help itself and was refused that many bytes: its next growth
    /// must leave them, as long as the other is there.
    pub(super) pressed: Option<(usize, u64)>,
}

impl Account {
    pub(super) fn new(consumer: &MemoryConsumer) -> Self {
        Self {
            name: consumer.name().into(),
            can_spill: consumer.can_spill(),
            held: 0,
            peak: 0,
            refusals: 0,
            wanted: 0,
            returned: false,
            credit: 0,
            spilling: false,
            escrow: 0,
            pressed: None,
        }
    }

    /// It was refused that many bytes.
    pub(super) fn note_refusal(&mut self, asked: u64) {
        self.refusals = self.refusals.saturating_add(1);
        // One that has nothing to spill does not come back.
        if self.can_spill && self.held > 0 {
            self.wanted = asked;
            self.returned = false;
            self.spilling = true;
        }
    }
}
