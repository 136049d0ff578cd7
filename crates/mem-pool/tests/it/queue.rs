//! The queue: who is served first, and what becomes of a ticket that goes away in each of its states.

use std::sync::Arc;
use std::task::{Wake, Waker};

use mem_pool::{Ledger, Reason, Reclaim, Step, TaskId, Ticket};

use crate::house::{House, ON, ask, sizes};
use crate::options;
use crate::policies::{Turns, Unified};
use crate::polled::{Polled, flagged};

/// A house of 100 bytes, all of them held by task 1.
fn full() -> (House, mem_pool::Reservation) {
    let house = House::new(Unified::default(), options(sizes(100, 0, 0)));
    let hog = house.grant(1, 100);
    (house, hog)
}

fn wait(house: &House, task: i64, bytes: u64) -> Polled {
    let mut future = Polled::new(house.ledger.acquire_async(ask(task, bytes)));
    assert!(future.poll().is_none(), "it has to wait");
    future
}

fn granted(future: &mut Polled) -> Option<u64> {
    let outcome = future.poll_if_woken();
    outcome.map(|outcome| outcome.unwrap().leave())
}

#[test]
fn who_came_first_is_served_first() {
    let (house, mut hog) = full();
    let mut waiting: Vec<Polled> = (2..5).map(|task| wait(&house, task, 20)).collect();
    for served in 0..3 {
        drop(hog.split(20));
        let got: Vec<_> = waiting.iter_mut().map(granted).collect();
        let expected: Vec<_> = (0..3)
            .map(|index| (index == served).then_some(20))
            .collect();
        assert_eq!(got, expected);
    }
}

#[test]
fn one_that_the_rule_keeps_waiting_does_not_hold_up_those_behind() {
    let (house, mut hog) = full();
    let (mut first, mut second) = (wait(&house, 2, 50), wait(&house, 3, 5));
    // 5 bytes are less than the first's minimum, a sixth, and all that the second wants.
    drop(hog.split(5));
    assert_eq!((granted(&mut first), granted(&mut second)), (None, Some(5)));
    drop(hog.split(30));
    assert_eq!(granted(&mut first), Some(30));
}

#[test]
fn nobody_is_woken_for_nothing() {
    let (house, mut hog) = full();
    let waiting = wait(&house, 2, 50);
    drop(hog.split(5));
    house.ledger.notify_all();
    assert!(!waiting.is_woken());
}

#[test]
fn a_step_without_a_waker_ends_the_wait() {
    let (house, _hog) = full();
    let (_, waker) = flagged();
    let mut ticket = house.ledger.ticket(ask(2, 20));
    assert!(matches!(ticket.step(Some(&waker)), Step::Parked));
    let Step::Refused(refusal) = ticket.step(None) else {
        panic!("it does not wait any longer");
    };
    assert!(matches!(refusal.reason(), Reason::WouldWait));
    assert_eq!(house.ledger.snapshot().waiting, 0);
}

#[test]
#[should_panic(expected = "no further than its end")]
fn a_ticket_has_one_end() {
    let house = House::new(Unified::default(), options(sizes(100, 0, 0)));
    let mut ticket = house.ledger.ticket(ask(1, 1));
    assert!(matches!(ticket.step(None), Step::Granted(_)));
    ticket.step(None);
}

/// Task 1 will have a block of 4 evicted; 2 bytes of storage memory are free beside it.
fn evicting() -> (House, Ticket, Reclaim, Arc<crate::polled::Flag>) {
    let house = House::new(Turns::default(), options(sizes(2, 6, 0)));
    house.cache(4);
    let (flag, waker) = flagged();
    let mut ticket = house.ledger.ticket(ask(1, 3));
    match ticket.step(Some(&waker)) {
        Step::Evict(reclaim) => (house, ticket, reclaim, flag),
        step => panic!("it has to evict: {step:?}"),
    }
}

