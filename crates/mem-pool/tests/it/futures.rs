//! The future: what it does where, and what becomes of it when it is dropped half-way.

use std::sync::{Arc, Barrier};
use std::time::Duration;

use mem_pool::{CancelToken, LedgerOptions, Reason, Wait};
use mem_sync::{Clock, thread};

use crate::house::{House, ask, sizes};
use crate::policies::{Turns, Unified};
use crate::polled::Polled;
use crate::{clocked, options};

/// A house in which every request of task 1 has a block of 4 bytes evicted, which stops at a barrier
/// when it has begun, and again before it is over.
fn halting(options: LedgerOptions) -> (House, Arc<Barrier>) {
    let house = House::new(Turns::default(), options);
    house.cache(4);
    let barrier = Arc::new(Barrier::new(2));
    let hook = Arc::clone(&barrier);
    house.store.set_hook(move || {
        hook.wait();
        hook.wait();
    });
    (house, barrier)
}

#[test]
fn it_evicts_on_a_helper_thread() {
    let house = House::new(Turns::default(), options(sizes(0, 8, 0)));
    house.cache(8);
    let polling = std::thread::current().id();
    house
        .store
        .set_hook(move || assert_ne!(std::thread::current().id(), polling));
    let granted = Polled::new(house.ledger.acquire_async(ask(1, 6)))
        .run()
        .unwrap();
    assert_eq!(granted.bytes(), 6);
}

#[test]
fn it_evicts_where_it_is_polled_when_told_so() {
    for reclaim_inline in [false, true] {
        let options = LedgerOptions {
            reclaim_inline,
            ..options(sizes(0, 8, 0))
        };
        let house = House::new(Turns::default(), options);
        house.cache(8);
        let polling = std::thread::current().id();
        house
            .store
            .set_hook(move || assert_eq!(std::thread::current().id(), polling));
        let future = house.ledger.acquire_async(ask(1, 6));
        let future = if reclaim_inline {
            future
        } else {
            future.inline()
        };
        let granted = Polled::new(future).poll().unwrap().unwrap();
        assert_eq!(granted.bytes(), 6);
    }
}

#[test]
fn dropped_while_its_eviction_runs_it_loses_nothing() {
    let (house, barrier) = halting(options(sizes(2, 6, 0)));
    let mut future = Polled::new(house.ledger.acquire_async(ask(1, 3)));
    assert!(future.poll().is_none());
    barrier.wait();
    assert_eq!(house.books().kept, 2, "free storage memory is kept for it");
    drop(future);
    assert_eq!(house.ledger.snapshot().waiting, 1, "who evicts settles");
    barrier.wait();
    while house.ledger.snapshot().waiting > 0 {
        thread::yield_now();
    }
    assert_eq!(house.books().storage_used, 0, "what was freed is free");
    assert_eq!(house.books().storage_pool, 6);
    house.close(&[1]);
}

#[test]
fn dropped_with_its_grant_not_yet_taken_it_gives_it_back() {
    let house = House::new(Unified::default(), options(sizes(4, 0, 0)));
    let hog = house.grant(1, 4);
    let mut future = Polled::new(house.ledger.acquire_async(ask(2, 2)));
    assert!(future.poll().is_none());
    drop(hog);
    assert!(future.is_woken());
    assert_eq!(house.books().execution_used, 2);
    drop(future);
    house.close(&[1, 2]);
}

#[test]
fn never_polled_it_does_nothing() {
    let house = House::new(Unified::default(), options(sizes(4, 0, 0)));
    drop(house.ledger.acquire_async(ask(1, 2)));
    assert_eq!(house.books().active_tasks, 0);
    house.close(&[]);
}

#[test]
fn cancelled_while_its_eviction_runs_it_ends_at_once() {
    let (house, barrier) = halting(options(sizes(2, 6, 0)));
    let token = CancelToken::new();
    let wait = Wait {
        cancel: Some(&token),
        deadline: None,
    };
    let mut future = Polled::new(house.ledger.acquire_async(ask(1, 3)).with(&wait));
    assert!(future.poll().is_none());
    barrier.wait();
    token.cancel();
    let refusal = future.poll_if_woken().unwrap().unwrap_err();
    assert!(matches!(refusal.reason(), Reason::Cancelled));
    barrier.wait();
    while house.ledger.snapshot().waiting > 0 {
        thread::yield_now();
    }
    house.close(&[1]);
}

#[test]
fn its_deadline_holds_while_its_eviction_runs() {
    let (clock, options) = clocked(sizes(2, 6, 0));
    let options = LedgerOptions {
        wait_timeout: Some(Duration::from_secs(5)),
        ..options
    };
    let (house, barrier) = halting(options);
    let mut future = Polled::new(house.ledger.acquire_async(ask(1, 3)));
    assert!(future.poll().is_none());
    barrier.wait();
    clock.advance(Duration::from_secs(5));
    let refusal = future.run().unwrap_err();
    assert!(matches!(refusal.reason(), Reason::Deadline));
    barrier.wait();
    while house.ledger.snapshot().waiting > 0 {
        thread::yield_now();
    }
    house.close(&[1]);
}

#[test]
fn an_eviction_that_was_not_enough_leaves_it_with_its_deadline() {
    let (clock, options) = clocked(sizes(2, 6, 0));
    let house = House::new(Turns::default(), options);
    house.cache(4);
    let wait = Wait {
        deadline: Some(clock.now() + Duration::from_secs(1)),
        cancel: None,
    };
    let mut future = Polled::new(house.ledger.acquire_async(ask(1, 100)).with(&wait));
    assert!(future.poll().is_none());
    while house.ledger.snapshot().counters.evictions == 0 {
        thread::yield_now();
    }
    clock.advance(Duration::from_secs(1));
    let refusal = future.run().unwrap_err();
    assert!(matches!(refusal.reason(), Reason::Deadline));
    house.close(&[1]);
}

#[test]
fn one_eviction_that_panics_does_not_stop_the_next() {
    use crate::store::Outcome;
    let house = House::new(Turns::default(), options(sizes(2, 8, 0)));
    house.cache(4);
    house.store.set_outcome(Outcome::Panics);
    let mut first = Polled::new(house.ledger.acquire_async(ask(1, 3)));
    assert!(first.poll().is_none());
    while house.books().kept > 0 {
        thread::yield_now();
    }
    assert_eq!(house.store.marked(), 0, "its marks are gone");
    house.store.set_outcome(Outcome::Drops);
    // Free storage memory went to the first, which took some of it; the rest falls to the second.
    let granted = first.run().unwrap();
    assert_eq!(granted.bytes(), 3);
    let second = Polled::new(house.ledger.acquire_async(ask(3, 7)))
        .run()
        .unwrap();
    assert_eq!(second.bytes(), 7);
    drop((granted, second));
    house.close(&[1, 3]);
}

#[test]
fn polled_again_it_is_woken_by_its_last_waker() {
    let house = House::new(Unified::default(), options(sizes(4, 0, 0)));
    let hog = house.grant(1, 4);
    let mut future = Box::pin(house.ledger.acquire_async(ask(2, 2)));
    let (old, old_waker) = crate::polled::flagged();
    let (new, new_waker) = crate::polled::flagged();
    for waker in [&old_waker, &new_waker] {
        let mut context = std::task::Context::from_waker(waker);
        assert!(future.as_mut().poll(&mut context).is_pending());
    }
    drop(hog);
    assert!(new.take() && !old.take());
    drop(future);
    house.close(&[1, 2]);
}
