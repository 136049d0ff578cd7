//! Requests that wait, and how their waits end.

use std::sync::Arc;
use std::time::Duration;

use mem_policy::{ManagerOptions, MemoryManager, UnifiedMemoryManager};
use mem_pool::Reason;
use mem_sync::{Clock, ManualClock, Moment, thread};
use task_mem::{CancelToken, Failure, MemoryError, NoSpill, SelfSpill, Wait};

use crate::support::{
    Answer, Kind, LimitedManager, ON, Polled, TestConsumer, fixed, patient, sizes, task, unified,
};

fn reason(error: &MemoryError) -> &Reason {
    match error.failure() {
        Failure::Refused(refusal) => refusal.reason(),
        other => panic!("{other}"),
    }
}

/// One task holds everything, so that a request of another one waits.
struct Full {
    manager: Arc<dyn MemoryManager>,
    holder: Arc<TestConsumer>,
    asker: Arc<TestConsumer>,
}

impl Full {
    fn new(options: &ManagerOptions) -> Self {
        let manager: Arc<dyn MemoryManager> =
            UnifiedMemoryManager::new(sizes(1000, 0, (1, 2)), options);
        let holder = TestConsumer::of_mode(&task(&manager, 1), Kind::All, ON);
        assert_eq!(holder.acquire(1000).expect("it is all free"), 1000);
        let asker = TestConsumer::of_mode(&task(&manager, 2), Kind::All, ON);
        Self {
            manager,
            holder,
            asker,
        }
    }

    /// Runs until a request waits.
    fn wait_for_waiter(&self) {
        while self.manager.ledger().snapshot().waiting == 0 {
            thread::yield_now();
        }
    }
}

#[test]
fn a_blocked_thread_goes_on_when_it_is_granted() {
    let full = Full::new(&patient());
    let asker = Arc::clone(&full.asker);
    let waiting = thread::spawn(move || asker.acquire(300));
    full.wait_for_waiter();
    full.holder.free(500);
    assert_eq!(waiting.join().unwrap().unwrap(), 300);
}

#[test]
fn a_cancelled_wait_is_its_own_outcome() {
    let full = Full::new(&patient());
    let token = CancelToken::new();
    let (asker, cancel) = (Arc::clone(&full.asker), token.clone());
    let waiting = thread::spawn(move || {
        let wait = Wait {
            cancel: Some(&cancel),
            ..Wait::default()
        };
        asker
            .handle
            .acquire(300, &mut NoSpill, &wait)
            .map(|held| held.bytes())
    });
    full.wait_for_waiter();
    token.cancel();
    let error = waiting.join().unwrap().unwrap_err();
    assert!(matches!(reason(&error), Reason::Cancelled), "{error}");
    assert_eq!(full.asker.used(), 0);
}

#[test]
fn a_wait_ends_when_its_deadline_has_passed() {
    let clock = Arc::new(ManualClock::new());
    let options = ManagerOptions {
        clock: Arc::clone(&clock) as Arc<dyn Clock>,
        ..patient()
    };
    let full = Full::new(&options);
    let asker = Arc::clone(&full.asker);
    let waiting = thread::spawn(move || {
        let wait = Wait {
            deadline: Some(Moment::from_nanos(1_000)),
            ..Wait::default()
        };
        asker
            .handle
            .acquire(300, &mut NoSpill, &wait)
            .map(|held| held.bytes())
    });
    while clock.parked() == 0 {
        thread::yield_now();
    }
    clock.advance(Duration::from_micros(1));
    let error = waiting.join().unwrap().unwrap_err();
    assert!(matches!(reason(&error), Reason::Deadline), "{error}");
    assert_eq!(error.remedy(), Some("hearth.wait.timeout"));
}

