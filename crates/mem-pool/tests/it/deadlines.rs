//! Deadlines, on a clock that the tests move by hand.

use std::sync::Arc;
use std::time::Duration;

use mem_pool::{LedgerOptions, Reason, Wait};
use mem_sync::{Clock, Moment, thread};

use crate::clocked;
use crate::house::{House, ask, sizes};
use crate::policies::Unified;
use crate::polled::Polled;

const SECOND: Duration = Duration::from_secs(1);

fn is_late(outcome: crate::polled::Outcome) -> bool {
    outcome.is_err_and(|refusal| matches!(refusal.reason(), Reason::Deadline))
}

#[test]
fn a_blocking_wait_ends_at_its_deadline_and_not_before() {
    let (clock, options) = clocked(sizes(10, 0, 0));
    let house = House::new(Unified::default(), options);
    let _hog = house.grant(1, 10);
    let ledger = Arc::clone(&house.ledger);
    let wait = Wait {
        deadline: Some(clock.now() + 2 * SECOND),
        cancel: None,
    };
    let waiting = thread::spawn(move || ledger.acquire(ask(2, 5), &wait));
    for _ in 0..2 {
        while clock.parked() == 0 {
            thread::yield_now();
        }
        assert_eq!(house.ledger.snapshot().waiting, 1);
        clock.advance(SECOND);
    }
    let refusal = waiting.join().unwrap().unwrap_err();
    assert!(matches!(refusal.reason(), Reason::Deadline));
    assert_eq!(refusal.remedy(), "hearth.wait.timeout");
    assert_eq!(house.ledger.snapshot().waiting, 0);
}

#[test]
fn without_a_deadline_of_its_own_a_wait_has_the_ledgers() {
    let (clock, options) = clocked(sizes(10, 0, 0));
    let options = LedgerOptions {
        wait_timeout: Some(5 * SECOND),
        ..options
    };
    let house = House::new(Unified::default(), options);
    let _hog = house.grant(1, 10);
    clock.advance(SECOND);
    let ledger = Arc::clone(&house.ledger);
    let blocking = thread::spawn(move || ledger.acquire(ask(2, 5), &Wait::default()));
    let mut future = Polled::new(house.ledger.acquire_async(ask(3, 5)));
    assert!(future.poll().is_none());
    // The timer's thread and the blocking one.
    while clock.parked() < 2 {
        thread::yield_now();
    }
    clock.advance(4 * SECOND);
    assert_eq!(house.ledger.snapshot().waiting, 2);
    clock.advance(SECOND);
    assert!(is_late(blocking.join().unwrap()));
    assert!(is_late(future.run()));
}

#[test]
fn a_deadline_that_has_passed_ends_only_a_wait() {
    let (clock, options) = clocked(sizes(10, 0, 0));
    let house = House::new(Unified::default(), options);
    clock.advance(SECOND);
    let wait = Wait {
        deadline: Some(Moment::from_nanos(1)),
        cancel: None,
    };
    let granted = house.ledger.acquire(ask(1, 10), &wait).unwrap();
    assert_eq!(granted.bytes(), 10);
    assert!(is_late(house.ledger.acquire(ask(2, 5), &wait)));
    let mut future = Polled::new(house.ledger.acquire_async(ask(2, 5)).with(&wait));
    assert!(is_late(future.poll().unwrap()));
}

#[test]
fn a_future_that_nobody_polls_is_refused_and_woken() {
    let (clock, options) = clocked(sizes(10, 0, 0));
    let house = House::new(Unified::default(), options);
    let hog = house.grant(1, 10);
    let at = |seconds: u32| Wait {
        deadline: Some(clock.now() + seconds * SECOND),
        cancel: None,
    };
    let acquire = |task, wait: Wait<'_>| {
        let mut future = Polled::new(house.ledger.acquire_async(ask(task, 5)).with(&wait));
        assert!(future.poll().is_none());
        future
    };
    let (late, early, dropped) = (acquire(2, at(3)), acquire(3, at(1)), acquire(4, at(2)));
    drop(dropped);
    clock.advance(SECOND);
    while !early.is_woken() {
        thread::yield_now();
    }
    assert!(is_late(early.run()));
    clock.advance(SECOND);
    clock.advance(SECOND);
    assert!(is_late(late.run()));
    drop(hog);
    house.close(&[1, 2, 3, 4]);
}

#[test]
fn the_timers_thread_ends_with_the_ledger() {
    let (clock, options) = clocked(sizes(10, 0, 0));
    let house = House::new(Unified::default(), options);
    let hog = house.grant(1, 10);
    let wait = Wait {
        deadline: Some(clock.now() + SECOND),
        cancel: None,
    };
    let mut future = Polled::new(house.ledger.acquire_async(ask(2, 5)).with(&wait));
    assert!(future.poll().is_none());
    while clock.parked() == 0 {
        thread::yield_now();
    }
    drop((future, hog, house));
    while clock.parked() > 0 || Arc::strong_count(&clock) > 1 {
        thread::yield_now();
    }
}
