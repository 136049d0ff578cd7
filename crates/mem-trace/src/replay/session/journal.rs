//! What happens on the side while operations run: spills and evictions, in order.

use std::collections::BTreeMap;
use std::sync::Arc;

use mem_sync::Mutex;

use crate::format::SpillCall;

/// Shared by all that has something to tell.
#[derive(Debug, Clone, Default)]
pub(super) struct Journal(Arc<Mutex<Entries>>);

#[derive(Debug, Default)]
struct Entries {
    /// The operation that is being polled.
    turn: u64,
    /// By the operation on whose behalf they were.
    spills: BTreeMap<u64, Vec<SpillCall>>,
    evicted: Vec<String>,
}

impl Journal {
    /// It is `operation` that runs from now on.
    pub(super) fn turn(&self, operation: u64) {
        self.0.lock().turn = operation;
    }

    /// A consumer was asked to spill.
    pub(super) fn spilled(&self, call: SpillCall) {
        let mut entries = self.0.lock();
        let turn = entries.turn;
        entries.spills.entry(turn).or_default().push(call);
    }

    /// A block was dropped.
    pub(super) fn evicted(&self, block: String) {
        self.0.lock().evicted.push(block);
    }

    /// The spills on behalf of `operation`, once.
    pub(super) fn take_spills(&self, operation: u64) -> Vec<SpillCall> {
        self.0.lock().spills.remove(&operation).unwrap_or_default()
    }

    /// The blocks that were dropped since this was last asked.
    pub(super) fn take_evicted(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().evicted)
    }
}
