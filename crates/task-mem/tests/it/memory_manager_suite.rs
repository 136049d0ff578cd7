//! `MemoryManagerSuite`: several tasks on one manager, unified and static. 1000 bytes on heap.

use std::sync::Arc;

use mem_policy::MemoryManager;
use task_mem::{MemoryConsumer, NoSpill, TaskMemoryManager, Wait, raw};

use crate::support::{Kind, OFF, ON, Polled, TestConsumer, fixed, task, unified};

/// A task with a consumer that asks the task's manager directly, so that it is never a victim.
struct Direct {
    task: Arc<TaskMemoryManager>,
    consumer: MemoryConsumer,
}

impl Direct {
    fn new(manager: &Arc<dyn MemoryManager>, id: i64) -> Self {
        let task = task(manager, id);
        let consumer = task.register(task_mem::ConsumerOptions::named("direct"));
        Self { task, consumer }
    }

    fn acquire(&self, bytes: i64) -> u64 {
        raw::acquire_execution_memory(&self.consumer, bytes, &mut NoSpill, &Wait::default())
            .expect("it does not fail")
    }

    /// The same as a future, for a request that is expected to wait.
    fn ask(&self, bytes: u64) -> Polled<'_, u64> {
        Polled::new(async move {
            let mut none = NoSpill;
            let held = self
                .consumer
                .acquire_async(bytes, &mut none, &Wait::default())
                .await;
            held.expect("it does not fail").leave()
        })
    }

    fn release(&self, bytes: u64) {
        raw::release_execution_memory(&self.consumer, bytes);
    }
}

fn on_both(scenario: fn(&Arc<dyn MemoryManager>)) {
    scenario(&unified(1000, 0));
    scenario(&fixed(1000, 0));
}

#[test]
fn m1_one_task() {
    on_both(|manager| {
        let t = Direct::new(manager, 0);
        let grants = [100, 400, 400, 200, 100, 100].map(|bytes| t.acquire(bytes));
        assert_eq!(grants, [100, 400, 400, 100, 0, 0]);
        t.release(500);
        assert_eq!([300, 300].map(|bytes| t.acquire(bytes)), [300, 200]);
        t.task.cleanup();
        assert_eq!([1000, 100].map(|bytes| t.acquire(bytes)), [1000, 0]);
    });
}

#[test]
fn m2_two_tasks_requesting_full_memory() {
    on_both(|manager| {
        let (t1, t2) = (Direct::new(manager, 1), Direct::new(manager, 2));
        assert_eq!((t1.acquire(500), t2.acquire(500)), (500, 500));
        assert_eq!((t1.acquire(500), t2.acquire(500)), (0, 0));
    });
}

#[test]
fn m3_two_tasks_cannot_grow_past_half() {
    on_both(|manager| {
        let (t1, t2) = (Direct::new(manager, 1), Direct::new(manager, 2));
        assert_eq!((t1.acquire(250), t2.acquire(250)), (250, 250));
        assert_eq!((t1.acquire(500), t2.acquire(500)), (250, 250));
    });
}

#[test]
fn m4_blocks_for_half_share() {
    on_both(|manager| {
        let (t1, t2) = (Direct::new(manager, 1), Direct::new(manager, 2));
        assert_eq!(t1.acquire(1000), 1000);
        let mut waiting = t2.ask(250);
        assert_eq!(waiting.poll(), None);
        t1.release(250);
        assert_eq!(waiting.poll(), Some(250));
        drop(waiting);
        assert_eq!(t2.acquire(100), 0);
    });
}

#[test]
fn m5_a_partial_spiller_does_not_starve() {
    on_both(|manager| {
        let (t1, t2) = (task(manager, 1), task(manager, 2));
        let c1 = TestConsumer::of_mode(&t1, Kind::Partial, ON);
        let c2 = TestConsumer::of_mode(&t2, Kind::All, ON);
        assert_eq!(c1.acquire(1000).unwrap(), 1000);
        let mut waiting = Polled::new(c2.acquire_async(500));
        assert!(waiting.poll().is_none());
        assert_eq!(c2.used(), 0);
        // It gets nothing, spills 500, which its share does not let it have; the other gets them; it
        // spills the rest, and gets its half.
        assert_eq!(c1.acquire(500).unwrap(), 500);
        assert_eq!(c1.asked(), [500, 500]);
        assert_eq!(waiting.poll().unwrap().unwrap(), 500);
        assert_eq!((c1.spilled(), c1.used(), c2.used()), (1000, 500, 500));
    });
}

#[test]
fn m6_cleanup_wakes() {
    on_both(|manager| {
        let (t1, t2) = (Direct::new(manager, 1), Direct::new(manager, 2));
        assert_eq!(t1.acquire(1000), 1000);
        let mut waiting = t2.ask(500);
        assert_eq!(waiting.poll(), None);
        assert_eq!(t1.task.cleanup().released, 1000);
        assert_eq!(waiting.poll(), Some(500));
        drop(waiting);
        assert_eq!(t2.acquire(500), 500);
        assert_eq!(t2.acquire(500), 0);
    });
}

#[test]
fn m7_never_grants_negative_memory() {
    on_both(|manager| {
        let (t1, t2) = (Direct::new(manager, 1), Direct::new(manager, 2));
        assert_eq!((t1.acquire(700), t2.acquire(300)), (700, 300));
        assert_eq!(t1.acquire(300), 0);
    });
}

#[test]
fn m8_off_heap() {
    for manager in [unified(2, 1000), fixed(2, 1000)] {
        let task = task(&manager, 0);
        let consumer = TestConsumer::of_mode(&task, Kind::Nothing, OFF);
        assert_eq!(consumer.acquire(1000).unwrap(), 1000);
        assert_eq!(task.memory_consumption(), 1000);
        assert_eq!(consumer.acquire(300).unwrap(), 0);
        assert_eq!(task.memory_consumption(), 1000);
        consumer.free(500);
        assert_eq!(task.memory_consumption(), 500);
        consumer.free(500);
        assert_eq!(task.memory_consumption(), 0);
    }
}