#[test]
fn a_future_ends_when_its_deadline_has_passed() {
    let clock = Arc::new(ManualClock::new());
    let options = ManagerOptions {
        clock: Arc::clone(&clock) as Arc<dyn Clock>,
        ..patient()
    };
    let full = Full::new(&options);
    let wait = Wait {
        deadline: Some(Moment::from_nanos(1_000)),
        ..Wait::default()
    };
    let mut none = NoSpill;
    let mut asking = Polled::new(full.asker.handle.allocate_page_async(100, &mut none, &wait));
    assert!(asking.poll().is_none());
    clock.advance(Duration::from_micros(1));
    let error = asking.poll().expect("it is over").unwrap_err();
    assert!(matches!(reason(&error), Reason::Deadline), "{error}");
}

#[test]
fn trying_never_waits() {
    let full = Full::new(&patient());
    let error = full
        .asker
        .handle
        .try_acquire(300, &mut NoSpill)
        .unwrap_err();
    assert!(matches!(reason(&error), Reason::WouldWait), "{error}");
    assert_eq!(full.manager.ledger().snapshot().waiting, 0);
    let handle = &full.asker.handle;
    assert!(handle.try_allocate_page(10, &mut NoSpill).is_err());
    assert!(handle.try_allocate_page_up_to(10, &mut NoSpill).is_err());
    assert!(handle.try_allocate_array(10, &mut NoSpill).is_err());
    assert!(handle.try_allocate_unpaged(10, ON, &mut NoSpill).is_err());
    assert!(handle.try_reserve(10, &mut NoSpill).is_err());
    full.holder.free(600);
    assert_eq!(handle.try_reserve(10, &mut NoSpill).unwrap().bytes(), 10);
}

#[test]
fn where_it_may_not_wait_a_task_spills_its_own() {
    let manager = fixed(1000, 0);
    let holder = TestConsumer::of_mode(&task(&manager, 1), Kind::All, ON);
    let t2 = task(&manager, 2);
    let [victim, asker] = [(); 2].map(|()| TestConsumer::of_mode(&t2, Kind::Partial, ON));
    assert_eq!(holder.acquire(800).unwrap(), 800);
    assert_eq!(victim.acquire(100).unwrap(), 100);
    // With the 100 that are free it would have 200, and waits for 250. The other consumer's 100 make
    // up for what is missing.
    let held = asker.handle.try_acquire(150, &mut NoSpill).unwrap();
    assert_eq!((held.bytes(), victim.used()), (150, 0));
}

#[test]
fn a_short_reservation_is_given_back_and_explains_itself() {
    let manager = fixed(1000, 0);
    let t1 = task(&manager, 1);
    let consumer = TestConsumer::of_mode(&t1, Kind::Nothing, ON);
    let error = consumer
        .handle
        .reserve(1500, &mut NoSpill, &Wait::default())
        .unwrap_err();
    let Failure::OutOfMemory {
        required: 1500,
        got: 1000,
        refusal,
        ..
    } = error.failure()
    else {
        panic!("{error}")
    };
    assert_eq!(refusal.active_tasks(), 1);
    assert_eq!((consumer.used(), t1.memory_consumption()), (0, 0));
}

#[test]
fn a_dropped_future_loses_no_byte() {
    let manager = LimitedManager::new(100);
    let task = task(&manager.as_manager(), 0);
    let victim = TestConsumer::new(&task, Kind::Partial);
    let asker = TestConsumer::new(&task, Kind::Nothing);
    victim.acquire(60).unwrap();
    // 40 are granted, 30 spilled; with those it waits.
    manager.answer([Answer::Limit, Answer::Wait]);
    let mut asking = Polled::new(asker.acquire_async(70));
    assert!(asking.poll().is_none());
    assert_eq!((victim.used(), task.memory_consumption()), (30, 70));
    drop(asking);
    assert_eq!((asker.used(), task.memory_consumption()), (0, 30));
    // It does not count as asking any more.
    assert_eq!(asker.acquire(70).unwrap(), 70);
    assert_eq!(victim.acquire(100).unwrap(), 30);
    assert_eq!(asker.asked(), [100]);
}

