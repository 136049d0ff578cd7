//! Bytes that are freed for a request belong to that request, and what it leaves falls free.

use mem_pool::{Credit, TaskId};
use mem_sync::thread::spawn;
use std::sync::Arc;

use crate::house::{House, ON, ask, sizes};
use crate::policies::Unified;
use crate::{Sleeper, model, options, patiently};

fn spilled(house: &House, task: i64, bytes: u64) -> Credit {
    let credit = house.ledger.open_credit(TaskId::new(task), ON);
    assert_eq!(credit.release(bytes), bytes);
    credit
}

/// A hog, a task that spills for itself, and one that waits for anything. Protects: that spilled bytes
/// are kept.
#[test]
fn spilled_bytes_are_not_stolen() {
    model(|| {
        let house = House::new(Unified::default(), options(sizes(8, 0, 0)));
        let (hog, kept) = (house.grant(1, 6), house.grant(2, 2));
        let ledger = Arc::clone(&house.ledger);
        let thief = spawn(move || ledger.acquire(ask(3, 2), &patiently()).unwrap().bytes());
        let credit = spilled(&house, 2, 1);
        // What was spilled is the guard's no longer.
        assert_eq!(kept.leave(), 2);
        let again = house
            .ledger
            .acquire_with(ask(2, 1), &credit, &patiently())
            .unwrap();
        assert_eq!(again.bytes(), 1, "what it spilled for itself it gets");
        drop(hog);
        assert_eq!(thief.join().unwrap(), 2);
        drop((again, credit));
        assert_eq!(house.ledger.end_task(TaskId::new(2)), (1, 0));
        house.close(&[1, 2, 3]);
    });
}

/// Protects: the notification that a request has left some of what was spilled for it.
#[test]
fn spilled_rest_wakes() {
    model(|| {
        let house = House::new(Unified::default(), options(sizes(4, 0, 0)));
        house.grant(1, 4).leave();
        let ledger = Arc::clone(&house.ledger);
        let other = spawn(move || ledger.acquire(ask(2, 2), &patiently()).unwrap().bytes());
        let credit = spilled(&house, 1, 3);
        let again = house
            .ledger
            .acquire_with(ask(1, 1), &credit, &patiently())
            .unwrap();
        assert_eq!(again.bytes(), 1);
        assert_eq!(other.join().unwrap(), 2);
        drop(again);
        assert_eq!(house.ledger.end_task(TaskId::new(1)), (1, 0));
        house.close(&[1, 2]);
    });
}

/// Protects: the notification that spilled bytes fall free because nobody asks for them any more.
#[test]
fn dropped_credit_wakes() {
    model(|| {
        let house = House::new(Unified::default(), options(sizes(4, 0, 0)));
        house.grant(1, 4).leave();
        let ledger = Arc::clone(&house.ledger);
        let other = spawn(move || ledger.acquire(ask(2, 2), &patiently()).unwrap().bytes());
        drop(spilled(&house, 1, 4));
        assert_eq!(other.join().unwrap(), 2);
        house.close(&[1, 2]);
    });
}

/// A ticket that took spilled bytes along is dropped before its first step. Protects: that they fall
/// free, and that those who wait are told.
#[test]
fn cancel_returns_credit() {
    model(|| {
        let house = House::new(Unified::default(), options(sizes(4, 0, 0)));
        house.grant(1, 4).leave();
        let credit = spilled(&house, 1, 4);
        let ticket = house.ledger.ticket_with(ask(1, 2), &credit);
        let ledger = Arc::clone(&house.ledger);
        let other = spawn(move || ledger.acquire(ask(2, 2), &patiently()).unwrap().bytes());
        drop((ticket, credit));
        assert_eq!(other.join().unwrap(), 2);
        house.close(&[1, 2]);
    });
}

/// The request for which a task spilled has blocks evicted too; meanwhile another task asks. Protects:
/// that the spilled bytes are still kept while the eviction runs.
#[test]
fn credit_survives_an_eviction() {
    model(|| {
        let house = House::new(Unified::default(), options(sizes(4, 4, 0)));
        house.grant(1, 2).leave();
        let hog = house.grant(2, 2);
        house.cache(4);
        let credit = spilled(&house, 1, 1);
        let ledger = Arc::clone(&house.ledger);
        let other = spawn(move || ledger.acquire(ask(3, 1), &patiently()).unwrap().bytes());
        let again = house
            .ledger
            .acquire_with(ask(1, 3), &credit, &patiently())
            .unwrap();
        assert!(again.bytes() >= 1, "at least what it spilled");
        assert!(other.join().unwrap() <= 1);
        drop((hog, again, credit));
        assert_eq!(house.ledger.end_task(TaskId::new(1)), (1, 0));
        house.close(&[1, 2, 3]);
        assert_eq!(house.books().execution_pool, 8);
    });
}

/// Two sleepers behind a spill: the first is served from what is left, the second from what comes
/// later.
#[test]
fn spilled_rest_goes_to_the_first_that_waits() {
    model(|| {
        let house = House::new(Unified::default(), options(sizes(6, 0, 0)));
        house.grant(1, 6).leave();
        let wait = |task| Sleeper::parked(&house.ledger, house.ledger.ticket(ask(task, 1)));
        let (first, second) = (wait(2).spawn(), wait(3).spawn());
        let credit = spilled(&house, 1, 2);
        let again = house
            .ledger
            .acquire_with(ask(1, 1), &credit, &patiently())
            .unwrap();
        // Three tasks share 6: it still holds more than its share, so it gets nothing of what it freed.
        assert_eq!(again.bytes(), 0);
        for waiting in [first, second] {
            assert_eq!(waiting.join().unwrap().unwrap().bytes(), 1);
        }
        drop(credit);
        assert_eq!(house.ledger.end_task(TaskId::new(1)), (4, 0));
        house.close(&[1, 2, 3]);
    });
}
