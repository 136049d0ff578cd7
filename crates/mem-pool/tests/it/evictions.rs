//! Evictions: whose lock is held, who gets what they free, and what happens when they go wrong.

use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Barrier, Weak};

use mem_block::MemoryMode;
use mem_pool::{Ask, Dataset, EvictError, Eviction, Evictor, Ledger, LedgerOptions, Reason, Wait};
use mem_sync::thread;

use crate::house::{House, ON, ask, sizes};
use crate::options;
use crate::policies::Unified;
use crate::store::Outcome;

/// 10 bytes of execution memory, held by task 1, and blocks in all of storage's.
fn full(blocks: &[u64]) -> (House, mem_pool::Reservation) {
    let storage = blocks.iter().sum();
    let house = House::new(Unified::default(), options(sizes(10, storage, 0)));
    let hog = house.grant(1, 10);
    for bytes in blocks {
        house.cache(*bytes);
    }
    (house, hog)
}

#[test]
fn what_it_frees_goes_to_the_request_in_whole_blocks() {
    let (house, hog) = full(&[6, 8]);
    let grant = house.ledger.try_acquire(ask(1, 4)).unwrap();
    assert_eq!((grant.bytes(), house.store.take_needs()), (4, vec![4]));
    let books = house.books();
    assert_eq!((books.execution_pool, books.storage_pool), (16, 8));
    let snapshot = house.ledger.snapshot();
    assert_eq!(
        (snapshot.counters.evictions, snapshot.counters.evicted_bytes),
        (1, 6)
    );
    drop((hog, grant));
}

#[test]
fn it_is_asked_for_what_is_missing() {
    let (house, hog) = full(&[6, 8]);
    let grant = house.ledger.try_acquire(ask(1, 20)).unwrap();
    assert_eq!((grant.bytes(), house.store.take_needs()), (14, vec![14]));
    drop((hog, grant));
}

/// An evictor that looks at the ledger from everywhere, which would never end under its lock.
struct Looking {
    ledger: Weak<Ledger>,
    bytes: u64,
}

impl Looking {
    fn look(&self) {
        self.ledger.upgrade().unwrap().check();
    }
}

impl Evictor for Looking {
    fn select(
        &self,
        _need: u64,
        _mode: MemoryMode,
        _spare: Option<Dataset>,
    ) -> Option<Box<dyn Eviction>> {
        self.look();
        Some(Box::new(Self {
            ledger: Weak::clone(&self.ledger),
            bytes: self.bytes,
        }))
    }

    fn unrolling(&self) -> u64 {
        self.look();
        0
    }
}

impl Eviction for Looking {
    fn run(self: Box<Self>) -> Result<u64, EvictError> {
        self.look();
        Ok(self.bytes)
    }
}

impl Drop for Looking {
    fn drop(&mut self) {
        if let Some(ledger) = self.ledger.upgrade() {
            ledger.check();
        }
    }
}

#[test]
fn no_lock_is_held_over_the_evictor() {
    let ledger = Ledger::new(options(sizes(10, 10, 0)), Arc::new(Unified::default()));
    let evictor: Arc<dyn Evictor> = Arc::new(Looking {
        ledger: Arc::downgrade(&ledger),
        bytes: 10,
    });
    assert!(ledger.set_evictor(Arc::downgrade(&evictor)));
    let block = ledger.try_acquire(Ask::unroll(ON, 10, None)).unwrap();
    assert_eq!(block.leave(), 10);
    let grant = ledger.try_acquire(ask(1, 20)).unwrap();
    assert_eq!(grant.bytes(), 20);
    let block = ledger.set_limit(ON, 20).unwrap();
    assert_eq!((block.total, block.outstanding), (20, 0));
}

#[test]
fn while_it_runs_nobody_takes_what_is_kept_or_freed() {
    let house = House::new(Unified::default(), options(sizes(10, 8, 0)));
    let hog = house.grant(1, 10);
    house.cache(6);
    let ledger = Arc::downgrade(&house.ledger);
    house.store.set_hook(move || {
        let ledger = ledger.upgrade().unwrap();
        assert_eq!(ledger.snapshot().on_heap.kept, 2);
        // Storage's two free bytes are kept; the marked block can't be selected once more.
        let refusal = ledger.try_acquire(Ask::storage(ON, 2, None)).unwrap_err();
        assert_eq!(refusal.free(), 0);
        assert_eq!(ledger.try_acquire(ask(1, 2)).unwrap().bytes(), 0);
    });
    let grant = house.ledger.try_acquire(ask(1, 8)).unwrap();
    assert_eq!(grant.bytes(), 8);
    drop((hog, grant));
    house.close(&[1]);
}

