//! Who uses memory outside the ledger, and how much of it there was at the last poll.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::{self, Debug};
use std::sync::{Arc, Weak};

use mem_block::MemoryMode;
use mem_pool::Ledger;
use mem_sync::Mutex;

/// What a consumer that is gone says that it uses.
const INACTIVE: i64 = -1;

/// Which consumer of unmanaged memory this is: a kind of component, and which of its kind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnmanagedMemoryConsumerId {
    /// The kind, as in "RocksDB".
    pub component_type: String,
    /// Which one of that kind.
    pub instance_key: String,
}

impl UnmanagedMemoryConsumerId {
    /// The id of those two names.
    #[must_use]
    pub fn new(component_type: impl Into<String>, instance_key: impl Into<String>) -> Self {
        Self {
            component_type: component_type.into(),
            instance_key: instance_key.into(),
        }
    }
}

/// Why a consumer could not say what it uses. It counts 0 then.
pub type UsageError = Box<dyn Error + Send + Sync>;

/// Uses memory that no ledger counts, and says how much.
///
/// No lock is held while a method is called; any thread may call it.
pub trait UnmanagedMemoryConsumer: Debug + Send + Sync {
    /// Who it is; always the same.
    fn id(&self) -> UnmanagedMemoryConsumerId;

    /// Which mode's memory it takes away; always the same.
    fn memory_mode(&self) -> MemoryMode;

    /// Bytes in use now. −1 says that it is gone for good: it is then unregistered. Any other
    /// negative number counts as 0.
    ///
    /// # Errors
    /// Where it can't say; it counts as 0 for now.
    fn mem_bytes_used(&self) -> Result<i64, UsageError>;
}

/// What all consumers used at the last poll, in bytes by mode.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UnmanagedTotals {
    /// On the heap.
    pub on_heap: u64,
    /// Off the heap.
    pub off_heap: u64,
}

impl UnmanagedTotals {
    /// The sum of `mode`.
    #[must_use]
    pub fn of_mode(&self, mode: MemoryMode) -> u64 {
        match mode {
            MemoryMode::OnHeap => self.on_heap,
            MemoryMode::OffHeap => self.off_heap,
        }
    }

    fn add(&mut self, mode: MemoryMode, bytes: u64) {
        let sum = match mode {
            MemoryMode::OnHeap => &mut self.on_heap,
            MemoryMode::OffHeap => &mut self.off_heap,
        };
        // Consumers may claim anything; what is beyond all memory is all memory.
        *sum = sum.saturating_add(bytes);
    }

    fn publish(self, ledger: &Ledger) {
        ledger.set_unmanaged(MemoryMode::OnHeap, self.on_heap);
        ledger.set_unmanaged(MemoryMode::OffHeap, self.off_heap);
    }
}

/// The registered consumers, and the sums of the last poll.
///
/// Registering, unregistering and changed usage take effect at the next poll.
#[derive(Default)]
pub struct UnmanagedRegistry {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    consumers: BTreeMap<UnmanagedMemoryConsumerId, Arc<dyn UnmanagedMemoryConsumer>>,
    totals: UnmanagedTotals,
    /// Whose books carry the totals.
    ledgers: Vec<Weak<Ledger>>,
    /// How often it was cleared: a poll that was under way meanwhile is worth nothing.
    clearings: u64,
}

impl UnmanagedRegistry {
    /// A registry of nobody.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Adds a consumer, in place of the one with its id if there is one.
    pub fn register(&self, consumer: Arc<dyn UnmanagedMemoryConsumer>) {
        let id = consumer.id();
        let replaced = self.state.lock().consumers.insert(id, consumer);
        // Foreign code: dropped once the lock is let go.
        drop(replaced);
    }

    /// Removes a consumer; whether it was there.
    pub fn unregister(&self, id: &UnmanagedMemoryConsumerId) -> bool {
        let removed = self.state.lock().consumers.remove(id);
        removed.is_some()
    }

