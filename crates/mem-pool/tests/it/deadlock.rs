//! When everybody who holds memory waits, one is refused at once; while anybody could move, nobody is.

use mem_block::MemoryMode::{OffHeap, OnHeap};
use mem_pool::{Ask, LedgerOptions, Reason, Reservation, TaskId};

use crate::house::{House, ON, ask, sizes};
use crate::options;
use crate::policies::{Turns, Unified};
use crate::polled::{Outcome, Polled};

fn house(policy: impl mem_pool::Policy + 'static) -> House {
    let options = LedgerOptions {
        off_heap: sizes(10, 0, 0),
        detect_deadlock: true,
        ..options(sizes(10, 0, 0))
    };
    House::new(policy, options)
}

fn of(house: &House, task: i64, mode: mem_block::MemoryMode, bytes: u64) -> Reservation {
    let ask = Ask::execution(TaskId::new(task), mode, bytes);
    house.ledger.try_reserve(ask).unwrap()
}

/// A request that is looked at once, whatever comes of it.
fn request(house: &House, ask: Ask) -> (Polled, Option<Outcome>) {
    let mut future = Polled::new(house.ledger.acquire_async(ask));
    assert!(
        future.poll().is_none(),
        "it parks first, and may be woken at once"
    );
    let outcome = future.poll_if_woken();
    (future, outcome)
}

fn is_deadlock(outcome: Option<Outcome>) -> bool {
    outcome.is_some_and(|outcome| {
        outcome.is_err_and(|refusal| matches!(refusal.reason(), Reason::Deadlock))
    })
}

#[test]
fn a_holder_that_waits_alone_is_refused() {
    // All or nothing: it holds 6 of 10 and wants 6 more.
    let house = house(Turns::default());
    let held = house.grant(2, 6);
    let (_, outcome) = request(&house, ask(2, 6));
    assert!(is_deadlock(outcome));
    drop(held);
}

#[test]
fn while_a_holder_does_not_wait_nobody_is_refused() {
    let house = house(Turns::default());
    let (first, idle) = (house.grant(2, 5), house.grant(4, 5));
    let (mut waiting, outcome) = request(&house, ask(2, 1));
    assert!(outcome.is_none());
    drop(idle);
    assert_eq!(waiting.poll_if_woken().unwrap().unwrap().bytes(), 1);
    drop(first);
}

#[test]
fn the_last_that_goes_to_sleep_is_refused_and_the_others_are_not() {
    let house = house(Turns::default());
    let held = [2, 4].map(|task| house.grant(task, 5));
    let (mut first, outcome) = request(&house, ask(2, 2));
    assert!(outcome.is_none());
    let (_, outcome) = request(&house, ask(4, 2));
    assert!(is_deadlock(outcome));
    assert!(first.poll_if_woken().is_none());
    let [one, other] = held;
    drop(other);
    assert_eq!(first.poll_if_woken().unwrap().unwrap().bytes(), 2);
    drop(one);
}

#[test]
fn a_holder_is_refused_rather_than_one_who_can_not_help() {
    let house = house(Turns::default());
    let held = house.grant(2, 10);
    let (mut empty_handed, outcome) = request(&house, ask(4, 2));
    assert!(outcome.is_none());
    let (_, outcome) = request(&house, ask(2, 2));
    assert!(is_deadlock(outcome));
    drop(held);
    assert_eq!(empty_handed.poll_if_woken().unwrap().unwrap().bytes(), 2);
}

#[test]
fn each_holding_what_the_other_wants_of_two_modes() {
    let house = house(Unified::default());
    let (on, off) = (of(&house, 1, OnHeap, 10), of(&house, 2, OffHeap, 10));
    let third = Ask::execution(TaskId::new(3), OnHeap, 2);
    let (mut third, outcome) = request(&house, third);
    assert!(outcome.is_none());
    let (mut first, outcome) = request(&house, Ask::execution(TaskId::new(1), OffHeap, 2));
    assert!(
        outcome.is_none(),
        "the holder of what it waits for may move"
    );
    let (_, outcome) = request(&house, Ask::execution(TaskId::new(2), OnHeap, 2));
    assert!(is_deadlock(outcome));
    assert!(first.poll_if_woken().is_none() && third.poll_if_woken().is_none());
    drop(off);
    assert_eq!(first.poll_if_woken().unwrap().unwrap().bytes(), 2);
    drop(on);
    assert_eq!(third.poll_if_woken().unwrap().unwrap().bytes(), 2);
}