#[test]
fn a_dropped_future_frees_its_page_number() {
    let manager = LimitedManager::new(1 << 20);
    let task = task(&manager.as_manager(), 0);
    let asker = TestConsumer::new(&task, Kind::Nothing);
    // The allocator fails, nobody can spill, and the fresh grant has to wait.
    manager.heap().fail_next(1);
    manager.answer([Answer::Limit, Answer::Wait]);
    let (mut none, wait) = (NoSpill, Wait::default());
    let mut asking = Polled::new(asker.handle.allocate_page_async(10, &mut none, &wait));
    assert!(asking.poll().is_none());
    assert_eq!(task.memory_consumption(), 1024);
    drop(asking);
    assert_eq!(
        (task.memory_consumption(), task.acquired_but_not_used()),
        (0, 0)
    );
    assert_eq!(asker.allocate_page(10).unwrap(), 0);
}

/// A manager that looks for deadlocks. There is one when so much memory is in use elsewhere that the
/// rule has a lone task wait for ever.
fn watchful() -> Arc<dyn MemoryManager> {
    let options = ManagerOptions {
        wait_timeout: None,
        ..ManagerOptions::default()
    };
    UnifiedMemoryManager::new(sizes(1000, 0, (0, 1)), &options)
}

#[test]
fn where_everybody_waits_the_last_spills_instead() {
    let manager = watchful();
    let task = task(&manager, 1);
    let [victim, asker] = [(); 2].map(|()| TestConsumer::of_mode(&task, Kind::Partial, ON));
    assert_eq!(victim.acquire(450).unwrap(), 450);
    manager.ledger().set_unmanaged(ON, 600);
    // 400 is the most it may have, 500 the least it waits for: with 250 held, 150 are no answer yet.
    assert_eq!(asker.acquire(200).unwrap(), 200);
    assert_eq!((victim.asked(), victim.used()), (vec![200, 200], 50));
}

#[test]
fn where_everybody_waits_and_nobody_can_spill_the_last_is_refused() {
    let manager = watchful();
    let asker = TestConsumer::of_mode(&task(&manager, 1), Kind::All, ON);
    assert_eq!(asker.acquire(60).unwrap(), 60);
    manager.ledger().set_unmanaged(ON, 950);
    let error = asker.acquire(100).unwrap_err();
    assert!(matches!(reason(&error), Reason::Deadlock), "{error}");
    assert_eq!((asker.asked(), asker.used()), (vec![100, 100], 0));
}

#[test]
fn a_task_that_is_cleaned_up_waits_no_more() {
    let full = Full::new(&patient());
    let mut asking = Polled::new(full.asker.acquire_async(300));
    assert!(asking.poll().is_none());
    full.asker.handle.task().cleanup();
    let error = asking.poll().expect("it is over").unwrap_err();
    assert!(matches!(reason(&error), Reason::Cancelled), "{error}");
}

#[test]
fn futures_can_move_between_threads() {
    fn check<T: Send>(future: T) -> T {
        future
    }
    let manager = unified(100_000, 0);
    let consumer = TestConsumer::of_mode(&task(&manager, 1), Kind::All, ON);
    let (mut none, wait) = (NoSpill, Wait::default());
    let none: &mut (dyn SelfSpill + Send) = &mut none;
    let handle = &consumer.handle;
    drop(check(handle.acquire_async(10, none, &wait)));
    drop(check(handle.reserve_async(10, none, &wait)));
    drop(check(handle.allocate_array_async(10, none, &wait)));
    drop(check(handle.allocate_page_up_to_async(10, none, &wait)));
    drop(check(handle.allocate_unpaged_async(10, ON, none, &wait)));
    drop(check(handle.task().allocate_unpaged_async(10, ON, &wait)));
    let mut page = Polled::new(check(handle.allocate_page_async(10, none, &wait)));
    assert_eq!(page.poll().unwrap().unwrap().bytes(), 1024);
}
