//! No lost wake-up: every change that the policy looks at reaches those who wait.

use mem_block::MemoryMode;
use mem_pool::{Cause, TaskId};
use mem_sync::thread::spawn;
use std::sync::Arc;

use crate::house::{House, ON, ask, sizes};
use crate::policies::Unified;
use crate::{Sleeper, model, options, patiently};

/// Sparks's causes and those which Spark does not look at.
const ALL: &[Cause] = &[
    Cause::ExecutionReleased,
    Cause::TaskRegistered,
    Cause::NotifyAll,
    Cause::StorageReleased,
    Cause::UnmanagedChanged,
    Cause::LimitChanged,
];

/// Protects: the notification on a release, the note that a granted waiter is to be woken, and the
/// waking itself.
#[test]
fn release_wakes() {
    model(|| {
        let house = House::new(Unified::default(), options(sizes(4, 0, 0)));
        let everything = house.grant(1, 4);
        let ledger = Arc::clone(&house.ledger);
        let other = spawn(move || ledger.acquire(ask(2, 2), &patiently()).unwrap().bytes());
        drop(everything);
        assert_eq!(other.join().unwrap(), 2);
        house.close(&[1, 2]);
    });
}

/// Protects: the notification at the end of a task that still held something.
#[test]
fn task_end_wakes() {
    model(|| {
        let house = House::new(Unified::default(), options(sizes(4, 0, 0)));
        house.grant(1, 4).leave();
        let ledger = Arc::clone(&house.ledger);
        let other = spawn(move || ledger.acquire(ask(2, 2), &patiently()).unwrap().bytes());
        assert_eq!(house.ledger.end_task(TaskId::new(1)), (4, 0));
        assert_eq!(other.join().unwrap(), 2);
        house.close(&[1, 2]);
    });
}

/// A third task makes every share smaller, and what the second holds is enough for the new minimum:
/// it is answered, if only with nothing. Protects: the notification that a task has come to count.
#[test]
fn new_task_wakes() {
    model(|| {
        let house = House::new(Unified::default(), options(sizes(8, 0, 0)));
        let (hog, held) = (house.grant(1, 7), house.grant(2, 1));
        let second = Sleeper::parked(&house.ledger, house.ledger.ticket(ask(2, 4))).spawn();
        let refusal = house.ledger.try_acquire(ask(3, 4)).unwrap_err();
        assert_eq!(second.join().unwrap().unwrap().bytes(), 0);
        drop((hog, held, refusal));
        house.close(&[1, 2, 3]);
    });
}

/// Less memory in use outside the ledger changes nothing for Spark's waiters until somebody says so.
/// Protects: the notification on [`Ledger::notify_all`](mem_pool::Ledger::notify_all).
#[test]
fn notify_all_wakes() {
    model(|| {
        let house = House::new(Unified::default(), options(sizes(4, 0, 0)));
        house.ledger.set_unmanaged(ON, 3);
        let waiting = Sleeper::parked(&house.ledger, house.ledger.ticket(ask(1, 4))).spawn();
        house.ledger.set_unmanaged(ON, 0);
        house.ledger.notify_all();
        assert_eq!(waiting.join().unwrap().unwrap().bytes(), 4);
        house.close(&[1]);
    });
}

/// Protects: the notification that less memory is in use outside the ledger, for policies that ask
/// for it.
#[test]
fn unmanaged_change_wakes() {
    model(|| {
        let house = House::new(Unified { causes: ALL }, options(sizes(4, 0, 0)));
        house.ledger.set_unmanaged(ON, 3);
        let ledger = Arc::clone(&house.ledger);
        let other = spawn(move || ledger.acquire(ask(1, 4), &patiently()).unwrap().bytes());
        house.ledger.set_unmanaged(ON, 0);
        assert_eq!(other.join().unwrap(), 4);
        house.close(&[1]);
    });
}

/// Protects: the notification that storage memory was released, for policies that ask for it.
#[test]
fn storage_release_wakes() {
    model(|| {
        let house = House::new(Unified { causes: ALL }, options(sizes(4, 4, 4)));
        let hog = house.grant(1, 4);
        let block = mem_pool::Ask::storage(MemoryMode::OnHeap, 4, None);
        let block = house.ledger.try_acquire(block).unwrap();
        let ledger = Arc::clone(&house.ledger);
        let other = spawn(move || ledger.acquire(ask(2, 2), &patiently()).unwrap().bytes());
        drop(block);
        assert_eq!(other.join().unwrap(), 2);
        drop(hog);
        house.close(&[1, 2]);
    });
}
