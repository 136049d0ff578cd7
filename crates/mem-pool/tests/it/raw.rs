//! Spark's paired calls, with what they let through and what they refuse.

use mem_block::MemoryMode::{self, OffHeap, OnHeap};
use mem_pool::raw::{self, RawError};
use mem_pool::{CancelToken, Limit, Policy, TaskId, Wait};

use crate::house::{House, sizes};
use crate::options;
use crate::policies::Unified;

const TASK: TaskId = TaskId::new(1);

fn house() -> House {
    House::new(Unified::default(), options(sizes(60, 40, 0)))
}

fn acquire(house: &House, bytes: i64, task: TaskId) -> Result<u64, RawError> {
    raw::acquire_execution_memory(&house.ledger, bytes, task, OnHeap, &Wait::default())
}

#[test]
fn memory_is_counted_by_hand() {
    let house = house();
    assert_eq!(acquire(&house, 70, TASK).unwrap(), 70);
    assert_eq!(acquire(&house, 70, TASK).unwrap(), 30);
    assert_eq!(
        raw::release_execution_memory(&house.ledger, 40, TASK, OnHeap),
        40
    );
    assert_eq!(house.ledger.execution_usage(TASK), 60);
    assert_eq!(
        raw::release_all_execution_memory_for_task(&house.ledger, TASK),
        60
    );
    house.close(&[]);
}

#[test]
fn releasing_more_than_is_held_releases_what_is() {
    let house = house();
    assert_eq!(acquire(&house, 10, TASK).unwrap(), 10);
    assert_eq!(
        raw::release_execution_memory(&house.ledger, 1000, TASK, OnHeap),
        10
    );
    assert_eq!(
        raw::release_execution_memory(&house.ledger, 1, TASK, OnHeap),
        0
    );
    assert_eq!(
        raw::release_execution_memory(&house.ledger, 1, TaskId::new(-1), OffHeap),
        0
    );
    assert!(raw::acquire_storage_memory(&house.ledger, None, 10, OnHeap).unwrap());
    assert_eq!(
        raw::release_storage_memory(&house.ledger, u64::MAX, OnHeap),
        10
    );
    assert_eq!(raw::release_unroll_memory(&house.ledger, 1, OnHeap), 0);
    house.close(&[]);
}

#[test]
fn numbers_that_make_no_sense_are_refused() {
    let house = house();
    for bytes in [0, -1, i64::MIN] {
        let error = acquire(&house, bytes, TASK).unwrap_err();
        assert!(matches!(error, RawError::InvalidBytes(refused) if refused == bytes));
        assert!(error.to_string().ends_with(&format!("requested: {bytes}")));
    }
    for bytes in [-1, i64::MIN] {
        let storage = raw::acquire_storage_memory(&house.ledger, None, bytes, OnHeap);
        assert!(matches!(storage, Err(RawError::InvalidBytes(refused)) if refused == bytes));
        let unroll = raw::acquire_unroll_memory(&house.ledger, None, bytes, OnHeap);
        assert!(matches!(unroll, Err(RawError::InvalidBytes(refused)) if refused == bytes));
    }
    house.close(&[]);
}

#[test]
fn storage_is_all_or_nothing_and_nothing_is_fine() {
    let house = house();
    let acquire = |bytes| raw::acquire_storage_memory(&house.ledger, None, bytes, OnHeap).unwrap();
    assert!(acquire(0));
    assert!(!acquire(101));
    assert!(acquire(100));
    assert!(!acquire(1));
    raw::release_all_storage_memory(&house.ledger);
    assert_eq!(house.books().storage_used, 0);
    assert!(raw::acquire_unroll_memory(&house.ledger, None, 100, OnHeap).unwrap());
    assert_eq!(raw::release_unroll_memory(&house.ledger, 100, OnHeap), 100);
}

#[test]
fn a_wait_that_is_cancelled_is_no_grant_of_nothing() {
    let house = house();
    assert_eq!(acquire(&house, 100, TASK).unwrap(), 100);
    let token = CancelToken::new();
    token.cancel();
    let wait = Wait {
        cancel: Some(&token),
        deadline: None,
    };
    let other = TaskId::new(2);
    let outcome = raw::acquire_execution_memory(&house.ledger, 10, other, OnHeap, &wait);
    assert!(matches!(outcome, Err(RawError::Refused(_))));
    // As in Spark, who was interrupted goes on counting until it releases, if only nothing.
    assert_eq!(house.books().active_tasks, 2);
    assert_eq!(
        raw::release_execution_memory(&house.ledger, 0, other, OnHeap),
        0
    );
    assert_eq!(house.books().active_tasks, 1);
}

/// Has no storage off the heap, whatever the number.
#[derive(Debug)]
struct OnHeapOnly;

impl Policy for OnHeapOnly {
    fn decide(&self, books: &mem_pool::Books, request: &mem_pool::Request) -> mem_pool::Decision {
        if books.mode() == OffHeap {
            return mem_pool::Decision::Refuse(Limit::Unsupported(OffHeap));
        }
        Unified::default().decide(books, request)
    }

    fn reexamines(&self, cause: mem_pool::Cause) -> bool {
        Unified::default().reexamines(cause)
    }

    fn max_storage(&self, books: &mem_pool::Books) -> u64 {
        Unified::default().max_storage(books)
    }

    fn resize(&self, books: &mem_pool::Books, total: u64) -> mem_pool::Resize {
        Unified::default().resize(books, total)
    }

    fn remedy(&self, mode: MemoryMode, limit: Limit) -> &'static str {
        Unified::default().remedy(mode, limit)
    }
}

#[test]
fn what_the_policy_does_not_have_is_an_error_and_not_a_lack() {
    let house = House::new(OnHeapOnly, options(sizes(60, 40, 0)));
    for bytes in [-1, 0, 1] {
        let outcome = raw::acquire_storage_memory(&house.ledger, None, bytes, OffHeap);
        let Err(RawError::Unsupported(limit)) = outcome else {
            panic!("{bytes}: {outcome:?}");
        };
        assert_eq!(limit, Limit::Unsupported(OffHeap));
    }
    assert!(raw::acquire_storage_memory(&house.ledger, None, 1, OnHeap).unwrap());
    assert_eq!(house.ledger.max_storage(OnHeap), 100);
}
