//! Exchanges: when the ledger says that storage is full, and that taking it at its word changes nothing.

use std::collections::VecDeque;
use std::sync::Arc;

use mem_block::MemoryMode;
use mem_pool::{
    Ask, Dataset, EvictError, Eviction, Evictor, Ledger, LedgerOptions, Reservation, TaskId,
    TracingProbe,
};
use mem_sync::Mutex;
use proptest::prelude::*;

use crate::house::{ON, ask, sizes};
use crate::policies::Unified;
use crate::{cases, options};

/// Blocks by number, the oldest first, each with what pays for it; and those that were evicted.
#[derive(Default)]
struct Shelf {
    blocks: Mutex<VecDeque<(u64, Reservation)>>,
    evicted: Mutex<Vec<u64>>,
}

impl Evictor for Shelf {
    fn select(&self, need: u64, _: MemoryMode, _: Option<Dataset>) -> Option<Box<dyn Eviction>> {
        let mut blocks = self.blocks.lock();
        let mut chosen = Chosen(Vec::new());
        let mut bytes = 0;
        let enough = blocks.iter().map(|(_, block)| block.bytes()).sum::<u64>() >= need;
        while enough && bytes < need {
            let (number, block) = blocks.pop_front()?;
            bytes += block.bytes();
            chosen.0.push(block);
            self.evicted.lock().push(number);
        }
        enough.then(|| Box::new(chosen) as Box<dyn Eviction>)
    }

    fn unrolling(&self) -> u64 {
        0
    }
}

struct Chosen(Vec<Reservation>);

impl Eviction for Chosen {
    fn run(self: Box<Self>) -> Result<u64, EvictError> {
        Ok(self.0.into_iter().map(Reservation::leave).sum())
    }
}

/// A ledger, and a cache that exchanges blocks where it may, or never does.
struct Cache {
    ledger: Arc<Ledger>,
    shelf: Arc<Shelf>,
    exchanges: bool,
    exchanged: u64,
    next: u64,
    held: Vec<Reservation>,
}

impl Cache {
    fn new(exchanges: bool, options: LedgerOptions) -> Self {
        let ledger = Ledger::new(options, Arc::new(Unified::default()));
        let shelf = Arc::new(Shelf::default());
        let evictor: Arc<dyn Evictor> = Arc::<Shelf>::clone(&shelf);
        assert!(ledger.set_evictor(Arc::downgrade(&evictor)));
        Self {
            ledger,
            shelf,
            exchanges,
            exchanged: 0,
            next: 0,
            held: Vec::new(),
        }
    }

    fn put(&mut self, bytes: u64) -> bool {
        let number = self.next;
        self.next += 1;
        let ask = Ask::storage(ON, bytes, None);
        let reservation = match self.exchange(&ask) {
            Some(reservation) => Some(reservation),
            None => self.ledger.try_acquire(ask).ok(),
        };
        let is_stored = reservation.is_some();
        let block = reservation.map(|reservation| (number, reservation));
        self.shelf.blocks.lock().extend(block);
        is_stored
    }

    fn exchange(&mut self, ask: &Ask) -> Option<Reservation> {
        let exchange = self.ledger.exchange(ask).filter(|_| self.exchanges)?;
        let (number, oldest) = {
            let mut blocks = self.shelf.blocks.lock();
            if blocks.front()?.1.bytes() != ask.bytes() {
                return None;
            }
            blocks.pop_front()?
        };
        self.shelf.evicted.lock().push(number);
        self.exchanged += 1;
        assert!(exchange.complete(&oldest), "it is of that size");
        Some(oldest)
    }

    fn run(&mut self, step: &Step) -> bool {
        match *step {
            Step::Put(bytes) => return self.put(bytes),
            Step::Drop => drop(self.shelf.blocks.lock().pop_front()),
            Step::DropNewest => drop(self.shelf.blocks.lock().pop_back()),
            Step::Acquire { task, bytes } => {
                self.held.extend(self.ledger.try_acquire(ask(task, bytes)));
            }
            Step::Release => drop(self.held.pop()),
            Step::Unmanaged(bytes) => self.ledger.set_unmanaged(ON, bytes),
            Step::Limit(bytes) => {
                self.ledger.set_limit(ON, bytes).unwrap();
            }
        }
        true
    }

    fn is_full_for(&self, bytes: u64) -> bool {
        self.ledger
            .exchange(&Ask::storage(ON, bytes, None))
            .is_some()
    }
}

