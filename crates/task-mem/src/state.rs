//! What the task's one lock protects, and the transitions made under it.
//!
//! Nothing here blocks, allocates blocks, asks the ledger or calls a consumer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::thread::ThreadId;

use mem_block::MemoryMode;
use mem_pool::{Credit, LocalUse};

use crate::charge::Account;
use crate::consumer::ConsumerId;
use crate::error::ConsumerLabel;
use crate::page_table::PageTable;
use crate::record::Record;
use crate::spill::Spillable;
use crate::victims::Victims;

/// Bytes of one mode that the task holds now, and the most it has held, as Spark counts them: what
/// requests that fail had been granted is not in.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counter {
    pub(crate) current: u64,
    pub(crate) peak: u64,
}

/// A spill that is running.
#[derive(Debug)]
pub(crate) struct ActiveSpill {
    pub(crate) id: u64,
    pub(crate) thread: ThreadId,
    pub(crate) consumer: ConsumerId,
    /// Where what it releases is kept for the request.
    pub(crate) credit: Option<Arc<Credit>>,
    /// Because an allocator failed.
    pub(crate) recovering: bool,
}

#[derive(Debug)]
pub(crate) struct State {
    /// Clean-ups so far: guards of an earlier epoch have nothing to give back any more.
    pub(crate) epoch: u64,
    /// The ledger knows the task.
    pub(crate) registered: bool,
    pub(crate) records: BTreeMap<ConsumerId, Record>,
    /// The consumers that anyone may have spill: a request looks at these only.
    spillers: BTreeSet<ConsumerId>,
    pub(crate) pages: PageTable,
    /// Charged for pages that the allocator then did not give: Spark's `acquiredButNotUsed`.
    pub(crate) unused: u64,
    counters: [Counter; 2],
    /// Bytes of each mode that were given back, ever.
    released: [u64; 2],
    spills: Vec<ActiveSpill>,
    next_spill: u64,
    next_consumer: u64,
}

impl State {
    pub(crate) fn new() -> Self {
        let own = Record::new(
            Arc::from("the task itself"),
            MemoryMode::OnHeap,
            Spillable::Never,
        );
        Self {
            epoch: 0,
            registered: true,
            records: BTreeMap::from([(ConsumerId::TASK, own)]),
            spillers: BTreeSet::new(),
            pages: PageTable::default(),
            unused: 0,
            counters: [Counter::default(); 2],
            released: [0; 2],
            spills: Vec::new(),
            next_spill: 0,
            next_consumer: 1,
        }
    }

    pub(crate) fn add(&mut self, record: Record) -> ConsumerId {
        let id = ConsumerId::new(self.next_consumer);
        self.next_consumer = self.next_consumer.wrapping_add(1);
        if matches!(record.spill, Spillable::ByAnyone(_)) {
            self.spillers.insert(id);
        }
        self.records.insert(id, record);
        id
    }

    /// The consumer has gone. What it left behind is what it leaks, unless its guards still live.
    pub(crate) fn remove(&mut self, id: ConsumerId) {
        self.spillers.remove(&id);
        if self.records.contains_key(&id) {
            self.change(id, |record| {
                record.gone = true;
                record.spill = Spillable::Never;
            });
        }
    }

    pub(crate) fn record(&self, id: ConsumerId) -> &Record {
        self.records
            .get(&id)
            .expect("a consumer's record outlives the consumer and its guards")
    }

    /// Bytes that a consumer uses; none where it has gone.
    pub(crate) fn used_by(&self, id: ConsumerId) -> u64 {
        self.records.get(&id).map_or(0, Record::used)
    }

    fn record_mut(&mut self, id: ConsumerId) -> &mut Record {
        self.records
            .get_mut(&id)
            .expect("a consumer's record outlives the consumer and its guards")
    }

    pub(crate) fn label(&self, id: ConsumerId) -> ConsumerLabel {
        ConsumerLabel {
            id,
            name: Arc::clone(&self.record(id).name),
        }
    }

