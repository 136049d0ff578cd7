//! The end of a task: what is taken back, and who is named.

use std::sync::Arc;

use mem_pool::Event;
use task_mem::{Failure, NoSpill, Owner, Wait, raw};

use crate::support::{Kind, LimitedManager, OFF, ON, Recorder, TestConsumer, task, unified};

#[test]
fn nothing_left_is_nothing_leaked() {
    let manager = unified(1000, 0);
    let task = task(&manager, 3);
    let consumer = TestConsumer::of_mode(&task, Kind::All, ON);
    consumer.acquire(700).unwrap();
    consumer.free_all();
    let end = task.cleanup();
    assert!(!end.leaked());
    assert_eq!((end.released, end.taken_back, end.leaks.len()), (0, 0, 0));
    assert_eq!((end.peak_on_heap, end.peak_off_heap), (700, 0));
    assert_eq!(end.to_string(), "task 3 ended and left nothing behind");
}

#[test]
fn leaks_are_reported_by_owner() {
    let recorder = Arc::new(Recorder::default());
    let manager = LimitedManager::with_probe(1 << 20, Some(Arc::clone(&recorder) as _));
    let task = task(&manager.as_manager(), 5);
    let wait = Wait::default();
    let first = TestConsumer::new(&task, Kind::All);
    let second = TestConsumer::new(&task, Kind::All);
    first.acquire(100).unwrap();
    first.allocate_page(1).unwrap();
    first.allocate_page(2000).unwrap();
    let region = second
        .handle
        .allocate_unpaged(300, OFF, &mut NoSpill, &wait)
        .unwrap();
    let of_task = task.allocate_unpaged(50, ON, &wait).unwrap();
    let nobodys = mem_pool::Ask::execution(task.task(), ON, 7);
    task.ledger().try_acquire(nobodys).unwrap().leave();
    manager.heap().fail_always(true);
    assert!(second.allocate_array(1).is_err());
    manager.heap().fail_always(false);

    let usage = task.show_memory_usage();
    recorder.take();
    let end = task.cleanup();
    let lines: Vec<String> = end.leaks.iter().map(ToString::to_string).collect();
    // The first was made to spill for the page that could not be had.
    let expected = [
        "the task itself: 50 bytes, 1 unpaged regions of 50",
        "test: 300 bytes, 1 unpaged regions of 300",
        "acquired but not used: 8 bytes",
        "nobody that is known: 7 bytes",
    ];
    assert_eq!(lines, expected);
    assert_eq!((end.taken_back, end.released), (365, 357));
    assert!(lines.iter().all(|line| usage.contains(line)), "{usage}");
    let leak = |consumer, bytes| Event::Leak {
        task: task.task(),
        consumer,
        bytes,
    };
    let id = second.handle.id().get();
    assert_eq!(
        recorder.take(),
        [
            leak(None, 50),
            leak(Some(id), 300),
            leak(None, 8),
            leak(None, 7)
        ]
    );
    drop((region, of_task));
    assert_eq!(task.memory_consumption(), 0);
}

#[test]
fn guards_that_outlive_their_task_give_nothing_back() {
    let manager = unified(10_000, 0);
    let t1 = task(&manager, 1);
    let consumer = TestConsumer::of_mode(&t1, Kind::All, ON);
    consumer.acquire(100).unwrap();
    consumer.allocate_page(1).unwrap();
    let end = t1.cleanup();
    let [leak] = &end.leaks[..] else {
        panic!("{end}")
    };
    assert_eq!(
        (leak.held_bytes, leak.pages, leak.page_bytes),
        (100, 1, 1024)
    );
    let Owner::Consumer(label) = &leak.owner else {
        panic!("{end}")
    };
    assert_eq!(label.id, consumer.handle.id());
    assert_eq!(consumer.used(), 0);

    // The same manager and consumer, in a new epoch: pages count from 0.
    let next = consumer
        .handle
        .allocate_page(1, &mut NoSpill, &Wait::default())
        .unwrap();
    assert_eq!(
        (next.number(), consumer.used(), t1.memory_consumption()),
        (0, 1024, 1024)
    );
    let mut fresh = consumer.handle.nothing_held();
    let stale = consumer.take_held().expect("it acquired some");
    let stale = fresh
        .merge(stale)
        .expect_err("they are of different epochs");
    drop(stale);
    consumer.free_all();
    assert_eq!((consumer.used(), t1.memory_consumption()), (1024, 1024));
    drop(next);
    assert_eq!(t1.memory_consumption(), 0);
    assert_eq!(manager.allocator(ON).live_bytes(), 0);
}