#[test]
fn two_at_once_do_not_take_each_others_blocks() {
    let options = LedgerOptions {
        off_heap: sizes(0, 6, 0),
        ..options(sizes(0, 12, 0))
    };
    let house = House::new(Unified::default(), options);
    house.cache(6);
    house.cache(6);
    house.cache_in(MemoryMode::OffHeap, 6);
    let both = Arc::new(Barrier::new(2));
    house.store.set_hook(move || {
        both.wait();
    });
    let work = |task: i64| {
        let ledger = Arc::clone(&house.ledger);
        thread::spawn(move || ledger.acquire(ask(task, 6), &Wait::default()).unwrap())
    };
    let grants = [work(1), work(2)].map(|work| work.join().unwrap());
    assert_eq!(grants.map(|grant| grant.bytes()), [6, 6]);
    assert_eq!(house.books().storage_used, 0);
    assert_eq!(house.ledger.snapshot().off_heap.storage_used, 6);
}

#[test]
fn one_that_fails_half_way_refuses_with_its_cause() {
    let (house, hog) = full(&[6, 8]);
    house.store.set_outcome(Outcome::Fails);
    let refusal = house.ledger.try_acquire(ask(1, 12)).unwrap_err();
    let Reason::Evict(error) = refusal.reason() else {
        panic!("the disk is full: {refusal}");
    };
    assert_eq!(error.freed, 8);
    assert_eq!(error.source().unwrap().to_string(), "the disk is full");
    assert!(
        refusal
            .to_string()
            .contains("evicting blocks failed after 8 bytes: the disk is full")
    );
    assert_eq!(refusal.remedy(), "hearth.spill.dirs");
    let books = house.books();
    assert_eq!(
        (books.storage_used, books.storage_pool, books.kept),
        (6, 14, 0)
    );
    assert_eq!(house.store.marked(), 0, "what was not dropped is un-marked");
    drop((refusal, hog));
    house.close(&[1]);
}

#[test]
fn one_that_panics_loses_nothing() {
    let house = House::new(Unified::default(), options(sizes(10, 8, 0)));
    let hog = house.grant(1, 10);
    house.cache(6);
    house.store.set_outcome(Outcome::Panics);
    let acquire = || house.ledger.acquire(ask(1, 8), &Wait::default());
    assert!(catch_unwind(AssertUnwindSafe(acquire)).is_err());
    let books = house.books();
    assert_eq!((books.kept, books.storage_used), (0, 6));
    assert_eq!(
        (house.ledger.snapshot().waiting, house.store.marked()),
        (0, 0)
    );
    house.store.set_outcome(Outcome::Drops);
    let grant = acquire().unwrap();
    assert_eq!(grant.bytes(), 8);
    drop((hog, grant));
    house.close(&[1]);
}

#[test]
fn one_that_frees_less_than_it_should_grants_less() {
    let (house, hog) = full(&[6, 8]);
    house.store.set_outcome(Outcome::StopsShort);
    let grant = house.ledger.try_acquire(ask(1, 14)).unwrap();
    assert_eq!(grant.bytes(), 8);
    assert_eq!(house.books().storage_used, 6);
    drop((hog, grant));
}

#[test]
fn one_that_claims_more_than_there_is_frees_what_there_is() {
    let (house, hog) = full(&[6]);
    house.store.set_outcome(Outcome::Exaggerates(1000));
    let grant = house.ledger.try_acquire(ask(1, 4)).unwrap();
    let books = house.books();
    assert_eq!(
        (grant.bytes(), books.storage_used, books.execution_pool),
        (4, 0, 16)
    );
    assert_eq!(house.ledger.snapshot().counters.evicted_bytes, 6);
    drop((hog, grant));
}

#[test]
fn without_an_evictor_nothing_is_freed() {
    let ledger = Ledger::new(options(sizes(10, 6, 0)), Arc::new(Unified::default()));
    let hog = ledger.try_acquire(ask(1, 10)).unwrap();
    assert_eq!(
        ledger
            .try_acquire(Ask::storage(ON, 6, None))
            .unwrap()
            .leave(),
        6
    );
    assert_eq!(ledger.try_acquire(ask(1, 4)).unwrap().bytes(), 0);
    let refusal = ledger.try_acquire(Ask::storage(ON, 1, None)).unwrap_err();
    assert!(matches!(refusal.reason(), Reason::Limit(_)));
    drop(hog);
}

#[test]
fn an_evictor_is_set_once_and_not_kept_alive() {
    let (house, _hog) = full(&[6]);
    let second: Arc<dyn Evictor> = Arc::new(Looking {
        ledger: Weak::new(),
        bytes: 0,
    });
    assert!(!house.ledger.set_evictor(Arc::downgrade(&second)));
    assert_eq!(Arc::weak_count(&second), 0);
    let ledger = Arc::clone(&house.ledger);
    drop(house);
    assert_eq!(
        ledger.try_acquire(ask(1, 4)).unwrap().bytes(),
        0,
        "nobody is left to evict"
    );
}
