//! A put that takes over what another block held, beside one that asks for it the long way.

use std::io;
use std::sync::Arc;

use mem_pool::{Ask, Reservation, TaskId};
use mem_store::{
    BlockId, BytesGuard, DiskCopy, DropError, DropHandler, LeavingBlock, MemoryStore, ReadGuard,
    StoreError, StoreOptions,
};
use mem_sync::Mutex;
use proptest::prelude::*;

use crate::support::{ON, check_books, fill_with, id, manager, put, used};

/// Remembers what was dropped, in order; and may say that it does nothing else.
#[derive(Debug)]
struct Watching {
    dropped: Mutex<Vec<String>>,
    only_forgets: bool,
}

impl DropHandler for Watching {
    fn drop_from_memory(&self, _block: &LeavingBlock<'_>) -> Result<Option<DiskCopy>, DropError> {
        Ok(None)
    }

    fn only_forgets(&self) -> bool {
        self.only_forgets
    }

    fn dropped(&self, block: &BlockId) {
        self.dropped.lock().push(block.to_string());
    }
}

fn watching(memory: u64, only_forgets: bool) -> (Arc<MemoryStore>, Arc<Watching>) {
    let handler = Arc::new(Watching {
        dropped: Mutex::default(),
        only_forgets,
    });
    let options = StoreOptions {
        drop_handler: handler.clone(),
        ..StoreOptions::default()
    };
    let store = MemoryStore::new(manager(memory), options).expect("the manager's first store");
    (store, handler)
}

/// How many blocks' memory came from the allocator.
fn allocated(store: &MemoryStore) -> u64 {
    let stats = store.manager().allocator(ON).stats();
    stats.fresh + stats.reused
}

#[test]
fn a_block_takes_over_the_memory_of_the_one_that_goes() {
    let (store, handler) = watching(100, true);
    for number in 0..11 {
        assert!(put(&store, &format!("test_{number}"), 10, number));
    }
    assert_eq!(allocated(&store), 11, "the first that evicts asks for it");
    for number in 11..31 {
        assert!(put(&store, &format!("test_{number}"), 10, number));
        check_books(&store, 0);
    }
    assert_eq!(allocated(&store), 11);
    let expected: Vec<String> = (0..21).map(|number| format!("test_{number}")).collect();
    assert_eq!(*handler.dropped.lock(), expected);
    for number in 21..31 {
        let bytes = store.get_bytes(&id(&format!("test_{number}"))).unwrap();
        assert_eq!(bytes.expect("it stays").to_vec(), [number; 10]);
    }
    let counters = store.manager().ledger().snapshot().counters;
    assert_eq!((counters.grants, counters.evictions), (31, 21));
    assert_eq!(counters.evicted_bytes, 210);
    store.clear();
    assert_eq!(
        (used(&store), store.manager().allocator(ON).live_bytes()),
        (0, 0)
    );
}

#[test]
fn a_supplier_that_fails_has_cost_a_block_and_nothing_else() {
    let (store, handler) = watching(100, true);
    for number in 0..11 {
        assert!(put(&store, &format!("test_{number}"), 10, number));
    }
    let failed = store.put_bytes(&id("a"), ON, 10, |_| Err(io::ErrorKind::Other.into()));
    assert!(matches!(failed, Err(StoreError::Supplier { .. })));
    let short = store.put_bytes(&id("a"), ON, 10, |out| fill_with(out, 9, 1));
    assert!(matches!(short, Err(StoreError::TooShort { .. })));
    assert_eq!(
        (used(&store), store.manager().allocator(ON).live_bytes()),
        (90, 90)
    );
    assert_eq!(handler.dropped.lock().len(), 2, "the second found room");
    check_books(&store, 0);
    assert!(put(&store, "a", 10, 1) && put(&store, "b", 10, 2));
    assert_eq!(handler.dropped.lock().len(), 3);
}

/// While a block is being written, others come and go until it is its turn; it comes back as the youngest.
#[test]
fn a_block_that_comes_up_while_it_is_written_is_passed_over() {
    let (store, handler) = watching(20, true);
    for name in ["a", "b", "c", "d"] {
        assert!(put(&store, name, 10, 0));
    }
    handler.dropped.lock().clear();
    let slow = store.put_bytes(&id("slow"), ON, 10, |out| {
        // "d" goes, then "slow" is next, and "e" behind it.
        assert!(put(&store, "e", 10, 0) && put(&store, "f", 10, 0));
        check_books(&store, 10);
        fill_with(out, 10, 7)
    });
    assert!(slow.unwrap());
    check_books(&store, 0);
    assert!(put(&store, "g", 10, 0) && put(&store, "h", 10, 0));
    assert_eq!(*handler.dropped.lock(), ["c", "d", "e", "f", "slow"]);
    assert!(store.contains(&id("g")) && store.contains(&id("h")));
}

