//! Evictions run without the lock: what they free, what is kept meanwhile, and who is told after.

use mem_pool::{Ask, Cause, Reclaim, Reservation, Step, TaskId, Ticket};
use mem_sync::ThreadWaker;
use mem_sync::thread::spawn;
use std::sync::Arc;

use crate::house::{House, ON, ask, sizes};
use crate::policies::{Turns, Unified};
use crate::{Sleeper, model, options, patiently};

/// Takes a ticket's first step, which finds that blocks have to be evicted.
fn begin(house: &House, task: i64, bytes: u64, own: &ThreadWaker) -> (Ticket, Reclaim) {
    let mut ticket = house.ledger.ticket(ask(task, bytes));
    match ticket.step(Some(own.waker())) {
        Step::Evict(reclaim) => (ticket, reclaim),
        step => panic!("it has to evict: {step:?}"),
    }
}

/// Evicts, and takes the ticket, which then has no reason to wait, to its end.
fn finish(mut ticket: Ticket, reclaim: Reclaim, own: &ThreadWaker) -> Reservation {
    reclaim.run();
    match ticket.step(Some(own.waker())) {
        Step::Granted(reservation) => reservation,
        step => panic!("the eviction was enough: {step:?}"),
    }
}

/// One task evicts for all that storage has, while a block is stored that would fit what storage has
/// free. Protects: that this is kept for the task, and given up again when the eviction is over.
#[test]
fn no_over_grant_during_eviction() {
    model(|| {
        let house = House::new(Unified::default(), options(sizes(4, 4, 0)));
        let hog = house.grant(1, 2);
        house.cache(2);
        let own = ThreadWaker::new();
        let (ticket, reclaim) = begin(&house, 1, 6, &own);
        let ledger = Arc::clone(&house.ledger);
        let storing = spawn(move || {
            let block = ledger.try_acquire(Ask::storage(ON, 2, None));
            ledger.check();
            block.map_or(0, |block| block.leave())
        });
        let granted = finish(ticket, reclaim, &own);
        let stored = storing.join().unwrap();
        // The block can have taken the execution memory that was free, never what was kept.
        let bytes = granted.bytes();
        assert!(bytes >= 4 && bytes + stored <= 6, "{bytes} {stored}");
        assert_eq!(house.books().storage_used, stored);
        drop((hog, granted));
        house.close(&[1]);
    });
}

/// Protects: the notification that an eviction has freed storage memory, for policies that ask for it.
#[test]
fn eviction_wakes() {
    const CAUSES: &[Cause] = &[Cause::StorageReleased];
    model(|| {
        let house = House::new(Turns { causes: CAUSES }, options(sizes(2, 4, 0)));
        house.cache(4);
        let waiting = Sleeper::parked(&house.ledger, house.ledger.ticket(ask(2, 5))).spawn();
        assert_eq!(
            house
                .ledger
                .acquire(ask(1, 1), &patiently())
                .unwrap()
                .leave(),
            1
        );
        assert_eq!(waiting.join().unwrap().unwrap().bytes(), 5);
        assert_eq!(house.ledger.end_task(TaskId::new(1)), (1, 0));
        house.close(&[1, 2]);
    });
}

/// A task comes while bytes are kept for another's eviction, of which some are left in the end.
/// Protects: that it is looked at again then, although the policy asks for no such cause.
#[test]
fn came_beside_an_eviction() {
    model(|| {
        let house = House::new(Turns::default(), options(sizes(2, 4, 0)));
        house.cache(2);
        let own = ThreadWaker::new();
        let (ticket, reclaim) = begin(&house, 1, 1, &own);
        let ledger = Arc::clone(&house.ledger);
        let other = spawn(move || ledger.acquire(ask(2, 4), &patiently()).unwrap().bytes());
        let grant = finish(ticket, reclaim, &own);
        assert_eq!(other.join().unwrap(), 4);
        drop(grant);
        house.close(&[1, 2]);
    });
}

