//! `TaskMemoryManagerSuite`, and what it does not test.

use std::sync::Arc;

use mem_block::{MemoryLocation, MemoryMode, ObjectId, PageAddress};
use mem_policy::{ManagerOptions, MemoryConfig, memory_manager};
use task_mem::{ConsumerOptions, NoSpill, Page, TaskId, TaskMemoryManager, Wait, raw};

use crate::support::{Kind, LimitedManager, OFF, ON, TestConsumer, task, unified};

fn limited(limit: u64) -> Arc<TaskMemoryManager> {
    task(&LimitedManager::new(limit).as_manager(), 0)
}

fn consumers<const N: usize>(task: &Arc<TaskMemoryManager>) -> [Arc<TestConsumer>; N] {
    std::array::from_fn(|_| TestConsumer::new(task, Kind::All))
}

fn used<const N: usize>(consumers: &[Arc<TestConsumer>; N]) -> [u64; N] {
    consumers.each_ref().map(|consumer| consumer.used())
}

#[test]
fn t1_a_page_that_is_not_freed_is_a_leak() {
    let manager = unified(1 << 30, 0);
    let task = task(&manager, 0);
    let consumer = TestConsumer::of_mode(&task, Kind::Nothing, ON);
    let mut none = NoSpill;
    let page = consumer
        .handle
        .allocate_page_up_to(4096, &mut none, &Wait::default());
    raw::leave_page(page.unwrap().expect("there is plenty"));
    assert_eq!(task.memory_consumption(), 4096);
    assert_eq!(task.cleanup().released, 4096);
    assert_eq!(manager.allocator(ON).live_bytes(), 0);
}

#[test]
fn t2_an_off_heap_offset_is_relative_to_its_page() {
    let offset = (1 << 51) + 10;
    let page = MemoryLocation::off_heap(offset);
    let address = PageAddress::encode(256, page, offset).unwrap();
    assert_eq!((address.page(), address.offset()), (256, 0));
    assert_eq!(address.offset_in(page), offset);
}

#[test]
fn t2_off_heap_pages_encode_from_their_start() {
    let task = task(&unified(1000, 100_000), 0);
    let consumer = TestConsumer::of_mode(&task, Kind::Nothing, OFF);
    let page = page_of(&consumer);
    let address = page.encode(10).unwrap();
    assert_eq!(address.to_raw(), 10);
    assert_eq!(page.offset_of(address), Some(10));
    assert_eq!(task.decode(address), Some((0, 10)));
}

#[test]
fn t3_an_on_heap_address_is_object_and_offset() {
    let page = MemoryLocation::on_heap(ObjectId::new(3));
    let address = PageAddress::encode(256, page, 64).unwrap();
    assert_eq!(address.page(), 256);
    assert_eq!(address.offset_in(page), 64);
}

#[test]
fn t3_on_heap_pages_encode_behind_the_header() {
    let task = limited(100_000);
    let consumer = TestConsumer::new(&task, Kind::Nothing);
    let (first, second) = (page_of(&consumer), page_of(&consumer));
    let address = second.encode(15).unwrap();
    assert_eq!(address.to_raw(), (1 << 51) + 16 + 15);
    assert_eq!(second.offset_of(address), Some(15));
    assert_eq!(first.offset_of(address), None);
    assert_eq!(raw::encode(&task, 1, 15).unwrap(), Some(address));
    assert_eq!(task.decode(address), Some((1, 15)));
    drop(second);
    assert_eq!(task.decode(address), None);
    assert_eq!(raw::encode(&task, 1, 15).unwrap(), None);
}

/// Spark marks freed pages with a special number; here a freed page is no value any more.
#[test]
fn t4_a_freed_page_is_gone_with_its_number_and_its_bytes() {
    let task = limited(100_000);
    let consumer = TestConsumer::new(&task, Kind::Nothing);
    let page = page_of(&consumer);
    assert_eq!((page.number(), consumer.used()), (0, 1024));
    drop(page);
    assert_eq!((consumer.used(), task.memory_consumption()), (0, 0));
    assert_eq!(page_of(&consumer).number(), 0);
}

/// T5, freeing a live page at its allocator, can't be written down: a page does not give up its block.
#[test]
fn t6_only_a_page_that_was_left_is_freed_by_number() {
    let task = limited(100_000);
    let consumer = TestConsumer::new(&task, Kind::Nothing);
    let other = TestConsumer::new(&task, Kind::Nothing);
    let refused = |number| {
        matches!(raw::free_page(&consumer.handle, number),
            Err(raw::RawError::NoSuchPage(named)) if named == number)
    };
    let page = page_of(&consumer);
    assert!(refused(0), "a guard has it");
    let page = raw::leave_page(page);
    assert!(
        raw::free_page(&other.handle, page.number).is_err(),
        "another consumer's"
    );
    assert!(raw::free_page(&consumer.handle, page.number).is_ok());
    assert!(refused(0), "freed before");
    assert!(refused(8191) && refused(u16::MAX), "never allocated");
}