    pub(crate) fn start_asking(&mut self, id: ConsumerId) {
        let record = self.record_mut(id);
        record.asking = record
            .asking
            .checked_add(1)
            .expect("fewer than 2^32 threads ask");
    }

    pub(crate) fn stop_asking(&mut self, id: ConsumerId) {
        self.change(id, |record| {
            record.asking = record.asking.checked_sub(1).expect("it has started asking");
        });
    }

    /// A request of the consumer was granted `bytes`.
    pub(crate) fn granted(
        &mut self,
        id: ConsumerId,
        account: Account,
        mode: MemoryMode,
        bytes: u64,
    ) {
        self.count(id, account, bytes);
        let counter = &mut self.counters[index(mode)];
        counter.current = counter.current.saturating_add(bytes);
        counter.peak = counter.peak.max(counter.current);
    }

    pub(crate) fn count(&mut self, id: ConsumerId, account: Account, bytes: u64) {
        let counted = &mut self.record_mut(id).bytes[account.index()];
        *counted = counted.saturating_add(bytes);
    }

    pub(crate) fn uncount(&mut self, id: ConsumerId, account: Account, bytes: u64) {
        self.change(id, |record| {
            let counted = &mut record.bytes[account.index()];
            *counted = counted.saturating_sub(bytes);
        });
    }

    /// From now on the consumer meters some of what it uses itself.
    pub(crate) fn add_meter(&mut self, id: ConsumerId, meter: LocalUse) {
        self.record_mut(id).meters.push(meter);
    }

    pub(crate) fn remove_meter(&mut self, id: ConsumerId, meter: &LocalUse) {
        self.change(id, |record| record.meters.retain(|other| other != meter));
    }

    /// What a consumer meters was `before`, with its slack, and is `now`.
    pub(crate) fn recount_metered(&mut self, mode: MemoryMode, before: u64, now: u64) {
        let counter = &mut self.counters[index(mode)];
        counter.current = counter.current.saturating_sub(before).saturating_add(now);
        counter.peak = counter.peak.max(counter.current);
    }

    /// The task's holding of `mode` falls by a release.
    pub(crate) fn lower(&mut self, mode: MemoryMode, bytes: u64) {
        let counter = &mut self.counters[index(mode)];
        counter.current = counter.current.saturating_sub(bytes);
        self.note_released(mode, bytes);
    }

    /// Something was given back, by somebody who counts it otherwise.
    pub(crate) fn note_released(&mut self, mode: MemoryMode, bytes: u64) {
        let released = &mut self.released[index(mode)];
        *released = released.saturating_add(bytes);
    }

    pub(crate) fn released(&self, mode: MemoryMode) -> u64 {
        self.released[index(mode)]
    }

    pub(crate) fn count_regions(&mut self, id: ConsumerId, more: bool) {
        let regions = &mut self.record_mut(id).regions;
        *regions = if more {
            regions.saturating_add(1)
        } else {
            regions.saturating_sub(1)
        };
    }

    pub(crate) fn counter(&self, mode: MemoryMode) -> Counter {
        self.counters[index(mode)]
    }

    /// Who could spill for a request of `asker`; `itself` where the asker could, too.
    pub(crate) fn victims(&self, asker: ConsumerId, mode: MemoryMode, itself: bool) -> Victims {
        let mut victims = Victims::default();
        let uses = |record: &Record| record.used() > 0 && record.mode == mode;
        for id in &self.spillers {
            let record = self.record(*id);
            if *id != asker && uses(record) && self.may_be_spilled(*id) {
                victims.add(record.used(), *id);
            }
        }
        if itself && uses(self.record(asker)) {
            victims.add(0, asker);
        }
        victims
    }

    /// Whether others may have it spill now: not while it asks, for its lock may be held then; not
    /// while it spills.
    pub(crate) fn may_be_spilled(&self, id: ConsumerId) -> bool {
        let willing =
            |record: &Record| record.asking == 0 && matches!(record.spill, Spillable::ByAnyone(_));
        self.records.get(&id).is_some_and(willing)
            && !self.spills.iter().any(|spill| spill.consumer == id)
    }