#[test]
fn a_request_does_not_survive_its_task() {
    let t1 = task(&unified(100, 0), 1);
    let consumer = TestConsumer::of_mode(&t1, Kind::Nothing, ON);
    consumer.acquire(60).unwrap();
    let mut clean_up = |_need: u64| {
        // 40 have been granted by now.
        assert_eq!(t1.cleanup().taken_back, 100);
        Ok(1)
    };
    let wait = Wait::default();
    let error = consumer
        .handle
        .acquire(70, &mut clean_up, &wait)
        .unwrap_err();
    assert!(
        matches!(error.failure(), Failure::TaskEnded { .. }),
        "{error}"
    );
    drop(error);
    assert_eq!((consumer.used(), t1.memory_consumption()), (0, 0));
}

#[test]
fn the_ledger_knows_a_task_again_that_goes_on() {
    let t1 = task(&unified(100, 0), 1);
    let consumer = TestConsumer::of_mode(&t1, Kind::Nothing, ON);
    t1.cleanup();
    consumer.acquire(60).unwrap();
    consumer.free_all();
    assert_eq!(t1.ledger().peak_of(t1.task(), ON), 60);
}

#[test]
fn a_dropped_manager_cleans_up() {
    let recorder = Arc::new(Recorder::default());
    let manager = LimitedManager::with_probe(1 << 20, Some(Arc::clone(&recorder) as _));
    let t1 = task(&manager.as_manager(), 1);
    let consumer = TestConsumer::new(&t1, Kind::Nothing);
    let wait = Wait::default();
    raw::acquire_memory(&consumer.handle, 40, &mut NoSpill, &wait).unwrap();
    raw::allocate_page(&consumer.handle, 1, &mut NoSpill, &wait).unwrap();
    let id = consumer.handle.id().get();
    drop(consumer);
    recorder.take();
    drop(t1);
    let [
        Event::Leak {
            consumer, bytes, ..
        },
    ] = recorder.take()[..]
    else {
        panic!("one leak")
    };
    assert_eq!((consumer, bytes), (Some(id), 1064));
    let snapshot = manager.as_manager().ledger().snapshot();
    assert_eq!(snapshot.on_heap.execution_used, 0);
    assert_eq!(manager.as_manager().allocator(ON).live_bytes(), 0);
}

/// Spark releases what was acquired and not used in the tungsten mode, so that of a consumer of the
/// other mode shows up in what it returns.
#[test]
fn what_was_not_used_is_released_in_the_tungsten_mode() {
    let manager = LimitedManager::new(1 << 20);
    let t1 = task(&manager.as_manager(), 1);
    let consumer = TestConsumer::of_mode(&t1, Kind::Nothing, OFF);
    manager.off_heap().fail_always(true);
    assert!(consumer.allocate_array(8).is_err());
    assert_eq!(t1.acquired_but_not_used(), 128);
    let end = t1.cleanup();
    assert_eq!((end.released, end.taken_back), (128, 128));
}

#[test]
fn held_memory_splits_merges_and_shrinks() {
    let t1 = task(&unified(1000, 1000), 1);
    let consumer = TestConsumer::of_mode(&t1, Kind::Nothing, ON);
    let other = TestConsumer::of_mode(&t1, Kind::Nothing, ON);
    let wait = Wait::default();
    let mut held = consumer.handle.acquire(100, &mut NoSpill, &wait).unwrap();
    let mut part = held.split(30);
    assert_eq!((held.bytes(), part.bytes(), consumer.used()), (70, 30, 100));
    part.shrink_to(20);
    assert_eq!(
        (part.bytes(), consumer.used(), t1.memory_consumption()),
        (20, 90, 90)
    );
    let foreign = other.handle.acquire(5, &mut NoSpill, &wait).unwrap();
    let foreign = held.merge(foreign).expect_err("it is another consumer's");
    assert_eq!(
        (foreign.bytes(), foreign.consumer()),
        (5, other.handle.id())
    );
    held.merge(part).expect("it was split off");
    assert_eq!((held.bytes(), held.mode()), (90, ON));
    assert_eq!(held.leave(), 90);
    assert_eq!(consumer.used(), 90);
    raw::free_memory(&consumer.handle, 90);
    assert_eq!((consumer.used(), t1.memory_consumption()), (0, 5));
}