#[test]
fn values_take_over_from_bytes_and_bytes_from_values() {
    let (store, _) = watching(30, true);
    let values = |name| store.put_sized_values(&id(name), ON, 10, vec![7_u8]);
    for name in ["a", "b", "c", "d"] {
        assert!(put(&store, name, 10, 1));
    }
    assert!(values("e").unwrap() && values("f").unwrap() && values("g").unwrap());
    assert_eq!(store.manager().allocator(ON).live_bytes(), 0);
    assert!(put(&store, "h", 10, 8));
    assert_eq!(
        store.get_bytes(&id("h")).unwrap().unwrap().to_vec(),
        [8; 10]
    );
    assert_eq!(store.manager().allocator(ON).live_bytes(), 10);
    check_books(&store, 0);
}

#[derive(Debug, Clone)]
enum Step {
    Put { block: u64, size: u64 },
    PutValues { block: u64, size: u64 },
    Get(u64),
    Hold(u64),
    LetGo,
    Pin(u64),
    Unpin,
    Remove(u64),
    Acquire { task: i64, bytes: u64 },
    Release,
    Unroll(i64),
    Limit(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let block = || 0..30_u64;
    let size = || prop_oneof![6 => Just(10_u64), 1 => 0..25_u64];
    prop_oneof![
        20 => (block(), size()).prop_map(|(block, size)| Step::Put { block, size }),
        2 => (block(), size()).prop_map(|(block, size)| Step::PutValues { block, size }),
        6 => block().prop_map(Step::Get),
        2 => block().prop_map(Step::Hold),
        2 => Just(Step::LetGo),
        1 => block().prop_map(Step::Pin),
        1 => Just(Step::Unpin),
        1 => block().prop_map(Step::Remove),
        1 => (1..3_i64, 0..40_u64).prop_map(|(task, bytes)| Step::Acquire { task, bytes }),
        1 => Just(Step::Release),
        1 => (0..20_i64).prop_map(Step::Unroll),
        1 => (6..14_u64).prop_map(|tens| Step::Limit(tens * 10)),
    ]
}

/// Of two datasets, or of none.
fn name(block: u64) -> BlockId {
    match block % 3 {
        2 => BlockId::broadcast(block),
        dataset => id(&format!("rdd_{dataset}_{block}")),
    }
}

struct World {
    store: Arc<MemoryStore>,
    handler: Arc<Watching>,
    held: Vec<BytesGuard>,
    pins: Vec<ReadGuard>,
    granted: Vec<Reservation>,
}

impl World {
    fn new(only_forgets: bool) -> Self {
        let (store, handler) = watching(100, only_forgets);
        Self {
            store,
            handler,
            held: Vec::new(),
            pins: Vec::new(),
            granted: Vec::new(),
        }
    }

    /// Does a step; what came of it in words.
    fn run(&mut self, step: &Step) -> String {
        let store = &self.store;
        let ledger = store.manager().ledger();
        match *step {
            Step::Put { block, size } => {
                let fill = u8::try_from(block).expect("below 30");
                let put = store.put_bytes(&name(block), ON, size, |out| fill_with(out, size, fill));
                format!("{put:?}")
            }
            Step::PutValues { block, size } => {
                let put = store.put_sized_values(&name(block), ON, size, vec![block]);
                format!("{put:?}")
            }
            Step::Get(block) => {
                let got = store.get_bytes(&name(block));
                format!("{:?}", got.map(|bytes| bytes.map(|bytes| bytes.to_vec())))
            }
            Step::Hold(block) => {
                let got = store.get_bytes(&name(block)).ok().flatten();
                let is_there = got.is_some();
                self.held.extend(got);
                format!("{is_there}")
            }
            Step::Pin(block) => {
                let pin = store.infos().try_lock_for_reading(&name(block), None);
                let is_there = pin.is_some();
                self.pins.extend(pin);
                format!("{is_there}")
            }
            Step::Remove(block) => format!("{}", store.remove(&name(block))),
            Step::Acquire { task, bytes } => {
                let granted = ledger.try_acquire(Ask::execution(TaskId::new(task), ON, bytes));
                let bytes = granted.as_ref().map_or(0, Reservation::bytes);
                self.granted.extend(granted);
                format!("{bytes}")
            }
            Step::Unroll(bytes) => {
                let reserved = store.reserve_unroll_for_task(&name(2), None, ON, bytes);
                format!("{reserved:?}")
            }
            Step::Limit(bytes) => format!("{:?}", ledger.set_limit(ON, bytes)),
            Step::LetGo => format!("{}", self.held.pop().is_some()),
            Step::Unpin => format!("{}", self.pins.pop().is_some()),
            Step::Release => format!("{}", self.granted.pop().is_some()),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Whatever happens in between: the same answers, the same victims in the same order, the same
    /// books, and no memory that is not counted.
    #[test]
    fn nobody_can_tell_the_short_way_from_the_long_one(
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let (mut short, mut long) = (World::new(true), World::new(false));
        for step in &steps {
            assert_eq!(short.run(step), long.run(step), "{step:?}");
            assert_eq!(*short.handler.dropped.lock(), *long.handler.dropped.lock());
            let snapshot = |world: &World| world.store.manager().ledger().snapshot();
            assert_eq!(snapshot(&short), snapshot(&long));
            let live = |world: &World| world.store.manager().allocator(ON).live_bytes();
            assert_eq!(live(&short), live(&long));
            short.store.manager().ledger().check();
        }
    }
}