#[test]
fn who_waits_for_a_mode_whose_holder_waits_elsewhere_is_left_alone() {
    let house = house(Unified::default());
    let (on, off) = (of(&house, 1, OnHeap, 10), of(&house, 2, OffHeap, 10));
    let (mut first, outcome) = request(&house, Ask::execution(TaskId::new(1), OffHeap, 2));
    assert!(outcome.is_none());
    let (mut second, outcome) = request(&house, Ask::execution(TaskId::new(3), OnHeap, 2));
    assert!(outcome.is_none());
    drop(off);
    drop(first.poll_if_woken().unwrap().unwrap());
    drop(on);
    assert!(second.poll_if_woken().unwrap().is_ok());
}

#[test]
fn what_was_spilled_and_not_asked_for_yet_counts_as_a_way_on() {
    let house = house(Turns::default());
    house.grant(2, 6).leave();
    house.grant(4, 4).leave();
    let credit = house.ledger.open_credit(TaskId::new(4), ON);
    assert_eq!(credit.release(4), 4);
    // Of the holders only task 2 is left, and it waits; but 4 bytes are under way.
    let (mut waiting, outcome) = request(&house, ask(2, 3));
    assert!(outcome.is_none());
    drop(credit);
    assert_eq!(waiting.poll_if_woken().unwrap().unwrap().bytes(), 3);
}

#[test]
fn an_eviction_that_runs_counts_as_a_way_on() {
    let options = LedgerOptions {
        detect_deadlock: true,
        ..options(sizes(4, 4, 0))
    };
    let house = House::new(Turns::default(), options);
    house.cache(4);
    let held = house.grant(2, 4);
    let (_, waker) = crate::polled::flagged();
    let mut ticket = house.ledger.ticket(ask(1, 2));
    let mem_pool::Step::Evict(reclaim) = ticket.step(Some(&waker)) else {
        panic!("it has to evict");
    };
    let (mut waiting, outcome) = request(&house, ask(2, 2));
    assert!(outcome.is_none());
    reclaim.run();
    assert_eq!(waiting.poll_if_woken().unwrap().unwrap().bytes(), 2);
    drop((ticket, held));
}

#[test]
fn one_that_is_about_to_be_served_counts_as_a_way_on() {
    // The first has to evict, in vain; only then the second is looked at, for which there is enough.
    let options = LedgerOptions {
        detect_deadlock: true,
        reclaim_inline: true,
        ..options(sizes(4, 4, 0))
    };
    let house = House::new(Turns::default(), options);
    let (held, hog) = (house.grant(1, 2), house.grant(2, 2));
    let (mut first, outcome) = request(&house, ask(1, 100));
    assert!(outcome.is_none());
    let (mut second, outcome) = request(&house, ask(4, 2));
    assert!(outcome.is_none());
    house.cache(3);
    drop(hog);
    assert!(
        first.poll_if_woken().is_none(),
        "it evicts, and waits again"
    );
    assert_eq!(house.books().storage_used, 0);
    let served = second.poll_if_woken().unwrap().unwrap();
    assert!(first.poll_if_woken().is_none());
    drop(served);
    assert!(is_deadlock(first.poll_if_woken()));
    drop(held);
}

#[test]
fn a_share_that_can_not_exist_is_not_waited_for() {
    // Spark lets such a task wait for ever: its minimum is half the pool, and memory that is in use
    // outside leaves less than that.
    let house = house(Unified::default());
    house.ledger.set_unmanaged(ON, 6);
    let (_, outcome) = request(&house, ask(1, 10));
    assert!(is_deadlock(outcome));
}

#[test]
fn a_holder_that_gives_everything_back_unseen_leaves_no_holder() {
    // The second was granted and holds nothing of it any more; once it has taken its answer, nobody
    // is left who could release anything for the first.
    let house = house(Turns::default());
    let held = house.grant(2, 10);
    let (mut first, outcome) = request(&house, ask(4, 20));
    assert!(outcome.is_none());
    let (mut second, outcome) = request(&house, ask(6, 1));
    assert!(outcome.is_none());
    drop(held);
    mem_pool::raw::release_execution_memory(&house.ledger, 1, TaskId::new(6), ON);
    assert!(
        first.poll_if_woken().is_none(),
        "the second has an answer to take yet"
    );
    assert!(second.poll_if_woken().unwrap().is_ok());
    assert!(is_deadlock(first.poll_if_woken()));
}

#[test]
fn where_it_is_switched_off_they_wait() {
    let house = House::new(Turns::default(), options(sizes(10, 0, 0)));
    let held = house.grant(2, 6);
    let (_, outcome) = request(&house, ask(2, 6));
    assert!(outcome.is_none());
    drop(held);
}
