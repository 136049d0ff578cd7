//! Limits that change at run time.

use mem_block::MemoryMode;
use mem_pool::{Ask, LedgerOptions, LimitChange, TaskId, raw};
use proptest::prelude::*;

use crate::house::{House, ON, ask, sizes};
use crate::policies::{Halves, Unified};
use crate::polled::Polled;
use crate::store::Outcome;
use crate::{cases, options};

fn unified(execution: u64, storage: u64) -> House {
    House::new(Unified::default(), options(sizes(execution, storage, 0)))
}

/// Storage pool and use, execution pool and use.
fn pools(house: &House) -> [u64; 4] {
    let books = house.books();
    let storage = [books.storage_pool, books.storage_used];
    [
        storage[0],
        storage[1],
        books.execution_pool,
        books.execution_used,
    ]
}

fn change(total: u64, outstanding: u64) -> LimitChange {
    LimitChange { total, outstanding }
}

#[test]
fn a_raised_limit_holds_at_once() {
    let house = unified(10, 0);
    let hog = house.grant(1, 10);
    let mut waiting = Polled::new(house.ledger.acquire_async(ask(2, 5)));
    assert!(waiting.poll().is_none());
    assert_eq!(house.ledger.set_limit(ON, 20).unwrap(), change(20, 0));
    assert_eq!(waiting.poll_if_woken().unwrap().unwrap().bytes(), 5);
    assert_eq!(house.books().total, 20);
    drop(hog);
}

#[test]
fn a_lowered_limit_takes_what_is_free() {
    let house = unified(10, 10);
    let held = house.grant(1, 4);
    assert_eq!(house.ledger.set_limit(ON, 6).unwrap(), change(6, 0));
    assert_eq!(pools(&house), [2, 0, 4, 4]);
    assert_eq!(house.ledger.try_acquire(ask(1, 10)).unwrap().bytes(), 2);
    drop(held);
}

#[test]
fn then_it_has_blocks_evicted() {
    let house = unified(10, 10);
    house.cache(4);
    house.cache(6);
    let held = house.grant(1, 10);
    assert_eq!(house.ledger.set_limit(ON, 17).unwrap(), change(17, 0));
    assert_eq!(house.store.take_needs(), [3]);
    // Whole blocks go: one byte of the first is free now.
    assert_eq!(pools(&house), [7, 6, 10, 10]);
    drop(held);
}

#[test]
fn what_tasks_hold_beyond_it_is_taken_as_they_release_it() {
    let house = unified(10, 0);
    let mut held = house.grant(1, 8);
    assert_eq!(house.ledger.set_limit(ON, 4).unwrap(), change(4, 4));
    assert_eq!(pools(&house), [0, 0, 8, 8]);
    assert_eq!(
        house.ledger.try_acquire(ask(1, 1)).unwrap().bytes(),
        0,
        "it has to spill"
    );
    held.shrink_to(5);
    assert_eq!(pools(&house), [0, 0, 5, 5]);
    held.shrink_to(1);
    assert_eq!(pools(&house), [0, 0, 4, 1]);
    assert_eq!(house.ledger.try_acquire(ask(1, 9)).unwrap().bytes(), 3);
    drop(held);
}

#[test]
fn raised_again_it_forgives_what_was_outstanding() {
    let house = unified(10, 0);
    let held = house.grant(1, 8);
    assert_eq!(house.ledger.set_limit(ON, 4).unwrap(), change(4, 4));
    assert_eq!(house.ledger.set_limit(ON, 6).unwrap(), change(6, 2));
    assert_eq!(house.ledger.set_limit(ON, 12).unwrap(), change(12, 0));
    assert_eq!(house.ledger.try_acquire(ask(1, 9)).unwrap().bytes(), 4);
    drop(held);
}

#[test]
fn an_eviction_for_it_that_fails_is_told_and_the_limit_stands() {
    let house = unified(0, 20);
    house.cache(8);
    house.cache(12);
    house.store.set_outcome(Outcome::Fails);
    let error = house.ledger.set_limit(ON, 4).unwrap_err();
    assert_eq!(error.freed, 12);
    assert_eq!(house.books().total, 4);
    assert_eq!(pools(&house), [8, 8, 0, 0]);
    raw::release_storage_memory(&house.ledger, 8, ON);
    assert_eq!(pools(&house), [4, 0, 0, 0]);
}

#[test]
fn spilled_bytes_pay_it_first() {
    let house = unified(10, 0);
    house.grant(1, 10).leave();
    house.ledger.set_limit(ON, 7).unwrap();
    let credit = house.ledger.open_credit(TaskId::new(1), ON);
    assert_eq!((credit.release(5), credit.bytes()), (5, 2));
    assert_eq!(pools(&house), [0, 0, 7, 5]);
    drop(credit);
    assert_eq!(house.books().kept, 0);
}