    pub(crate) fn start_spill(
        &mut self,
        consumer: ConsumerId,
        credit: Option<Arc<Credit>>,
        recovering: bool,
    ) -> u64 {
        let id = self.next_spill;
        self.next_spill = id.wrapping_add(1);
        let thread = std::thread::current().id();
        self.spills.push(ActiveSpill {
            id,
            thread,
            consumer,
            credit,
            recovering,
        });
        id
    }

    /// Returns the spill, for its credit to be dropped without the lock.
    pub(crate) fn end_spill(&mut self, id: u64) -> Option<ActiveSpill> {
        let at = self.spills.iter().position(|spill| spill.id == id)?;
        Some(self.spills.swap_remove(at))
    }

    /// The spills that run on the calling thread.
    pub(crate) fn spills_here(&self) -> impl Iterator<Item = &ActiveSpill> {
        let here = std::thread::current().id();
        self.spills.iter().filter(move |spill| spill.thread == here)
    }

    /// Where what `owner` releases of `mode` belongs, if that is part of a spill for a request.
    ///
    /// What another thread releases meanwhile is not: it may be that of the owner itself, with the
    /// owner's lock, on which the spill waits; if it then waits for memory, the request must not sit
    /// on what it needs.
    pub(crate) fn credit_for(&self, owner: ConsumerId, mode: MemoryMode) -> Option<Arc<Credit>> {
        let mut own = self.spills_here().filter(|spill| spill.consumer == owner);
        let credit = own.find_map(|spill| spill.credit.as_ref())?;
        credit.is_for(mode).then(|| Arc::clone(credit))
    }

    /// Forgets what everybody holds: it has been, or is about to be, taken back. Returns the page
    /// table, for its blocks to be freed without the lock.
    pub(crate) fn begin_epoch(&mut self) -> PageTable {
        self.epoch = self.epoch.wrapping_add(1);
        self.registered = false;
        self.unused = 0;
        for record in self.records.values_mut() {
            record.bytes = [0; Account::COUNT];
            record.meters.clear();
            record.regions = 0;
        }
        self.records.retain(|_, record| !record.is_over());
        std::mem::take(&mut self.pages)
    }

    /// Changes a record, which is forgotten where it is over by that.
    fn change(&mut self, id: ConsumerId, change: impl FnOnce(&mut Record)) {
        let record = self.record_mut(id);
        change(record);
        if record.is_over() {
            self.records.remove(&id);
        }
    }
}

fn index(mode: MemoryMode) -> usize {
    match mode {
        MemoryMode::OnHeap => 0,
        MemoryMode::OffHeap => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> (State, ConsumerId) {
        let mut state = State::new();
        let record = Record::new(Arc::from("one"), MemoryMode::OnHeap, Spillable::Never);
        let id = state.add(record);
        (state, id)
    }

    #[test]
    fn a_record_outlives_its_consumer_only_for_what_that_left() {
        let (mut state, id) = state();
        state.granted(id, Account::Unpaged, MemoryMode::OffHeap, 10);
        state.remove(id);
        assert_eq!(&*state.label(id).name, "one");
        state.uncount(id, Account::Unpaged, 10);
        assert_eq!(state.records.len(), 1, "only the task's own");

        let (mut state, id) = self::state();
        state.remove(id);
        assert_eq!(state.records.len(), 1);

        let (mut state, id) = self::state();
        state.start_asking(id);
        state.remove(id);
        assert_eq!(state.records.len(), 2);
        state.stop_asking(id);
        assert_eq!(state.records.len(), 1);
    }

    #[test]
    fn a_new_epoch_forgets_what_was_left() {
        let (mut state, id) = state();
        state.granted(id, Account::Used, MemoryMode::OnHeap, 10);
        state.remove(id);
        assert!(state.pages.take_number().is_some());
        state.begin_epoch();
        assert_eq!(
            (state.records.len(), state.pages.take_number()),
            (1, Some(0))
        );
        // Spark's counters are not touched by a clean-up.
        assert_eq!(state.counter(MemoryMode::OnHeap).current, 10);
    }
}
