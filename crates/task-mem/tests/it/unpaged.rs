//! Memory beside pages.

use task_mem::{ConsumerId, Failure, NoSpill, Wait};

use crate::support::{Kind, LimitedManager, OFF, ON, TestConsumer, fixed, task, unified};

#[test]
fn a_region_is_charged_but_in_no_page_table() {
    let manager = unified(1000, 1000);
    let task = task(&manager, 0);
    let consumer = TestConsumer::of_mode(&task, Kind::All, ON);
    let wait = Wait::default();
    // Of another mode than the consumer's: charged to the ledger of the mode it lives in.
    let mut region = consumer
        .handle
        .allocate_unpaged(300, OFF, &mut NoSpill, &wait)
        .unwrap();
    region.as_mut_slice().fill(1);
    assert_eq!(
        (region.bytes(), region.mode(), region.owner()),
        (300, OFF, consumer.handle.id())
    );
    let snapshot = manager.ledger().snapshot();
    assert_eq!(
        (
            snapshot.on_heap.execution_used,
            snapshot.off_heap.execution_used
        ),
        (0, 300)
    );
    assert_eq!((consumer.used(), task.memory_consumption()), (0, 300));
    assert_eq!(consumer.allocate_page(1).unwrap(), 0);
    drop(region);
    assert_eq!(task.memory_consumption(), 1000);
    let of_task = task.allocate_unpaged(1, OFF, &wait).unwrap();
    assert_eq!(of_task.owner(), ConsumerId::TASK);
}

#[test]
fn consumers_spill_for_a_region_but_it_is_never_spilled() {
    let task = task(&LimitedManager::new(100).as_manager(), 0);
    let consumer = TestConsumer::new(&task, Kind::All);
    let wait = Wait::default();
    consumer.acquire(80).unwrap();
    let region = task.allocate_unpaged(60, ON, &wait).unwrap();
    assert_eq!((consumer.asked(), consumer.used()), (vec![40], 0));
    // Nobody has anything to spill: the region stays.
    assert_eq!(consumer.acquire(80).unwrap(), 40);
    // The requester itself spills for a region of its own.
    let mut spill = |need| consumer.spill_now(need);
    let own = consumer
        .handle
        .allocate_unpaged(40, ON, &mut spill, &wait)
        .unwrap();
    assert_eq!((consumer.asked(), consumer.used()), (vec![40], 0));
    drop((region, own));
    assert_eq!(task.memory_consumption(), 0);
}

#[test]
fn a_short_grant_is_rolled_back() {
    let task = task(&unified(1000, 0), 0);
    let consumer = TestConsumer::of_mode(&task, Kind::Nothing, ON);
    consumer.acquire(600).unwrap();
    let error = task
        .allocate_unpaged(500, ON, &Wait::default())
        .unwrap_err();
    let Failure::OutOfMemory {
        required: 500,
        got: 400,
        ..
    } = error.failure()
    else {
        panic!("{error}")
    };
    assert!(
        error
            .to_string()
            .starts_with("unable to acquire 500 bytes of memory, got 400")
    );
    assert_eq!(task.memory_consumption(), 600);
}

#[test]
fn without_off_heap_memory_the_key_is_named() {
    for manager in [unified(1000, 0), fixed(1000, 0)] {
        let task = task(&manager, 0);
        let error = task
            .allocate_unpaged(10, OFF, &Wait::default())
            .unwrap_err();
        assert_eq!(error.remedy(), Some("spark.memory.offHeap.size"));
        assert!(
            error.to_string().contains("spark.memory.offHeap.size"),
            "{error}"
        );
    }
}

#[test]
fn an_allocator_that_fails_is_helped_out_as_long_as_something_is_freed() {
    let manager = LimitedManager::new(1 << 20);
    let task = task(&manager.as_manager(), 0);
    let victim = TestConsumer::new(&task, Kind::All);
    victim.acquire(500).unwrap();
    manager.heap().fail_next(1);
    let region = task.allocate_unpaged(64, ON, &Wait::default()).unwrap();
    assert_eq!((victim.used(), task.memory_consumption()), (0, 64));
    manager.heap().fail_always(true);
    let error = task.allocate_unpaged(64, ON, &Wait::default()).unwrap_err();
    let Failure::OutOfMemory {
        allocator: Some(_), ..
    } = error.failure()
    else {
        panic!("{error}")
    };
    // All of it was given back: it is not charged as acquired and not used.
    assert_eq!(
        (task.memory_consumption(), task.acquired_but_not_used()),
        (64, 0)
    );
    drop(region);
}
