//! What is spilled for a request is kept for it.

use std::sync::{Arc, Weak};

use mem_pool::{Ask, Ledger, TaskId};
use mem_sync::Mutex;
use task_mem::{
    ConsumerId, ConsumerOptions, Failure, Held, MemoryConsumer, NoSpill, Spill, SpillError,
    Spillable, TaskMemoryManager, Wait,
};

use crate::support::{Kind, Nested, ON, Polled, TestConsumer, task, unified};

/// Frees all it has; then another task tries to get some of that.
struct Robbed {
    consumer: MemoryConsumer,
    ledger: Arc<Ledger>,
    held: Mutex<Option<Held>>,
    loot: Mutex<Vec<u64>>,
    fails: bool,
}

impl Robbed {
    fn new(task: &Arc<TaskMemoryManager>, bytes: u64, fails: bool) -> Arc<Self> {
        let robbed = Arc::new_cyclic(|me: &Weak<Self>| {
            let options = ConsumerOptions {
                spill: Spillable::ByAnyone(me.clone()),
                mode: Some(ON),
                ..ConsumerOptions::named("robbed")
            };
            Self {
                consumer: task.register(options),
                ledger: Arc::clone(task.ledger()),
                held: Mutex::new(None),
                loot: Mutex::new(Vec::new()),
                fails,
            }
        });
        let held = robbed
            .consumer
            .acquire(bytes, &mut NoSpill, &Wait::default());
        *robbed.held.lock() = Some(held.expect("there is plenty"));
        robbed
    }

    fn rob(&self) {
        let ask = Ask::execution(TaskId::new(3), ON, 10);
        let got = self.ledger.try_acquire(ask).map_or(0, |loot| loot.bytes());
        self.loot.lock().push(got);
    }
}

impl Spill for Robbed {
    fn spill(&self, _need: u64, _trigger: ConsumerId) -> Result<u64, SpillError> {
        let held = self.held.lock().take();
        let bytes = held.as_ref().map_or(0, Held::bytes);
        drop(held);
        self.rob();
        if self.fails {
            Err(SpillError::Other("robbed".into()))
        } else {
            Ok(bytes)
        }
    }
}

#[test]
fn nobody_gets_between_the_spill_and_the_grant() {
    let manager = unified(1000, 0);
    let (t1, t2) = (task(&manager, 1), task(&manager, 2));
    let victim = Robbed::new(&t1, 1000, false);
    let requester = TestConsumer::of_mode(&t1, Kind::Nothing, ON);
    let waiter = TestConsumer::of_mode(&t2, Kind::Nothing, ON);
    let mut waiting = Polled::new(waiter.acquire_async(300));
    assert!(waiting.poll().is_none());

    assert_eq!(requester.acquire(200).unwrap(), 200);
    assert_eq!(*victim.loot.lock(), [0]);
    // What the request left falls to the waiter.
    assert_eq!(waiting.poll().unwrap().unwrap(), 300);
    assert_eq!(manager.ledger().snapshot().on_heap.execution_used, 500);
    // What nobody waits for is anybody's.
    victim.rob();
    assert_eq!(*victim.loot.lock(), [0, 10]);
}

#[test]
fn what_was_spilled_for_a_request_that_fails_falls_free() {
    let manager = unified(1000, 0);
    let (t1, t2) = (task(&manager, 1), task(&manager, 2));
    let victim = Robbed::new(&t1, 1000, true);
    let requester = TestConsumer::of_mode(&t1, Kind::Nothing, ON);
    let waiter = TestConsumer::of_mode(&t2, Kind::Nothing, ON);
    let mut waiting = Polled::new(waiter.acquire_async(300));
    assert!(waiting.poll().is_none());

    let error = requester.acquire(200).unwrap_err();
    assert!(
        matches!(error.failure(), Failure::SpillOther { .. }),
        "{error}"
    );
    assert_eq!(*victim.loot.lock(), [0]);
    assert_eq!(waiting.poll().unwrap().unwrap(), 300);
}

/// A task with a victim of 100 bytes, and another that waits for 50. The third has what else there
/// is.
fn scarce(victim: impl FnOnce(&Arc<TaskMemoryManager>)) {
    let manager = unified(1000, 0);
    let [t1, t2, t3] = [1, 2, 3].map(|id| task(&manager, id));
    let [requester, waiter, rest] =
        [&t1, &t2, &t3].map(|task| TestConsumer::of_mode(task, Kind::Nothing, ON));
    let acquire = |from: &TestConsumer, bytes| from.acquire(bytes).expect("nothing fails");
    assert_eq!(acquire(&rest, 600), 600);
    assert_eq!(acquire(&requester, 150), 150);
    assert_eq!(acquire(&waiter, 150), 150);
    victim(&t1);
    assert_eq!(t1.memory_consumption(), 250);
    let mut waiting = Polled::new(waiter.acquire_async(50));
    assert!(waiting.poll().is_none());
    assert_eq!(acquire(&requester, 100), 100);
    assert!(waiting.poll().is_none(), "nothing was left for it");
    rest.free(50);
    assert_eq!(waiting.poll().and_then(Result::ok), Some(50));
}

#[test]
fn the_request_comes_before_those_that_wait() {
    let mut keep = None;
    scarce(|task| {
        let victim = TestConsumer::of_mode(task, Kind::All, ON);
        assert_eq!(victim.acquire(100).unwrap(), 100);
        keep = Some(victim);
    });
}

#[test]
fn what_a_consumer_frees_by_going_is_kept_too() {
    let last: Arc<Mutex<Option<Arc<Nested>>>> = Arc::default();
    scarce(|task| {
        let slot = Arc::clone(&last);
        // Dropped by its own spill, it lives until that is over, and then frees what it holds.
        let go = move |_: &Nested| slot.lock().take().map_or(0, |me| me.consumer.used());
        let victim = Nested::new(task, Box::new(go));
        victim.acquire(100);
        *last.lock() = Some(victim);
    });
    assert!(last.lock().is_none());
}
