//! One consumer in a task's books.

use datafusion_execution::memory_pool::MemoryConsumer;

use super::names::Role;

/// What one consumer holds, in bytes.
#[derive(Debug)]
pub(in crate::pool) struct Account {
    pub(in crate::pool) name: Box<str>,
    pub(in crate::pool) can_spill: bool,
    pub(in crate::pool) held: u64,
    pub(in crate::pool) peak: u64,
    pub(in crate::pool) refusals: u64,
    /// The first that it was granted; 0 where it has not held anything yet.
    pub(super) first: u64,
    /// The consumer that merges for it, or for which it merges.
    pub(super) pair: Option<Pair>,
    /// What it was refused and has not come back for; 0 where it is not spilling.
    pub(super) wanted: u64,
    /// It has given something back since it was refused: its next request may be the retry.
    pub(super) returned: bool,
    /// Of what it and its merge give back, that much is to be kept for them.
    pub(super) to_keep: u64,
    /// What is kept, and nobody else's.
    pub(super) kept: u64,
    /// A sorter that hands what it holds over to its merge; an aggregate that merges what it has spilled.
    pub(super) merging: bool,
    /// A sorter that had memory for all of its input, and hands it over to its merge: it asks for nothing more.
    pub(super) is_done: bool,
    /// Another, of this number, could not help itself and was refused that many bytes: its next growth
    /// must leave them, as long as the other is there.
    pub(super) pressed: Option<(usize, u64)>,
    /// It would have failed, has waited for others to spill, and failed.
    pub(super) has_waited_in_vain: bool,
}

/// One half of a sort.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pair {
    /// It buffers; that one merges what is buffered.
    Sorter { merge: usize },
    /// It merges for that one.
    Merge { sorter: usize },
}

impl Account {
    pub(super) fn new(consumer: &MemoryConsumer, pair: Option<Pair>) -> Self {
        Self {
            name: consumer.name().into(),
            can_spill: consumer.can_spill(),
            held: 0,
            peak: 0,
            refusals: 0,
            first: 0,
            pair,
            wanted: 0,
            returned: false,
            to_keep: 0,
            kept: 0,
            merging: false,
            is_done: false,
            pressed: None,
            has_waited_in_vain: false,
        }
    }

    /// Whether it was refused and has not come back.
    pub(super) fn is_spilling(&self) -> bool {
        self.wanted > 0
    }

    pub(super) fn is_sorter(&self) -> bool {
        matches!(self.pair, Some(Pair::Sorter { .. }))
    }

    /// It, or its merge, gave `bytes` back out of a reservation that has `here` left: how many of them are kept
    /// for the two.
    pub(super) fn keeps(&mut self, is_own: bool, here: u64, bytes: u64) -> u64 {
        let is_sorter = self.is_sorter();
        self.returned |= is_own && self.is_spilling();
        // A sorter that is merged has a reservation for each run. An aggregate that has spilled gives all back
        // once it has no more input, and merges then.
        let merges = if is_sorter {
            here < self.held
        } else {
            Role::of(&self.name) == Role::Aggregate && self.held == 0 && self.refusals > 0
        };
        self.merging |= is_own && merges;
        self.is_done |= is_own && merges && is_sorter && self.refusals == 0;
        if is_own && is_sorter && (self.is_spilling() || self.merging) {
            bytes
        } else {
            bytes.min(self.to_keep.saturating_sub(self.kept))
        }
    }
}
