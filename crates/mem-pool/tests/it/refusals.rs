//! A refusal explains itself: the facts as they were, the holders as they are.

use mem_pool::{Ask, Limit, Reason, TaskId};

use crate::house::{House, ON, ask, sizes};
use crate::options;
use crate::policies::Unified;
use crate::polled::Polled;

fn house() -> House {
    House::new(Unified::default(), options(sizes(100, 0, 0)))
}

#[test]
fn the_facts_are_those_of_the_refusal() {
    let house = house();
    let hog = house.grant(1, 95);
    let refusal = house.ledger.try_acquire(ask(2, 50)).unwrap_err();
    drop(hog);
    assert!(matches!(refusal.reason(), Reason::WouldWait));
    assert_eq!((refusal.free(), refusal.active_tasks()), (5, 2));
    assert_eq!(
        (refusal.ask().bytes(), refusal.ask().task()),
        (50, Some(TaskId::new(2)))
    );
    let text = refusal.to_string();
    for part in [
        "refused 50 bytes of on-heap execution memory for task 2, which holds 0",
        "granted 0, free 5, active tasks 2",
        "it would have had to wait",
        "test.size would have helped",
    ] {
        assert!(text.contains(part), "{part} is not in: {text}");
    }
}

#[test]
fn the_holders_are_those_of_now_the_largest_first_and_why_they_keep_it() {
    let house = house();
    let mut held: Vec<_> = [(1, 10), (2, 40), (3, 20), (4, 5)]
        .map(|(task, bytes)| (task, house.grant(task, bytes)))
        .into();
    let refusal = house
        .ledger
        .try_acquire(Ask::storage(ON, 200, None))
        .unwrap_err();
    drop(held.swap_remove(0));
    let wanted = "largest holders now: task 2 with 40 bytes (only its own task can make it spill) \
                  task 3 with 20 bytes (only its own task can make it spill) \
                  task 4 with 5 bytes (only its own task can make it spill)";
    assert!(refusal.to_string().ends_with(wanted), "{refusal}");
    // Task 3 asks for so much that it waits for its minimum.
    house.ledger.set_unmanaged(ON, 95);
    let mut future = Polled::new(house.ledger.acquire_async(ask(4, 90)));
    assert!(future.poll().is_none());
    assert!(
        refusal
            .to_string()
            .contains("task 4 with 5 bytes (it is waiting itself)")
    );
    assert!(house.ledger.is_waiting(TaskId::new(4)) && !house.ledger.is_waiting(TaskId::new(2)));
}

#[test]
fn what_was_granted_in_part_is_kept_until_it_is_dropped_or_taken() {
    let house = house();
    let hog = house.grant(1, 40);
    let refusal = house.ledger.try_reserve(ask(1, 80)).unwrap_err();
    assert_eq!(refusal.kept().unwrap().bytes(), 60);
    assert!(refusal.to_string().contains("granted 60"));
    assert_eq!(house.books().execution_used, 100);
    drop(refusal);
    assert_eq!(house.books().execution_used, 40);
    let refusal = house.ledger.try_reserve(ask(1, 80)).unwrap_err();
    assert_eq!(refusal.into_kept().unwrap().leave(), 60);
    assert_eq!(
        house.books().execution_used,
        100,
        "as Spark would, it was left with the task"
    );
    drop(hog);
    assert_eq!(house.ledger.end_task(TaskId::new(1)), (60, 0));
}

#[test]
fn every_limit_has_its_own_name() {
    let house = House::new(Unified::default(), options(sizes(40, 60, 60)));
    house.cache(50);
    let refused = |ask| match house.ledger.try_reserve(ask) {
        Ok(_) => panic!("it is refused"),
        Err(refusal) => match refusal.reason() {
            Reason::Limit(limit) => *limit,
            reason => panic!("it is a limit: {reason:?}"),
        },
    };
    assert_eq!(
        refused(Ask::storage(ON, 101, None)),
        Limit::StorageMaximum(100)
    );
    let held = house.grant(1, 40);
    assert_eq!(refused(ask(1, 100)), Limit::ExecutionFull);
    let off = Ask::execution(TaskId::new(1), mem_block::MemoryMode::OffHeap, 1);
    assert_eq!(
        refused(off),
        Limit::NoSuchMemory(mem_block::MemoryMode::OffHeap)
    );
    // With two more, the first holds more than its share.
    let others = [2, 3].map(|task| house.grant(task, 1));
    assert_eq!(refused(ask(1, 1)), Limit::TaskShare(33));
    drop((held, others));
}

#[test]
fn every_limit_says_what_it_is() {
    let said = |limit: Limit, part: &str| assert!(limit.to_string().contains(part), "{limit}");
    said(Limit::StorageMaximum(7), "at most 7 bytes");
    said(Limit::StorageFull, "too little of it can be evicted");
    said(Limit::TaskShare(7), "a task may hold at most 7 bytes");
    said(Limit::ExecutionFull, "other tasks hold");
    said(Limit::NoSuchMemory(ON), "there is no on-heap memory");
    said(Limit::Unsupported(ON), "this policy has no on-heap storage");
}

#[test]
fn refusals_are_counted() {
    let house = house();
    let hog = house.grant(1, 100);
    for _ in 0..3 {
        assert!(house.ledger.try_acquire(ask(2, 50)).is_err());
    }
    let counters = house.ledger.snapshot().counters;
    assert_eq!(
        (counters.grants, counters.refusals, counters.waits),
        (1, 3, 0)
    );
    drop(hog);
}
