//! Locks of blocks: who waits, who is told, and what is left when a task ends.

use std::sync::Arc;
use std::time::Duration;

use mem_policy::ManagerOptions;
use mem_pool::TaskId;
use mem_store::{
    BlockInfoManager, LockKind, MemoryStore, NewBlock, StorageLevel, StoreError, StoreOptions,
};
use mem_sync::{ManualClock, thread};

use crate::support::{id, manager_with, put, store};

const ONE: Option<TaskId> = Some(TaskId::new(1));
const TWO: Option<TaskId> = Some(TaskId::new(2));
const LEVEL: StorageLevel = StorageLevel::MEMORY_ONLY;

/// A store whose clock stands still, and the clock.
fn timed() -> (Arc<MemoryStore>, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new());
    let options = ManagerOptions {
        clock: clock.clone(),
        ..ManagerOptions::default()
    };
    let options_of_store = StoreOptions {
        lock_timeout: Some(Duration::from_secs(5)),
        ..StoreOptions::default()
    };
    let store = MemoryStore::new(manager_with(1000, &[], &options), options_of_store);
    (store.expect("nothing fails"), clock)
}

/// Runs `waiting` on a thread of its own, and `then` once it waits.
fn while_waiting<R: Send>(
    clock: &ManualClock,
    waiting: impl FnOnce() -> R + Send,
    then: impl FnOnce(),
) -> R {
    thread::scope(|scope| {
        let waiting = scope.spawn(waiting);
        while clock.parked() == 0 {
            thread::yield_now();
        }
        then();
        waiting.join().expect("it does not panic")
    })
}

fn new_block(infos: &Arc<BlockInfoManager>, name: &str) -> NewBlock {
    infos
        .lock_new_block_for_writing(&id(name), LEVEL, ONE)
        .expect("nothing fails")
}

#[test]
fn readers_wait_for_the_writer_and_writers_for_all() {
    let (store, clock) = timed();
    assert!(put(&store, "a", 10, 1));
    let infos = store.infos();
    let writer = infos
        .lock_for_writing(&id("a"), ONE)
        .unwrap()
        .expect("it is there");
    assert!(infos.try_lock_for_reading(&id("a"), TWO).is_none());
    let read = || {
        infos
            .lock_for_reading(&id("a"), TWO)
            .unwrap()
            .expect("it is there")
    };
    let reader = while_waiting(&clock, read, || drop(writer));
    assert_eq!(infos.readers(&id("a")), Some(1));
    let write = || {
        infos
            .lock_for_writing(&id("a"), ONE)
            .unwrap()
            .expect("it is there")
    };
    let writer = while_waiting(&clock, write, || drop(reader));
    assert!(infos.is_being_written(&id("a")));
    drop(writer);
    assert!(store.contains(&id("a")));
}

#[test]
fn no_wait_is_longer_than_the_timeout() {
    let (store, clock) = timed();
    assert!(put(&store, "a", 10, 1));
    let infos = store.infos();
    let reader = infos
        .lock_for_reading(&id("a"), ONE)
        .unwrap()
        .expect("it is there");
    let write = || infos.lock_for_writing(&id("a"), TWO);
    let refused = while_waiting(&clock, write, || clock.advance(Duration::from_secs(5)));
    assert_eq!(
        refused.unwrap_err().to_string(),
        "waited 5s for the lock of block a"
    );
    assert_eq!(infos.readers(&id("a")), Some(1));
    drop(reader);
}

#[test]
fn a_block_that_is_being_put_exists_once_it_is_there_and_not_if_it_never_is() {
    let (store, clock) = timed();
    let infos = store.infos();
    let NewBlock::New(writer) = new_block(infos, "a") else {
        panic!("there was none");
    };
    let second = || match new_block(infos, "a") {
        NewBlock::New(writer) => writer,
        NewBlock::Exists(reader) => panic!("{reader:?}"),
    };
    // Nothing was put: the second can.
    let writer = while_waiting(&clock, second, || drop(writer));
    assert_eq!((writer.id(), writer.level()), (&id("a"), LEVEL));
    drop(writer);
    assert!(infos.is_empty());
    assert!(put(&store, "a", 10, 1));
    assert!(matches!(new_block(infos, "a"), NewBlock::Exists(_)));
    assert!(infos.lock_for_reading(&id("b"), None).unwrap().is_none());
}

