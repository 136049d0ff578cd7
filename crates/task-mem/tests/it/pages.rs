//! Pages as guards.

use std::sync::{Arc, OnceLock, Weak};

use mem_policy::MemoryManager;
use mem_pool::{Event, Probe};
use mem_sync::atomic::{AtomicU64, Ordering};
use task_mem::{ConsumerOptions, NoSpill, Wait, raw};

use crate::support::{Kind, LimitedManager, OFF, ON, Recorder, TestConsumer, task, unified};

#[test]
fn pages_hold_what_is_written_to_them() {
    for mode in [ON, OFF] {
        let task = task(&unified(1 << 20, 1 << 20), 0);
        let consumer = TestConsumer::of_mode(&task, Kind::Nothing, mode);
        let wait = Wait::default();
        let mut page = consumer
            .handle
            .allocate_page(0, &mut NoSpill, &wait)
            .unwrap();
        let array = consumer
            .handle
            .allocate_array(3, &mut NoSpill, &wait)
            .unwrap();
        page.as_mut_slice().fill(7);
        page.as_mut_words()[1] = 1;
        assert_eq!(page.as_words().len(), 128);
        assert_eq!((page.as_slice()[0], page.as_slice()[1023]), (7, 7));
        assert_eq!(
            page.as_slice()[8..16]
                .iter()
                .map(|byte| u64::from(*byte))
                .sum::<u64>(),
            1
        );
        assert_eq!(
            (array.as_words().len(), array.number(), array.bytes()),
            (3, 1, 24)
        );
        assert_eq!((page.mode(), page.consumer()), (mode, consumer.handle.id()));
        assert!(!page.is_reduced());
        assert_eq!(consumer.used(), 1024 + 24);
        drop(page);
        // The lowest number is taken again.
        let next = consumer
            .handle
            .allocate_page(2000, &mut NoSpill, &wait)
            .unwrap();
        assert_eq!((next.number(), next.bytes()), (0, 2000));
    }
}

#[test]
fn a_page_up_to_a_size_is_charged_but_not_used() {
    let task = task(&unified(1000, 0), 0);
    let consumer = TestConsumer::of_mode(&task, Kind::Nothing, ON);
    let wait = Wait::default();
    let page = consumer
        .handle
        .allocate_page_up_to(1500, &mut NoSpill, &wait)
        .unwrap();
    let page = page.expect("some is free");
    assert_eq!(
        (page.bytes(), consumer.used(), task.memory_consumption()),
        (1000, 0, 1000)
    );
    assert!(
        consumer
            .handle
            .allocate_page_up_to(1, &mut NoSpill, &wait)
            .unwrap()
            .is_none()
    );
    drop(page);
    assert_eq!(task.memory_consumption(), 0);
}

#[test]
fn pages_left_are_freed_by_number() {
    let recorder = Arc::new(Recorder::default());
    let manager = LimitedManager::with_probe(1 << 20, Some(Arc::clone(&recorder) as _));
    let task = task(&manager.as_manager(), 0);
    let consumer = TestConsumer::new(&task, Kind::Nothing);
    let wait = Wait::default();
    let used = raw::allocate_page(&consumer.handle, 1, &mut NoSpill, &wait).unwrap();
    let array = raw::allocate_array(&consumer.handle, 2, &mut NoSpill, &wait).unwrap();
    let apart = raw::allocate_page_up_to(&consumer.handle, 9, &mut NoSpill, &wait).unwrap();
    let apart = apart.expect("there is plenty");
    assert_eq!([used.number, array.number, apart.number], [0, 1, 2]);
    assert_eq!([used.bytes, array.bytes, apart.bytes], [1024, 16, 9]);
    assert_eq!(consumer.used(), 1040);
    recorder.take();
    for page in [array, apart, used] {
        raw::free_page(&consumer.handle, page.number).unwrap();
    }
    let freed = |page, bytes| Event::Page {
        task: task.task(),
        page,
        bytes,
        taken: false,
    };
    assert_eq!(recorder.take(), [freed(1, 16), freed(2, 9), freed(0, 1024)]);
    assert_eq!((consumer.used(), task.memory_consumption()), (0, 0));
    assert_eq!(manager.as_manager().allocator(ON).live_bytes(), 0);
}

