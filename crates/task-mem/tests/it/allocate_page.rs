//! What happens when the allocator fails although the ledger granted the bytes. The figures are of
//! recorded runs of Spark 4.3.0.

use std::sync::Arc;

use mem_block::MAXIMUM_PAGE_SIZE_BYTES;
use task_mem::{ConsumerOptions, Failure, MemoryError, NoSpill, Page, TaskMemoryManager, Wait};

use crate::support::{Kind, LimitedManager, ON, TestConsumer, fixed, task};

struct Setup {
    manager: Arc<LimitedManager>,
    task: Arc<TaskMemoryManager>,
}

impl Setup {
    fn new(limit: u64) -> Self {
        let manager = LimitedManager::new(limit);
        let task = task(&manager.as_manager(), 0);
        Self { manager, task }
    }

    fn consumer(&self, kind: Kind, holds: u64) -> Arc<TestConsumer> {
        self.with_pages(kind, holds, 1024)
    }

    fn with_pages(&self, kind: Kind, holds: u64, page_size: u64) -> Arc<TestConsumer> {
        let options = ConsumerOptions {
            page_size: Some(page_size),
            ..ConsumerOptions::named("test")
        };
        let consumer = TestConsumer::with(&self.task, kind, options);
        assert_eq!(consumer.acquire(holds).expect("there is plenty"), holds);
        consumer
    }

    fn fail_next(&self, count: u64) {
        self.manager.heap().fail_next(count);
    }

    /// Bytes charged, and of them acquired but not used.
    fn charged(&self) -> (u64, u64) {
        (
            self.task.memory_consumption(),
            self.task.acquired_but_not_used(),
        )
    }

    /// Nothing is left once the task is over, and the report adds up.
    fn end(self) {
        let (charged, unused) = self.charged();
        let end = self.task.cleanup();
        assert_eq!((end.taken_back, end.released), (charged, charged - unused));
        assert_eq!(
            end.leaks.iter().map(task_mem::Holding::bytes).sum::<u64>(),
            charged
        );
        assert_eq!(self.charged(), (0, 0));
    }
}

fn out_of_memory(error: &MemoryError) -> Option<(u64, u64)> {
    match error.failure() {
        Failure::OutOfMemory { required, got, .. } => Some((*required, *got)),
        _ => None,
    }
}

/// `task/00019:40`.
#[test]
fn three_failures_outlast_what_can_be_spilled() {
    let setup = Setup::new(1 << 20);
    let requester = setup.consumer(Kind::All, 0);
    let victim = setup.consumer(Kind::All, 308);
    setup.fail_next(3);
    let error = requester.allocate_array(67).unwrap_err();
    assert_eq!(out_of_memory(&error), Some((536, 0)));
    assert_eq!(victim.asked(), [536, 228]);
    assert_eq!(setup.charged(), (764, 764));
    assert_eq!(setup.task.peak_execution_memory(ON), 536 + 536);
    // The page number is free again.
    assert_eq!(requester.allocate_array(1).unwrap(), 0);
    setup.end();
}

/// `task/00004:206`.
#[test]
fn the_minimum_is_tried_when_enough_was_freed() {
    let setup = Setup::new(1 << 20);
    let _bystander = setup.consumer(Kind::Nothing, 6633 - 3621);
    let requester = setup.with_pages(Kind::All, 3621, 256);
    setup.fail_next(2);
    requester.allocate_page(18).unwrap();
    // The bystander was asked first, both times.
    assert_eq!(requester.asked(), [256]);
    assert_eq!(setup.charged(), (3030, 0));
    assert_eq!(requester.used(), 18);
    setup.end();
}

/// `mixed/00006:21`.
#[test]
fn a_fresh_grant_after_two_failures() {
    let setup = Setup::new(1 << 30);
    let requester = setup.consumer(Kind::All, 0);
    let _victim = setup.consumer(Kind::All, 434_447);
    setup.fail_next(2);
    requester.allocate_array(2_519_496 / 8).unwrap();
    assert_eq!(setup.charged(), (4_604_545, 2_085_049));
    assert_eq!(requester.used(), 2_519_496);
    setup.end();
}