#[test]
fn whoever_waits_for_a_block_that_is_removed_finds_none() {
    let (store, clock) = timed();
    assert!(put(&store, "a", 10, 1));
    let infos = store.infos();
    let writer = infos
        .lock_for_writing(&id("a"), ONE)
        .unwrap()
        .expect("it is there");
    let read = || infos.lock_for_reading(&id("a"), TWO).unwrap();
    let found = while_waiting(&clock, read, || assert!(store.remove(&id("a"))));
    assert!(found.is_none());
    drop(writer);
    assert!(infos.is_empty());
}

#[test]
fn a_writer_becomes_a_reader_without_a_gap() {
    let (store, clock) = timed();
    assert!(put(&store, "a", 10, 1));
    let infos = store.infos();
    let writer = infos
        .lock_for_writing(&id("a"), ONE)
        .unwrap()
        .expect("it is there");
    let mut reader = None;
    let read = || {
        infos
            .lock_for_reading(&id("a"), TWO)
            .unwrap()
            .expect("it is there")
    };
    let other = while_waiting(&clock, read, || reader = Some(writer.downgrade()));
    assert_eq!(infos.readers(&id("a")), Some(2));
    assert_eq!(infos.locks_of(TaskId::new(1)), [(id("a"), LockKind::Read)]);
    drop((reader, other));
    assert_eq!(infos.readers(&id("a")), Some(0));
    assert!(infos.locks_of(TaskId::new(1)).is_empty());
}

#[test]
fn the_locks_of_a_task_are_listed_and_released_once() {
    let store = store(1000);
    for name in ["a", "b", "c"] {
        assert!(put(&store, name, 10, 1));
    }
    let infos = store.infos();
    let read = |name, task| {
        infos
            .lock_for_reading(&id(name), task)
            .unwrap()
            .expect("there")
    };
    let guards = [read("a", ONE), read("a", ONE), read("a", TWO)];
    let write = |name| {
        infos
            .lock_for_writing(&id(name), ONE)
            .unwrap()
            .expect("there")
    };
    let (written, downgraded) = (write("b"), write("c").downgrade());
    let mut leaks = infos.release_all_locks_for_task(TaskId::new(1));
    leaks.sort_by_key(|(id, _)| id.to_string());
    let expected = [
        (id("a"), LockKind::Read),
        (id("a"), LockKind::Read),
        (id("b"), LockKind::Write),
        (id("c"), LockKind::Read),
    ];
    assert_eq!(leaks, expected);
    assert_eq!(infos.readers(&id("a")), Some(1), "the other task's");
    // The guards have nothing to do any more, also those that change first.
    let mine = infos
        .try_lock_for_reading(&id("b"), None)
        .expect("it is free");
    drop((guards, written.downgrade(), downgraded));
    assert_eq!(infos.readers(&id("a")), Some(0));
    assert_eq!(infos.readers(&id("b")), Some(1));
    drop(mine);
    assert!(infos.release_all_locks_for_task(TaskId::new(1)).is_empty());
    assert_eq!(infos.len(), 3);
}

#[test]
fn a_put_whose_lock_was_released_under_it_stores_nothing() {
    let store = store(1000);
    let infos = store.infos();
    let NewBlock::New(writer) = new_block(infos, "a") else {
        panic!("there was none");
    };
    let leaks = infos.release_all_locks_for_task(TaskId::new(1));
    assert_eq!(leaks, [(id("a"), LockKind::Write)]);
    assert!(infos.is_empty(), "nothing was put");
    assert!(put(&store, "a", 10, 1));
    drop(writer);
    assert!(store.contains(&id("a")), "it was another block's");
    let error = StoreError::Removed { block: id("a") };
    assert_eq!(
        error.to_string(),
        "block a was removed while it was being put"
    );
}
