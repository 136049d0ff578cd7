//! Tasks: when they count, what is remembered of them, and that nothing of them is left behind.

use mem_block::MemoryMode;
use mem_pool::{Ask, LedgerOptions, Reason, TaskId, raw};

use crate::house::{House, ON, ask, sizes};
use crate::options;
use crate::policies::{Turns, Unified};
use crate::polled::{Polled, flagged};

fn house() -> House {
    let options = LedgerOptions {
        off_heap: sizes(50, 0, 0),
        ..options(sizes(100, 0, 0))
    };
    House::new(Unified::default(), options)
}

#[test]
fn a_task_counts_from_its_first_request_to_its_last_byte() {
    let house = house();
    let counted = || house.books().active_tasks;
    house.ledger.register_task(TaskId::new(1));
    assert_eq!(counted(), 0, "being known is not counting");
    assert_eq!(house.ledger.try_acquire(ask(1, 0)).unwrap().bytes(), 0);
    assert_eq!(counted(), 0, "nothing was asked");
    let grant = house.grant(1, 10);
    assert_eq!(counted(), 1);
    drop(grant);
    assert_eq!(counted(), 0);
    // Granted nothing, it counts all the same, until it releases nothing or ends.
    let hog = house.grant(2, 100);
    assert!(house.ledger.try_acquire(ask(1, 10)).is_err());
    assert_eq!(counted(), 2);
    raw::release_execution_memory(&house.ledger, 0, TaskId::new(1), ON);
    assert_eq!(counted(), 1);
    drop(hog);
}

#[test]
fn its_end_takes_back_what_it_holds_of_both_modes() {
    let house = house();
    house.grant(1, 30).leave();
    let off = Ask::execution(TaskId::new(1), MemoryMode::OffHeap, 20);
    house.ledger.try_reserve(off).unwrap().leave();
    assert_eq!(house.ledger.execution_usage(TaskId::new(1)), 50);
    assert_eq!(house.ledger.end_task(TaskId::new(1)), (30, 20));
    assert_eq!(house.ledger.end_task(TaskId::new(1)), (0, 0));
    house.close(&[]);
}

#[test]
fn a_guard_that_outlives_its_task_frees_nothing_of_anybodys() {
    let house = house();
    let (guard, other) = (house.grant(1, 30), house.grant(2, 20));
    assert_eq!(house.ledger.end_task(TaskId::new(1)), (30, 0));
    drop(guard);
    assert_eq!(house.books().execution_used, 20);
    drop(other);
    house.close(&[]);
}

#[test]
fn peaks_last_until_the_task_ends_where_it_is_registered() {
    let house = house();
    let (known, unknown) = (TaskId::new(1), TaskId::new(2));
    house.ledger.register_task(known);
    for task in [1, 2] {
        let mut grant = house.grant(task, 30);
        grant.shrink_to(10);
    }
    assert_eq!(house.ledger.peak_of(known, ON), 30);
    assert_eq!(house.ledger.peak_of(unknown, ON), 0);
    assert_eq!(house.ledger.peak_of(known, MemoryMode::OffHeap), 0);
    assert_eq!(house.books().peak_granted, 30);
    house.ledger.end_task(known);
    assert_eq!(house.ledger.peak_of(known, ON), 0);
}

#[test]
fn its_end_ends_its_waits_and_it_no_longer_counts() {
    let house = house();
    let hog = house.grant(1, 100);
    let mut waiting: Vec<_> = (0..2)
        .map(|_| Polled::new(house.ledger.acquire_async(ask(2, 50))))
        .collect();
    assert!(waiting.iter_mut().all(|waiting| waiting.poll().is_none()));
    assert_eq!(house.books().active_tasks, 2);
    assert_eq!(house.ledger.end_task(TaskId::new(2)), (0, 0));
    assert_eq!(
        house.books().active_tasks,
        1,
        "although its requests do not know yet"
    );
    for waiting in &mut waiting {
        let refusal = waiting.poll_if_woken().unwrap().unwrap_err();
        assert!(matches!(refusal.reason(), Reason::Cancelled));
    }
    drop(hog);
    house.close(&[1]);
}

#[test]
fn its_end_takes_back_a_grant_that_was_not_taken_yet() {
    let house = house();
    let hog = house.grant(1, 100);
    let mut waiting = Polled::new(house.ledger.acquire_async(ask(2, 50)));
    assert!(waiting.poll().is_none());
    drop(hog);
    assert_eq!(house.books().execution_used, 50);
    assert_eq!(house.ledger.end_task(TaskId::new(2)), (50, 0));
    let refusal = waiting.poll_if_woken().unwrap().unwrap_err();
    assert!(matches!(refusal.reason(), Reason::Cancelled));
    house.close(&[1]);
}

#[test]
fn its_end_while_an_eviction_runs_for_it_grants_it_nothing() {
    let house = House::new(Turns::default(), options(sizes(0, 4, 0)));
    house.cache(4);
    let (_, waker) = flagged();
    let mut ticket = house.ledger.ticket(ask(1, 3));
    let mem_pool::Step::Evict(reclaim) = ticket.step(Some(&waker)) else {
        panic!("it has to evict");
    };
    assert_eq!(house.ledger.end_task(TaskId::new(1)), (0, 0));
    reclaim.run();
    assert!(matches!(
        ticket.step(Some(&waker)),
        mem_pool::Step::Refused(_)
    ));
    assert_eq!(house.books().storage_used, 4, "it evicts nothing any more");
    house.close(&[]);
}

#[test]
fn its_end_does_not_grant_one_of_its_own_requests_what_another_gives_up() {
    // The first has to evict and keeps storage's free bytes; the second waits for more than there is.
    let house = House::new(Turns::default(), options(sizes(2, 6, 0)));
    let hog = house.grant(2, 2);
    let mut first = Polled::new(house.ledger.acquire_async(ask(1, 3)));
    let mut second = Polled::new(house.ledger.acquire_async(ask(1, 2)));
    assert!(first.poll().is_none() && second.poll().is_none());
    house.cache(4);
    drop(hog);
    assert_eq!(house.books().kept, 2);
    assert_eq!(house.ledger.end_task(TaskId::new(1)), (0, 0));
    assert_eq!((house.books().kept, house.books().execution_used), (0, 0));
    for future in [&mut first, &mut second] {
        assert!(future.poll().unwrap().is_err());
    }
    house.close(&[2]);
}