/// `task/00006:5` and `:6`.
#[test]
fn failures_that_are_left_over_cost_the_next_page() {
    let setup = Setup::new(1 << 30);
    let requester = setup.consumer(Kind::All, 0);
    setup.fail_next(3);
    let mut none = NoSpill;
    let wait = Wait::default();
    let none_had = requester
        .handle
        .allocate_page_up_to(1_329_637, &mut none, &wait);
    assert!(none_had.unwrap().is_none());
    assert_eq!(setup.charged(), (2_659_274, 2_659_274));
    let page = requester
        .handle
        .allocate_page_up_to(1024, &mut none, &wait)
        .unwrap();
    assert_eq!(page.as_ref().map(Page::bytes), Some(1024));
    assert_eq!(setup.charged(), (2_660_298 + 1024, 2_660_298));
    drop(page);
    setup.end();
}

/// `mixed/00000:17`.
#[test]
fn the_minimum_is_not_tried_when_nothing_was_freed_and_nothing_is_granted() {
    let setup = Setup::new(577);
    let _victim = setup.consumer(Kind::All, 500);
    let requester = setup.with_pages(Kind::All, 0, 65_536);
    setup.fail_next(1);
    let error = requester.allocate_page(3).unwrap_err();
    assert_eq!(out_of_memory(&error), Some((3, 0)));
    assert_eq!(setup.charged(), (577, 577));
    setup.end();
}

#[test]
fn the_minimum_is_tried_when_the_fresh_grant_fails_too() {
    let setup = Setup::new(1 << 20);
    let requester = setup.consumer(Kind::Nothing, 0);
    setup.fail_next(2);
    let page = requester
        .handle
        .allocate_page(10, &mut NoSpill, &Wait::default())
        .unwrap();
    assert_eq!((page.bytes(), page.is_reduced()), (10, true));
    assert_eq!(setup.charged(), (10, 0));
    drop(page);
    setup.end();
}

#[test]
fn every_retry_is_paid_for_by_something_freed() {
    let setup = Setup::new(1 << 20);
    let requester = setup.consumer(Kind::All, 0);
    let first = setup.consumer(Kind::All, 3000);
    let second = setup.consumer(Kind::All, 2000);
    setup.fail_next(2);
    requester.allocate_array(128).unwrap();
    // Either was enough by itself, and the one that fits better came first.
    assert_eq!((second.spilled(), first.spilled()), (2000, 3000));
    assert_eq!((second.asked(), first.asked()), (vec![1024], vec![1024]));
    assert_eq!(setup.charged(), (1024, 0));
    setup.end();
}

#[test]
fn an_allocator_that_always_fails_is_asked_a_bounded_number_of_times() {
    let setup = Setup::new(1 << 20);
    let requester = setup.consumer(Kind::All, 0);
    let _victims: Vec<_> = (0..10).map(|_| setup.consumer(Kind::All, 2000)).collect();
    setup.manager.heap().fail_always(true);
    let error = requester.allocate_page(10).unwrap_err();
    assert_eq!(out_of_memory(&error), Some((10, 0)));
    assert!(error.to_string().contains("the system refused"), "{error}");
    // Once for each that spilled, once at first, once for the minimum.
    assert_eq!(setup.manager.heap().failed(), 12);
    setup.manager.heap().fail_always(false);
    setup.end();
}