#[test]
fn t7_cooperative_spilling() {
    let task = limited(100);
    let c = consumers::<2>(&task);
    let acquire = |i: usize, bytes: u64| {
        c[i].acquire(bytes).expect("nothing fails");
        used(&c)
    };
    assert_eq!(acquire(0, 100), [100, 0]);
    assert_eq!(acquire(1, 100), [0, 100]);
    assert_eq!(acquire(0, 100), [100, 0]);
    // Nobody else has any: it spills itself, and then gets what it asked for.
    assert_eq!(acquire(0, 50), [50, 0]);
    assert_eq!(acquire(1, 50), [50, 50]);
    // The other's 50 are not enough.
    assert_eq!(acquire(0, 100), [100, 0]);
    c[0].free(20);
    assert_eq!(used(&c), [80, 0]);
    assert_eq!(acquire(1, 10), [80, 10]);
    assert_eq!(acquire(1, 100), [0, 100]);
    c[1].free(100);
    assert_eq!(task.cleanup().released, 0);
}

#[test]
fn t8_cooperative_spilling_among_three() {
    let task = limited(100);
    let c = consumers::<3>(&task);
    let acquire = |i: usize, bytes: u64| {
        c[i].acquire(bytes).expect("nothing fails");
        used(&c)
    };
    acquire(0, 20);
    assert_eq!(acquire(1, 80), [20, 80, 0]);
    assert_eq!(acquire(2, 80), [20, 0, 80]);
    assert_eq!(acquire(1, 80), [20, 80, 0]);
    assert_eq!(acquire(2, 10), [0, 80, 10]);
    c[1].free(80);
    c[2].free(10);
    assert_eq!(task.cleanup().released, 0);
}

#[test]
fn t9_the_requester_spills_last() {
    let task = limited(100);
    let c = consumers::<3>(&task);
    let acquire = |i: usize, bytes: u64| {
        c[i].acquire(bytes).expect("nothing fails");
        used(&c)
    };
    let refill = || {
        for c in &c {
            c.free_all();
        }
        for (c, bytes) in c.iter().zip([50, 40, 10]) {
            c.acquire(bytes).expect("nothing fails");
        }
    };
    refill();
    assert_eq!(acquire(0, 50), [100, 0, 0]);
    assert_eq!(acquire(0, 50), [50, 0, 0]);
    assert_eq!(acquire(1, 10), [50, 10, 0]);
    assert_eq!(acquire(0, 60), [60, 0, 0]);
    refill();
    assert_eq!(acquire(2, 50), [0, 40, 60]);
    refill();
    assert_eq!(task.cleanup().released, 100);
}

#[test]
fn t10_best_fit() {
    let task = limited(100);
    let c = consumers::<4>(&task);
    let acquire = |i: usize, bytes: u64| {
        c[i].acquire(bytes).expect("nothing fails");
        used(&c)
    };
    for (i, bytes) in [50, 40, 10].into_iter().enumerate() {
        acquire(i, bytes);
    }
    assert_eq!(acquire(3, 5), [50, 40, 0, 5]);
    assert_eq!(acquire(2, 45), [50, 0, 45, 5]);
    assert_eq!(acquire(1, 51), [0, 51, 45, 0]);
}

#[test]
fn t11_another_mode_is_not_spilled() {
    let task = limited(100);
    let on = TestConsumer::of_mode(&task, Kind::All, ON);
    let off = TestConsumer::of_mode(&task, Kind::All, OFF);
    assert_eq!(on.acquire(80).unwrap(), 80);
    assert_eq!(off.acquire(80).unwrap(), 20);
    assert_eq!((on.used(), off.used()), (80, 20));
    // It spills itself rather than the other.
    assert_eq!(off.acquire(10).unwrap(), 10);
    assert_eq!((on.used(), off.used()), (80, 10));
}

#[test]
fn t12_the_old_key_of_off_heap_memory() {
    let config = MemoryConfig::new()
        .with("spark.unsafe.offHeap", true)
        .and_then(|config| config.with("spark.memory.offHeap.size", 1000))
        .unwrap();
    let manager = memory_manager(config.resolve(1).unwrap(), &ManagerOptions::default());
    let task = TaskMemoryManager::new(manager, TaskId::new(0));
    assert_eq!(task.tungsten_memory_mode(), MemoryMode::OffHeap);
    assert_eq!(
        task.register(ConsumerOptions::default()).mode(),
        MemoryMode::OffHeap
    );
}

fn page_of(consumer: &TestConsumer) -> Page {
    consumer
        .handle
        .allocate_page(0, &mut NoSpill, &Wait::default())
        .expect("there is plenty")
}
