//! Limits that change while requests wait.

use mem_pool::Ask;
use std::sync::Arc;

use crate::house::{House, ON, ask, sizes};
use crate::policies::{Halves, Unified};
use crate::{Sleeper, model, options, patiently};

/// Protects: the notification that a limit was raised.
#[test]
fn raised_limit_wakes() {
    model(|| {
        let house = House::new(Unified::default(), options(sizes(4, 0, 0)));
        let hog = house.grant(1, 4);
        let ledger = Arc::clone(&house.ledger);
        let other = mem_sync::thread::spawn(move || {
            ledger.acquire(ask(2, 2), &patiently()).unwrap().bytes()
        });
        let change = house.ledger.set_limit(ON, 8).unwrap();
        assert_eq!((change.total, change.outstanding), (8, 0));
        assert_eq!(other.join().unwrap(), 2);
        drop(hog);
        house.close(&[1, 2]);
    });
}

/// The limit is halved while blocks that can't be evicted hold all that storage has: execution's own
/// free half is frozen until they are gone. Protects: the notification that it no longer is.
#[test]
fn paid_debt_wakes() {
    model(|| {
        let house = House::new(Halves, options(sizes(4, 4, 0)));
        let block = house.ledger.try_acquire(Ask::storage(ON, 4, None)).unwrap();
        let change = house.ledger.set_limit(ON, 4).unwrap();
        assert_eq!((change.total, change.outstanding), (4, 2));
        let waiting = Sleeper::parked(&house.ledger, house.ledger.ticket(ask(1, 2))).spawn();
        drop(block);
        assert_eq!(waiting.join().unwrap().unwrap().bytes(), 2);
        house.close(&[1]);
    });
}

/// A limit that is lowered while two tasks ask never lets more be granted than it, or than was held
/// before. Protects nothing that is marked: the sums of the ledger check themselves.
#[test]
fn lowered_limit_versus_acquire() {
    model(|| {
        let house = House::new(Unified::default(), options(sizes(8, 0, 0)));
        let held = house.grant(1, 4);
        let ledger = Arc::clone(&house.ledger);
        let other = mem_sync::thread::spawn(move || {
            let got = ledger.try_acquire(ask(2, 4));
            ledger.check();
            drop(got);
        });
        let change = house.ledger.set_limit(ON, 4).unwrap();
        assert!(change.outstanding <= 4);
        drop(held);
        other.join().unwrap();
        assert_eq!(house.books().execution_pool, 4);
        house.close(&[1, 2]);
    });
}