    /// Removes all, and sets the sums to 0 at once, also in the ledgers that were polled for.
    pub fn clear(&self) {
        let cleared = {
            let mut state = self.state.lock();
            state.clearings = state.clearings.wrapping_add(1);
            state.totals = UnmanagedTotals::default();
            (std::mem::take(&mut state.consumers), state.ledgers.clone())
        };
        for ledger in cleared.1.iter().filter_map(Weak::upgrade) {
            UnmanagedTotals::default().publish(&ledger);
        }
    }

    /// The sums of the last poll.
    #[must_use]
    pub fn totals(&self) -> UnmanagedTotals {
        self.state.lock().totals
    }

    /// What the consumers of `component_type` say now, added up: those that can't say count 0, and
    /// −1 counts −1 until a poll removes it.
    #[must_use]
    pub fn used_by_type(&self, component_type: &str) -> i64 {
        self.of_type(component_type)
            .iter()
            .map(|(_, consumer)| consumer.mem_bytes_used().unwrap_or(0))
            .fold(0, i64::saturating_add)
    }

    /// The instance keys of the consumers of `component_type`, in order.
    #[must_use]
    pub fn instance_keys(&self, component_type: &str) -> Vec<String> {
        let consumers = self.of_type(component_type);
        consumers.into_iter().map(|(key, _)| key).collect()
    }

    fn of_type(&self, component_type: &str) -> Vec<(String, Arc<dyn UnmanagedMemoryConsumer>)> {
        let state = self.state.lock();
        let of_type = state
            .consumers
            .iter()
            .filter(|(id, _)| id.component_type == component_type);
        of_type
            .map(|(id, consumer)| (id.instance_key.clone(), Arc::clone(consumer)))
            .collect()
    }

    /// Asks every consumer once; those that are gone are unregistered. Returns the new sums.
    pub fn poll(&self) -> UnmanagedTotals {
        let (consumers, clearings) = {
            let state = self.state.lock();
            (state.consumers.clone(), state.clearings)
        };
        let mut totals = UnmanagedTotals::default();
        let mut gone = Vec::new();
        for (id, consumer) in &consumers {
            match consumer.mem_bytes_used() {
                Ok(INACTIVE) => gone.push(id),
                Ok(bytes) => totals.add(consumer.memory_mode(), u64::try_from(bytes).unwrap_or(0)),
                Err(_) => {}
            }
        }
        let mut state = self.state.lock();
        for id in gone {
            let same = |now: &Arc<_>| Arc::ptr_eq(now, &consumers[id]);
            // One that was registered again under the id meanwhile stays. What is removed lives on
            // in `consumers`, so no foreign code runs under the lock.
            if state.consumers.get(id).is_some_and(same) {
                state.consumers.remove(id);
            }
        }
        if state.clearings == clearings {
            state.totals = totals;
        }
        state.totals
    }

    /// Polls, and writes the sums into the books of `ledger`. A manager whose polling interval is not
    /// above 0 leaves unmanaged memory out of account: don't poll for its ledger.
    pub fn poll_once(&self, ledger: &Ledger) -> UnmanagedTotals {
        let totals = self.poll();
        totals.publish(ledger);
        totals
    }

    /// Has [`clear`](Self::clear) reset the books of `ledger` too.
    pub fn attach(&self, ledger: &Arc<Ledger>) {
        let mut state = self.state.lock();
        state.ledgers.retain(|known| known.strong_count() > 0);
        state.ledgers.push(Arc::downgrade(ledger));
    }
}

impl fmt::Debug for UnmanagedRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (ids, totals): (Vec<_>, _) = {
            let state = self.state.lock();
            (state.consumers.keys().cloned().collect(), state.totals)
        };
        f.debug_struct("UnmanagedRegistry")
            .field("consumers", &ids)
            .field("totals", &totals)
            .finish_non_exhaustive()
    }
}