#[test]
fn numbers_that_make_no_sense_are_refused() {
    let task = task(&unified(1000, 0), 0);
    let options = ConsumerOptions {
        page_size: Some(0),
        ..Default::default()
    };
    let consumer = TestConsumer::with(&task, Kind::Nothing, options);
    let (handle, wait) = (&consumer.handle, Wait::default());
    let invalid = |result: Result<(), raw::RawError>| match result.unwrap_err() {
        raw::RawError::InvalidBytes(bytes) => bytes,
        other => panic!("{other}"),
    };
    let none = &mut NoSpill;
    assert_eq!(
        invalid(raw::acquire_memory(handle, 0, none, &wait).map(drop)),
        0
    );
    assert_eq!(
        invalid(raw::acquire_memory(handle, -5, none, &wait).map(drop)),
        -5
    );
    assert_eq!(
        invalid(raw::acquire_execution_memory(handle, 0, none, &wait).map(drop)),
        0
    );
    assert_eq!(
        invalid(raw::allocate_page(handle, 0, none, &wait).map(drop)),
        0
    );
    assert_eq!(
        invalid(raw::allocate_page_up_to(handle, -1, none, &wait).map(drop)),
        -1
    );
    // 2^61 words are 2^64 bytes, which is 0 in 64 bits.
    assert_eq!(
        invalid(raw::allocate_array(handle, 1 << 61, none, &wait).map(drop)),
        0
    );
    assert_eq!(task.memory_consumption(), 0);
}

/// At every release, looks whether there is more memory in use than the ledger knows of.
#[derive(Debug, Default)]
struct Overlooked {
    manager: OnceLock<Weak<dyn MemoryManager>>,
    releases: AtomicU64,
    bytes: AtomicU64,
}

impl Probe for Overlooked {
    fn record(&self, _sequence: Option<u64>, event: &Event) {
        let (Event::Release { .. } | Event::TaskEnd { .. }) = event else {
            return;
        };
        let Some(manager) = self.manager.get().and_then(Weak::upgrade) else {
            return;
        };
        let known = manager.ledger().snapshot().on_heap.execution_used;
        let over = manager.allocator(ON).live_bytes().saturating_sub(known);
        self.releases.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(over, Ordering::Relaxed);
    }
}

#[test]
fn memory_is_freed_before_it_is_granted_again() {
    let probe = Arc::new(Overlooked::default());
    let manager = LimitedManager::with_probe(1 << 20, Some(Arc::clone(&probe) as _)).as_manager();
    probe
        .manager
        .set(Arc::downgrade(&manager))
        .expect("it is set once");
    let task = task(&manager, 0);
    let options = ConsumerOptions {
        spill_workspace: vec![100],
        ..ConsumerOptions::default()
    };
    let consumer = task.register(options);
    let (none, wait) = (&mut NoSpill, Wait::default());
    let page = consumer.allocate_page(1, none, &wait).unwrap();
    let left = consumer.allocate_page(1, none, &wait).unwrap();
    let region = consumer.allocate_unpaged(10, ON, none, &wait).unwrap();
    let forgotten = consumer.allocate_page(1, none, &wait).unwrap();
    let left = raw::leave_page(left);
    raw::leave_page(forgotten);
    drop(page);
    raw::free_page(&consumer, left.number).unwrap();
    drop(region);
    drop(consumer);
    task.cleanup();
    let seen = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    assert_eq!((seen(&probe.releases), seen(&probe.bytes)), (5, 0));
}

#[test]
fn sizes_of_whole_classes_are_charged_as_asked() {
    let task = task(&unified(1 << 30, 0), 0);
    let consumer = TestConsumer::of_mode(&task, Kind::Nothing, ON);
    let size = consumer.handle.good_size((1 << 20) + 1);
    assert_eq!(size, (1 << 20) + (1 << 18));
    let page = consumer
        .handle
        .allocate_page(size, &mut NoSpill, &Wait::default())
        .unwrap();
    assert_eq!((page.bytes(), task.memory_consumption()), (size, size));
}
