//! Requests from inside a spill.

use std::sync::Arc;

use mem_sync::atomic::{AtomicU64, Ordering};
use task_mem::{ConsumerOptions, Failure, NoSpill, Wait};

use crate::support::{Kind, LimitedManager, Nested, TestConsumer, task};

#[test]
fn a_consumer_cannot_ask_inside_its_own_spill() {
    let task = task(&LimitedManager::new(100).as_manager(), 0);
    let nested = Nested::new(
        &task,
        Box::new(|nested| {
            nested.acquire(10);
            nested.free_all()
        }),
    );
    nested.acquire(100);
    let requester = TestConsumer::new(&task, Kind::All);
    assert_eq!(requester.acquire(50).unwrap(), 50);
    let errors = nested.errors();
    let [error] = &errors[..] else {
        panic!("{errors:?}")
    };
    let Failure::Reentrant { consumer } = error.failure() else {
        panic!("{error}")
    };
    assert_eq!(consumer.id, nested.consumer.id());
    drop(errors);
    // Outside, it can.
    nested.acquire(10);
    assert_eq!(nested.consumer.used(), 10);
}

#[test]
fn a_requester_cannot_ask_inside_its_own_spill() {
    let task = task(&LimitedManager::new(100).as_manager(), 0);
    let consumer = task.register(ConsumerOptions::named("self"));
    let wait = Wait::default();
    let mut held = Some(consumer.acquire(100, &mut NoSpill, &wait).unwrap());
    let mut refused = 0;
    let mut spill = |_need: u64| {
        let page = consumer.allocate_page(1, &mut NoSpill, &wait);
        refused += u64::from(matches!(
            page.unwrap_err().failure(),
            Failure::Reentrant { .. }
        ));
        Ok(held.take().map_or(0, |held| held.bytes()))
    };
    assert_eq!(consumer.acquire(60, &mut spill, &wait).unwrap().bytes(), 60);
    assert_eq!(refused, 1);
}

/// A spill may ask for another consumer, for whom neither the one that spills nor the one that it
/// spills for is a victim.
#[test]
fn another_consumer_can_ask_inside_a_spill() {
    let task = task(&LimitedManager::new(100).as_manager(), 0);
    let helper = TestConsumer::new(&task, Kind::All);
    let requester = TestConsumer::new(&task, Kind::All);
    let bystander = TestConsumer::new(&task, Kind::All);
    let nested = Nested::new(
        &task,
        Box::new({
            let helper = Arc::clone(&helper);
            move |nested| {
                assert_eq!(helper.acquire(30).unwrap(), 20);
                helper.free_all();
                nested.free_all()
            }
        }),
    );
    requester.acquire(30).unwrap();
    nested.acquire(50);
    bystander.acquire(20).unwrap();
    assert_eq!(requester.acquire(45).unwrap(), 45);
    assert_eq!(bystander.asked(), [30, 10]);
    assert_eq!((requester.asked(), helper.asked()), (vec![], vec![]));
}

/// As in Spark: where a spill is to help out a failing allocator, it gets no pages meanwhile.
#[test]
fn there_are_no_pages_while_an_allocator_is_helped_out() {
    let manager = LimitedManager::new(1 << 20);
    let task = task(&manager.as_manager(), 0);
    let helper = TestConsumer::new(&task, Kind::Nothing);
    let nested = Nested::new(
        &task,
        Box::new({
            let helper = Arc::clone(&helper);
            move |nested| {
                let error = helper.allocate_page(10).unwrap_err();
                assert!(
                    matches!(error.failure(), Failure::OutOfMemory { got: 0, .. }),
                    "{error}"
                );
                let wait = Wait::default();
                let page = helper.handle.allocate_page_up_to(10, &mut NoSpill, &wait);
                assert!(page.unwrap().is_none());
                assert_eq!(helper.acquire(10).unwrap(), 10);
                nested.free_all()
            }
        }),
    );
    nested.acquire(5000);
    let requester = TestConsumer::new(&task, Kind::Nothing);
    manager.heap().fail_next(1);
    requester.allocate_page(10).unwrap();
    assert_eq!((helper.used(), requester.used()), (10, 1024));
    assert_eq!(task.acquired_but_not_used(), 0);
}

/// Nor while the last grant is asked for.
#[test]
fn there_are_no_pages_while_a_fresh_grant_is_asked_for() {
    let manager = LimitedManager::new(1100);
    let task = task(&manager.as_manager(), 0);
    let helper = TestConsumer::new(&task, Kind::Nothing);
    let calls = AtomicU64::new(0);
    let nested = Nested::new(
        &task,
        Box::new(move |nested| {
            if calls.fetch_add(1, Ordering::Relaxed) == 0 {
                return 0; // The recovery: so it comes to a fresh grant.
            }
            let freed = nested.free_all();
            let (none, wait) = (&mut NoSpill, Wait::default());
            let page = helper.handle.allocate_page_up_to(10, none, &wait);
            assert!(page.unwrap().is_none());
            freed
        }),
    );
    nested.acquire(60);
    let requester = TestConsumer::new(&task, Kind::Nothing);
    manager.heap().fail_next(1);
    // 16 are left, and the 60.
    requester.allocate_page(10).unwrap();
    assert_eq!((requester.used(), nested.consumer.used()), (76, 0));
}

/// A consumer that is asking may hold its own lock: nobody else makes it spill then.
#[test]
fn a_consumer_that_asks_is_nobodys_victim() {
    let task = task(&LimitedManager::new(100).as_manager(), 0);
    let asking = TestConsumer::new(&task, Kind::All);
    let third = TestConsumer::new(&task, Kind::All);
    asking.acquire(100).unwrap();
    let mut spill = |_need: u64| {
        assert_eq!(third.acquire(30).unwrap(), 0);
        Ok(0)
    };
    let held = asking
        .handle
        .acquire(10, &mut spill, &Wait::default())
        .unwrap();
    assert_eq!((held.bytes(), asking.asked()), (0, vec![]));
    // Once it does not ask any more, it is.
    assert_eq!(third.acquire(30).unwrap(), 30);
    assert_eq!((asking.asked(), asking.used()), (vec![30], 0));
}