/// The same, where the second task's own eviction finds nothing that is not marked for the first.
#[test]
fn settled_beside_an_eviction() {
    model(|| {
        let house = House::new(Turns::default(), options(sizes(2, 4, 0)));
        house.cache(2);
        let own = ThreadWaker::new();
        let (ticket, reclaim) = begin(&house, 1, 1, &own);
        let ledger = Arc::clone(&house.ledger);
        let other = spawn(move || ledger.acquire(ask(3, 5), &patiently()).unwrap().leave());
        reclaim.run();
        let grant = Sleeper::resumed(&house.ledger, ticket, own).wait().unwrap();
        assert_eq!(other.join().unwrap(), 5);
        drop(grant);
        assert_eq!(house.ledger.end_task(TaskId::new(3)), (5, 0));
        house.close(&[1, 3]);
    });
}

/// A release has a waiting task looked at while another's eviction runs, too early. Protects: that it
/// is looked at again when the eviction is over.
#[test]
fn looked_at_beside_an_eviction() {
    model(|| {
        let house = House::new(Turns::default(), options(sizes(5, 3, 0)));
        // The task that evicts counts already: its coming tells nobody anything.
        let (counting, part) = (house.grant(1, 1), house.grant(2, 1));
        house.cache(3);
        let waiting = Sleeper::parked(&house.ledger, house.ledger.ticket(ask(4, 6))).spawn();
        let own = ThreadWaker::new();
        let (ticket, reclaim) = begin(&house, 1, 1, &own);
        let releasing = spawn(move || drop(part));
        reclaim.run();
        // Its byte is kept, so what is left is just what the other waits for.
        let grant = Sleeper::resumed(&house.ledger, ticket, own).wait().unwrap();
        assert_eq!(waiting.join().unwrap().unwrap().bytes(), 6);
        releasing.join().unwrap();
        drop((grant, counting));
        house.close(&[1, 2, 4]);
    });
}

/// Two wait, and the first has to evict when memory is released. Protects: that the second, which is
/// passed over until then, is looked at when the eviction is over.
#[test]
fn held_back_by_an_eviction() {
    model(|| {
        let house = House::new(Turns::default(), options(sizes(2, 4, 0)));
        let hog = house.grant(2, 2);
        let first = Sleeper::parked(&house.ledger, house.ledger.ticket(ask(1, 3)));
        let second = Sleeper::parked(&house.ledger, house.ledger.ticket(ask(4, 2)));
        house.cache(3);
        let (first, second) = (first.spawn(), second.spawn());
        drop(hog);
        let got = first.join().unwrap().unwrap();
        assert_eq!(got.bytes(), 3);
        assert_eq!(second.join().unwrap().unwrap().bytes(), 2);
        drop(got);
        house.close(&[1, 2, 4]);
    });
}

/// The first of two that wait has to evict, and is dropped instead. Protects: that the second is
/// looked at then.
#[test]
fn dropped_eviction_wakes() {
    model(|| {
        let house = House::new(Turns::default(), options(sizes(2, 4, 0)));
        let hog = house.grant(2, 2);
        let first = Sleeper::parked(&house.ledger, house.ledger.ticket(ask(1, 3)));
        let second = Sleeper::parked(&house.ledger, house.ledger.ticket(ask(4, 2))).spawn();
        house.cache(3);
        let dropping = spawn(move || drop(first));
        drop(hog);
        dropping.join().unwrap();
        assert_eq!(second.join().unwrap().unwrap().bytes(), 2);
        house.close(&[1, 2, 4]);
    });
}

/// A helper thread evicts, and it was not enough: the request waits from now on. Protects: that its
/// ticket is told, which alone can set its deadline.
#[test]
fn eviction_that_parks_wakes() {
    model(|| {
        let house = House::new(Turns::default(), options(sizes(2, 4, 0)));
        house.cache(2);
        let own = ThreadWaker::new();
        let (mut ticket, reclaim) = begin(&house, 1, 100, &own);
        let helper = spawn(move || reclaim.run());
        own.parker().park();
        assert!(matches!(ticket.step(Some(own.waker())), Step::Parked));
        assert_eq!(house.ledger.snapshot().counters.waits, 1);
        drop(ticket);
        helper.join().unwrap();
        house.close(&[1]);
    });
}
