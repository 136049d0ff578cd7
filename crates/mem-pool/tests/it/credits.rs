//! What is spilled for a request is kept for it.

use mem_block::MemoryMode;
use mem_pool::{Credit, LedgerOptions, TaskId, Wait};

use crate::house::{House, ON, ask, sizes};
use crate::options;
use crate::policies::Unified;
use crate::polled::Polled;

/// 100 bytes, of which task 1 holds 80 and task 2 the rest; both by hand.
fn full() -> House {
    let house = House::new(Unified::default(), options(sizes(100, 0, 0)));
    house.grant(1, 80).leave();
    house.grant(2, 20).leave();
    house
}

fn spilled(house: &House, task: i64, bytes: u64) -> Credit {
    let credit = house.ledger.open_credit(TaskId::new(task), ON);
    assert_eq!(credit.release(bytes), bytes);
    credit
}

#[test]
fn nobody_else_gets_it() {
    let house = full();
    let credit = spilled(&house, 2, 10);
    assert_eq!((credit.bytes(), house.books().kept), (10, 10));
    assert_eq!(house.ledger.try_acquire(ask(1, 10)).unwrap().bytes(), 0);
    let mine = house
        .ledger
        .acquire_with(ask(2, 10), &credit, &Wait::default())
        .unwrap();
    assert_eq!(
        (mine.bytes(), credit.bytes(), house.books().kept),
        (10, 0, 0)
    );
}

#[test]
fn it_collects_and_takes_no_more_than_is_held() {
    let house = full();
    let credit = spilled(&house, 2, 5);
    assert_eq!(credit.release(5), 5);
    assert_eq!(credit.release(1000), 10);
    assert_eq!((credit.release(1), credit.bytes()), (0, 20));
    assert!(credit.is_for(ON) && !credit.is_for(MemoryMode::OffHeap));
    drop(credit);
    assert_eq!((house.books().kept, house.books().execution_used), (0, 80));
}

#[test]
fn what_the_rule_leaves_of_it_falls_free_and_the_waiters_are_told() {
    let house = full();
    let mut waiting = Polled::new(house.ledger.acquire_async(ask(3, 10)));
    assert!(waiting.poll().is_none());
    let credit = spilled(&house, 1, 60);
    assert!(!waiting.is_woken(), "it is kept");
    let again = house
        .ledger
        .acquire_with(ask(1, 20), &credit, &Wait::default())
        .unwrap();
    // Three tasks: a share is 33, and it still holds 20.
    assert_eq!(again.bytes(), 13);
    assert_eq!(waiting.poll_if_woken().unwrap().unwrap().bytes(), 10);
    assert_eq!(house.books().kept, 0);
}

#[test]
fn one_with_which_nothing_was_spilled_tells_nobody() {
    let house = full();
    let waiting = {
        let mut waiting = Polled::new(house.ledger.acquire_async(ask(3, 10)));
        assert!(waiting.poll().is_none());
        waiting
    };
    let evictions = house.ledger.snapshot();
    let credit = house.ledger.open_credit(TaskId::new(1), ON);
    assert_eq!(
        house
            .ledger
            .acquire_with(ask(1, 1), &credit, &Wait::default())
            .unwrap()
            .bytes(),
        0
    );
    drop(credit);
    assert!(!waiting.is_woken());
    assert_eq!(house.ledger.snapshot().on_heap, evictions.on_heap);
}

#[test]
fn it_is_of_no_use_to_a_request_that_it_was_not_spilled_for() {
    let (house, stranger) = (full(), full());
    let credit = spilled(&house, 2, 10);
    let off_heap = mem_pool::Ask::execution(TaskId::new(2), MemoryMode::OffHeap, 1);
    for (ledger, ask) in [
        (&house.ledger, ask(1, 10)),
        (&house.ledger, off_heap),
        (&stranger.ledger, ask(2, 10)),
    ] {
        drop(ledger.try_acquire_with(ask, &credit));
        assert_eq!((credit.bytes(), house.books().kept), (10, 10));
        stranger.ledger.check();
    }
    drop(credit);
    assert_eq!((house.books().kept, stranger.books().kept), (0, 0));
}

#[test]
fn a_ticket_takes_it_along_and_gives_it_back() {
    let house = full();
    let credit = spilled(&house, 2, 10);
    let ticket = house.ledger.ticket_with(ask(2, 10), &credit);
    assert_eq!((credit.bytes(), house.books().kept), (0, 10));
    drop(credit);
    assert_eq!(house.books().kept, 10);
    drop(ticket);
    assert_eq!(house.books().kept, 0);
}

#[test]
fn asking_for_nothing_gives_it_back() {
    let house = full();
    let credit = spilled(&house, 2, 10);
    let nothing = house
        .ledger
        .acquire_with(ask(2, 0), &credit, &Wait::default())
        .unwrap();
    assert_eq!((nothing.bytes(), house.books().kept), (0, 0));
    assert_eq!(house.ledger.try_acquire(ask(2, 10)).unwrap().bytes(), 10);
}

#[test]
fn it_outlives_an_eviction_and_is_used_after_it() {
    let options = LedgerOptions {
        reclaim_inline: true,
        ..options(sizes(100, 20, 0))
    };
    let house = House::new(Unified::default(), options);
    house.grant(1, 100).leave();
    house.cache(20);
    let credit = spilled(&house, 1, 30);
    let ledger = std::sync::Arc::downgrade(&house.ledger);
    house.store.set_hook(move || {
        let ledger = ledger.upgrade().unwrap();
        assert_eq!(ledger.snapshot().on_heap.kept, 30);
    });
    let grant = house
        .ledger
        .acquire_with(ask(1, 50), &credit, &Wait::default())
        .unwrap();
    assert_eq!(grant.bytes(), 50);
    assert_eq!(
        house.store.take_needs(),
        [20],
        "no more is evicted than the spill has left missing"
    );
}