#[derive(Debug, Clone)]
enum Step {
    Put(u64),
    Drop,
    DropNewest,
    Acquire { task: i64, bytes: u64 },
    Release,
    Unmanaged(u64),
    Limit(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => Just(Step::Put(10)),
        2 => (0..30_u64).prop_map(Step::Put),
        1 => Just(Step::Drop),
        1 => Just(Step::DropNewest),
        1 => (1..3_i64, 0..40_u64).prop_map(|(task, bytes)| Step::Acquire { task, bytes }),
        1 => Just(Step::Release),
        1 => (0..20_u64).prop_map(Step::Unmanaged),
        1 => (6..14_u64).prop_map(|tens| Step::Limit(tens * 10)),
    ]
}

/// Two caches of 100 bytes, of which one asks the ledger every time.
fn compare(steps: &[Step]) -> u64 {
    let mut short = Cache::new(true, options(sizes(50, 50, 50)));
    let mut long = Cache::new(false, options(sizes(50, 50, 50)));
    for step in steps {
        assert_eq!(short.run(step), long.run(step));
        assert_eq!(short.ledger.snapshot(), long.ledger.snapshot());
        assert_eq!(*short.shelf.evicted.lock(), *long.shelf.evicted.lock());
        short.ledger.check();
    }
    short.exchanged
}

proptest! {
    #![proptest_config(cases(500))]

    #[test]
    fn the_books_and_the_victims_are_those_of_the_long_way(
        steps in prop::collection::vec(step(), 1..60),
    ) {
        compare(&steps);
    }
}

#[test]
fn all_but_the_first_that_evicts_is_exchanged() {
    let steps: Vec<Step> = (0..30).map(|_| Step::Put(10)).collect();
    assert_eq!(compare(&steps), 19);
}

/// Full for blocks of 10 bytes, and known to be.
fn full() -> Cache {
    let mut cache = Cache::new(true, options(sizes(50, 50, 50)));
    assert!((0..11).all(|_| cache.put(10)));
    assert!(cache.is_full_for(10));
    cache
}

#[test]
fn it_is_said_for_one_size_of_storage_memory() {
    let cache = full();
    assert!(!cache.is_full_for(9) && !cache.is_full_for(11) && !cache.is_full_for(0));
    let others = [
        Ask::unroll(ON, 10, None),
        Ask::storage(MemoryMode::OffHeap, 10, None),
        ask(1, 10),
    ];
    assert!(
        others
            .iter()
            .all(|ask| cache.ledger.exchange(ask).is_none())
    );
}

#[test]
fn any_transaction_takes_it_back() {
    let looks: [fn(&Cache); 6] = [
        |cache| cache.ledger.notify_all(),
        |cache| cache.ledger.register_task(TaskId::new(7)),
        |cache| drop(cache.ledger.try_acquire(ask(1, 1))),
        |cache| cache.ledger.set_unmanaged(ON, 0),
        |cache| drop(cache.ledger.set_limit(ON, 100)),
        |cache| drop(cache.shelf.blocks.lock().pop_back()),
    ];
    for change in looks {
        let cache = full();
        change(&cache);
        assert!(!cache.is_full_for(10));
    }
}

#[test]
fn a_block_of_another_size_or_kind_is_no_exchange() {
    let mut cache = full();
    let other = Cache::new(true, options(sizes(50, 50, 50)));
    let foreign = other
        .ledger
        .try_acquire(Ask::storage(ON, 10, None))
        .unwrap();
    let (_, mut small) = cache.shelf.blocks.lock().pop_front().unwrap();
    let rest = small.split(4);
    for reservation in [foreign, small, rest] {
        let asked = Ask::storage(ON, 10, None);
        let exchange = cache.ledger.exchange(&asked).unwrap();
        assert!(!exchange.complete(&reservation));
        reservation.leave();
    }
    assert_eq!(cache.ledger.snapshot().counters.evictions, 1);
    assert!(cache.put(10), "what was left counts, and another goes");
}

#[test]
fn nothing_is_said_where_a_probe_wants_to_be_told() {
    let mut cache = Cache::new(
        true,
        LedgerOptions {
            probe: Some(Arc::new(TracingProbe)),
            ..options(sizes(50, 50, 50))
        },
    );
    assert!((0..20).all(|_| cache.put(10)));
    assert_eq!(cache.exchanged, 0);
}