#[test]
fn storage_kept_for_a_dropped_request_pays_it() {
    // All or nothing, in turns: task 1 has a block evicted, with 2 free bytes kept for it.
    let house = House::new(crate::policies::Turns::default(), options(sizes(0, 6, 0)));
    house.cache(4);
    let (_, waker) = crate::polled::flagged();
    let mut ticket = house.ledger.ticket(ask(1, 3));
    let mem_pool::Step::Evict(reclaim) = ticket.step(Some(&waker)) else {
        panic!("it has to evict");
    };
    house.store.set_outcome(Outcome::Panics);
    // The store's only block is marked by nobody yet, but it can't be evicted.
    let lowered = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        house.ledger.set_limit(ON, 3)
    }));
    assert!(lowered.is_err());
    assert_eq!((pools(&house), house.books().kept), ([6, 4, 0, 0], 2));
    drop(ticket);
    drop(reclaim);
    assert_eq!((pools(&house), house.books().kept), ([4, 4, 0, 0], 0));
}

#[test]
fn a_pools_own_part_is_frozen_while_the_other_owes() {
    let house = House::new(Halves, options(sizes(10, 10, 0)));
    let block = house
        .ledger
        .try_acquire(Ask::storage(ON, 10, None))
        .unwrap();
    // Execution gives up its 5; storage's 5 are in use and nobody can evict them.
    assert_eq!(house.ledger.set_limit(ON, 10).unwrap(), change(10, 5));
    assert_eq!(pools(&house), [10, 10, 5, 0]);
    let mut waiting = Polled::new(house.ledger.acquire_async(ask(1, 4)));
    assert!(waiting.poll().is_none(), "more than 10 would be granted");
    drop(block);
    assert_eq!(waiting.poll_if_woken().unwrap().unwrap().bytes(), 4);
    assert_eq!(pools(&house)[0], 5);
}

#[test]
fn modes_have_limits_of_their_own() {
    let options = LedgerOptions {
        off_heap: sizes(10, 0, 0),
        ..options(sizes(10, 0, 0))
    };
    let house = House::new(Unified::default(), options);
    house.ledger.set_limit(MemoryMode::OffHeap, 0).unwrap();
    assert_eq!(house.books().total, 10);
    assert_eq!(house.ledger.snapshot().off_heap.total, 0);
    assert_eq!(house.grant(1, 10).bytes(), 10);
}

#[derive(Debug, Clone, Copy)]
enum Op {
    Limit(u64),
    Acquire(i64, u64),
    Release(i64, u64),
    Store(u64),
    DropBlock,
    Spill(i64, u64),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        2 => (0_u64..100).prop_map(Op::Limit),
        4 => (0_i64..3, 1_u64..40).prop_map(|(task, bytes)| Op::Acquire(task, bytes)),
        3 => (0_i64..3, 1_u64..40).prop_map(|(task, bytes)| Op::Release(task, bytes)),
        3 => (1_u64..30).prop_map(Op::Store),
        1 => Just(Op::DropBlock),
        1 => (0_i64..3, 1_u64..40).prop_map(|(task, bytes)| Op::Spill(task, bytes)),
    ];
    prop::collection::vec(op, 1..60)
}

/// What is granted never grows above the limit; where it was lowered below what is granted, nothing
/// more is.
fn never_above(house: &House, ops: &[Op]) {
    let granted = || {
        let [_, storage, _, execution] = pools(house);
        storage + execution
    };
    for op in ops {
        let before = granted();
        match *op {
            Op::Limit(total) => {
                house.ledger.set_limit(ON, total).unwrap();
            }
            Op::Acquire(task, bytes) => {
                let got = house.ledger.try_acquire(ask(task, bytes));
                drop(got.map(mem_pool::Reservation::leave));
            }
            Op::Release(task, bytes) => {
                raw::release_execution_memory(&house.ledger, bytes, TaskId::new(task), ON);
            }
            Op::Store(bytes) => {
                let block = house.ledger.try_acquire(Ask::storage(ON, bytes, None));
                if let Ok(block) = block {
                    house.store.put(ON, block.leave());
                }
            }
            Op::DropBlock if house.books().storage_used > 0 => {
                let bytes = house.store.drop_oldest(ON);
                raw::release_storage_memory(&house.ledger, bytes, ON);
            }
            Op::DropBlock => {}
            Op::Spill(task, bytes) => {
                let credit = house.ledger.open_credit(TaskId::new(task), ON);
                credit.release(bytes);
                let got = house.ledger.try_acquire_with(ask(task, bytes), &credit);
                drop(got.map(mem_pool::Reservation::leave));
            }
        }
        let (after, total) = (granted(), house.books().total);
        assert!(
            after <= total.max(before),
            "{op:?}: {before}, {after} of {total}"
        );
    }
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn nothing_is_granted_above_a_lowered_limit(ops in ops(), halves: bool) {
        let options = options(sizes(50, 30, 10));
        let house = if halves {
            House::new(Halves, options)
        } else {
            House::new(Unified::default(), options)
        };
        never_above(&house, &ops);
    }
}