#[test]
fn a_ticket_rests_while_another_thread_evicts_for_it() {
    let (house, mut ticket, reclaim, flag) = evicting();
    // Also without a waker: the one that it has stays good.
    assert!(matches!(ticket.step(None), Step::Parked));
    assert!(!flag.take());
    std::thread::spawn(move || reclaim.run()).join().unwrap();
    assert!(flag.take());
    let Step::Granted(reservation) = ticket.step(None) else {
        panic!("the eviction was enough");
    };
    drop(reservation);
    house.close(&[1]);
}

#[test]
fn an_eviction_that_is_dropped_unrun_is_settled_with_nothing() {
    let (house, mut ticket, reclaim, flag) = evicting();
    drop(reclaim);
    assert!(flag.take());
    // What was kept for it was enough.
    let Step::Granted(reservation) = ticket.step(None) else {
        panic!("2 bytes of execution's and 2 of storage's are free");
    };
    assert_eq!(house.books().storage_used, 4);
    drop(reservation);
    house.close(&[1]);
}

#[test]
fn dropped_before_its_eviction_runs() {
    let (house, ticket, reclaim, _) = evicting();
    drop(ticket);
    assert_eq!(house.books().kept, 2);
    reclaim.run();
    assert_eq!(house.store.take_needs(), [0; 0], "nobody needs it any more");
    assert_eq!(house.books().storage_used, 4);
    house.close(&[1]);
}

#[test]
fn dropped_after_its_eviction_was() {
    let (house, ticket, reclaim, _) = evicting();
    drop(reclaim);
    drop(ticket);
    house.close(&[1]);
}

#[test]
fn dropped_while_it_waits() {
    let (house, hog) = full();
    drop(wait(&house, 2, 10));
    drop(hog);
    house.close(&[1, 2]);
}

#[test]
fn dropped_when_it_has_to_evict() {
    let house = House::new(Turns::default(), options(sizes(2, 6, 0)));
    let hog = house.grant(2, 2);
    let waiting = wait(&house, 1, 3);
    house.cache(4);
    drop(hog);
    assert!(waiting.is_woken());
    assert_eq!(house.books().kept, 2);
    drop(waiting);
    assert_eq!(
        house.store.take_needs(),
        [0; 0],
        "nobody has begun to evict"
    );
    house.close(&[1, 2]);
}

#[test]
fn dropped_when_it_was_refused() {
    let (house, hog) = full();
    let waiting = wait(&house, 2, 10);
    house.ledger.end_task(TaskId::new(2));
    assert!(waiting.is_woken());
    drop(waiting);
    drop(hog);
    house.close(&[1, 2]);
}

#[test]
fn dropped_before_its_first_step_it_never_came() {
    let house = House::new(Unified::default(), options(sizes(100, 0, 0)));
    drop(house.ledger.ticket(ask(1, 10)));
    house.close(&[]);
}

/// A waker that looks at the ledger when it is woken and when it is dropped, as one may that takes its
/// task down with it.
struct Foreign(Arc<Ledger>);

impl Wake for Foreign {
    fn wake(self: Arc<Self>) {
        self.0.check();
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        self.0.check();
    }
}

/// Steps with a waker of which nobody else has a copy, and which is gone unless it is kept.
fn step_once(house: &House, ticket: &mut Ticket) -> Step {
    ticket.step(Some(&Waker::from(Arc::new(Foreign(Arc::clone(
        &house.ledger,
    ))))))
}

#[test]
fn wakers_are_woken_and_dropped_without_the_lock() {
    let (house, mut hog) = full();
    let wait = |task| {
        let mut ticket = house.ledger.ticket(ask(task, 10));
        assert!(matches!(step_once(&house, &mut ticket), Step::Parked));
        ticket
    };
    let (mut replaced, abandoned, woken, mut ended) = (wait(2), wait(3), wait(4), wait(5));
    assert!(matches!(step_once(&house, &mut replaced), Step::Parked));
    drop(abandoned);
    assert!(matches!(ended.step(None), Step::Refused(_)));
    drop(hog.split(10));
    drop(hog.split(10));
    drop((replaced, woken, ended, hog));
    assert_eq!(house.ledger.largest_holders(ON, 9), []);
    assert_eq!(Arc::strong_count(&house.ledger), 1, "no waker is kept");
}
