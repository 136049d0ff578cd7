//! Memory for blocks that are being unrolled, by task and mode.

use std::collections::BTreeMap;

use mem_block::MemoryMode;
use mem_pool::{Reservation, TaskId};
use mem_sync::Mutex;

type Owner = (Option<TaskId>, MemoryMode);

/// What each owner holds. Spark's counterpart: the two maps of `MemoryStore`, where −1 is no task.
#[derive(Debug, Default)]
pub(super) struct UnrollMemory {
    held: Mutex<BTreeMap<Owner, Reservation>>,
}

impl UnrollMemory {
    pub(super) fn add(&self, task: Option<TaskId>, reservation: Reservation) {
        let mut held = self.held.lock();
        let mut all = reservation;
        if let Some(before) = held.remove(&(task, all.mode())) {
            // One ledger, one kind, one mode, no owner in the ledger's eyes: they belong together.
            let merged = all.merge(before);
            merged.expect("unroll memory of one mode and one store merges");
        }
        held.insert((task, all.mode()), all);
    }

    /// At most `bytes` of what the owner holds; they are released when the caller drops them.
    pub(super) fn take(
        &self,
        task: Option<TaskId>,
        mode: MemoryMode,
        bytes: u64,
    ) -> Option<Reservation> {
        let mut held = self.held.lock();
        let whole = held.get_mut(&(task, mode))?;
        if whole.bytes() > bytes {
            return Some(whole.split(bytes));
        }
        held.remove(&(task, mode))
    }

    pub(super) fn held_by(&self, task: Option<TaskId>, mode: MemoryMode) -> u64 {
        let held = self.held.lock();
        held.get(&(task, mode)).map_or(0, Reservation::bytes)
    }

    pub(super) fn total(&self) -> u64 {
        // Granted bytes: their sum fits.
        self.held.lock().values().map(Reservation::bytes).sum()
    }

    pub(super) fn clear(&self) {
        let all = std::mem::take(&mut *self.held.lock());
        // Given back to the ledger once the mutex is let go.
        drop(all);
    }
}