#[test]
fn a_victim_that_fails_ends_the_recovery_and_nothing_is_lost() {
    let setup = Setup::new(1 << 20);
    let requester = setup.consumer(Kind::All, 0);
    let victim = setup.consumer(Kind::DiskFull, 100);
    setup.fail_next(1);
    let error = requester.allocate_array(64).unwrap_err();
    let Failure::SpillFailed { culprit, .. } = error.failure() else {
        panic!("{error}")
    };
    assert_eq!(culprit.id, victim.handle.id());
    assert_eq!(setup.charged(), (612, 512));
    assert_eq!(
        requester.allocate_array(1).unwrap(),
        0,
        "the page number is free again"
    );
    setup.end();
}

#[test]
fn without_a_minimum_there_is_no_smaller_page() {
    let setup = Setup::new(1 << 20);
    let requester = setup.consumer(Kind::Nothing, 0);
    setup.fail_next(2);
    let error = requester.allocate_page(0).unwrap_err();
    assert_eq!(out_of_memory(&error), Some((0, 0)));
    assert_eq!(setup.charged(), (2048, 2048));
    setup.end();
}

/// What counts is by how much the use of a victim falls.
#[test]
fn a_victim_that_lies_pays_for_no_retry() {
    let setup = Setup::new(1 << 20);
    let requester = setup.consumer(Kind::Nothing, 0);
    let liar = setup.consumer(Kind::Liar, 2000);
    setup.fail_next(10);
    assert!(requester.allocate_array(128).is_err());
    assert_eq!(liar.asked(), [1024]);
    assert_eq!(setup.manager.heap().failed(), 2);
    setup.end();
}

#[test]
fn a_page_that_is_too_small_is_given_back() {
    let setup = Setup::new(100);
    let requester = setup.consumer(Kind::Nothing, 0);
    let error = requester.allocate_array(20).unwrap_err();
    assert_eq!(out_of_memory(&error), Some((160, 100)));
    assert_eq!((requester.used(), setup.charged()), (0, (0, 0)));
    // A smaller page than the page size is fine, if it holds what is needed.
    requester.allocate_page(60).unwrap();
    assert_eq!(requester.used(), 100);
    setup.end();
}

#[test]
fn sizes_beyond_the_largest_page_are_refused_before_anything_is_charged() {
    let setup = Setup::new(u64::MAX >> 1);
    let requester = setup.consumer(Kind::Nothing, 0);
    let too_large = |result: Result<u16, MemoryError>| match result.unwrap_err().into_failure() {
        Failure::TooLargePage { bytes } => bytes,
        other => panic!("{other}"),
    };
    let size = MAXIMUM_PAGE_SIZE_BYTES + 1;
    assert_eq!(too_large(requester.allocate_page(size)), size);
    assert_eq!(too_large(requester.allocate_array(1 << 62)), u64::MAX);
    assert_eq!(setup.charged(), (0, 0));
}

#[test]
fn the_8193rd_page_is_refused_and_its_grant_given_back() {
    let setup = Setup::new(1 << 30);
    let requester = setup.with_pages(Kind::Nothing, 0, 8);
    for number in 0..8192 {
        assert_eq!(requester.allocate_page(0).unwrap(), number);
    }
    let error = requester.allocate_page(0).unwrap_err();
    assert!(matches!(error.failure(), Failure::PageTableFull), "{error}");
    assert_eq!(
        (requester.used(), setup.charged()),
        (8192 * 8, (8192 * 8, 0))
    );
    requester.free_all();
    assert_eq!(requester.allocate_page(0).unwrap(), 0);
    drop(requester);
    setup.end();
}

#[test]
fn a_fixed_share_is_granted_in_full_or_named() {
    let manager = fixed(1000, 0);
    let task = task(&manager, 7);
    let requester = TestConsumer::of_mode(&task, Kind::Nothing, ON);
    let error = requester.allocate_page(1001).unwrap_err();
    assert_eq!(out_of_memory(&error), Some((1001, 1000)));
    assert_eq!(error.remedy(), Some("spark.shuffle.memoryFraction"));
    let text = error.to_string();
    assert!(
        text.starts_with("unable to acquire 1001 bytes of memory, got 1000: "),
        "{text}"
    );
}
