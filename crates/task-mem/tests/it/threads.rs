//! Several threads of one task, and several tasks.

use std::sync::{Arc, Weak, mpsc};

use mem_policy::{ManagerOptions, MemoryManager, UnifiedMemoryManager};
use mem_sync::{Mutex, thread};
use task_mem::{
    ConsumerId, ConsumerOptions, Failure, MemoryConsumer, MemoryError, NoSpill, Page, Spill,
    SpillError, Spillable, TaskMemoryManager, Wait,
};

use crate::support::{Kind, Nested, ON, Random, TestConsumer, patient, sizes, task, unified};

#[test]
fn one_thread_frees_a_page_while_another_of_its_task_waits() {
    let manager = unified(10_000, 0);
    let (t1, t2) = (task(&manager, 1), task(&manager, 2));
    let other = TestConsumer::of_mode(&t2, Kind::Nothing, ON);
    assert_eq!(other.acquire(8976).unwrap(), 8976);
    let first = TestConsumer::of_mode(&t1, Kind::Nothing, ON);
    let second = TestConsumer::of_mode(&t1, Kind::Nothing, ON);
    let page = first
        .handle
        .allocate_page(1, &mut NoSpill, &Wait::default())
        .unwrap();
    let waiting = thread::spawn(move || second.acquire(3000));
    while manager.ledger().snapshot().waiting == 0 {
        thread::yield_now();
    }
    // Neither of these takes a lock that the waiting thread has.
    assert!(t1.show_memory_usage().contains("1 pages of 1024"));
    drop(page);
    assert_eq!(t1.memory_consumption(), 0);
    other.free(8000);
    assert_eq!(waiting.join().unwrap().unwrap(), 3000);
}

/// While another thread has a consumer spill and waits for its lock, the consumer goes on asking and
/// spilling by itself, and what it frees is not kept for the other.
#[test]
fn what_the_owner_frees_meanwhile_is_not_kept_for_another() {
    let task = task(&unified(100, 0), 1);
    let (entered, has_entered) = mpsc::channel();
    let (leave, may_leave) = mpsc::channel();
    let may_leave = Mutex::new(may_leave);
    let victim = Nested::new(
        &task,
        Box::new(move |_| {
            entered.send(()).expect("the test listens");
            may_leave.lock().recv().expect("the test answers");
            0
        }),
    );
    victim.acquire(60);
    let other = TestConsumer::of_mode(&task, Kind::Nothing, ON);
    other.acquire(40).unwrap();
    let asking = thread::spawn(move || other.acquire(50));
    has_entered.recv().unwrap();
    let mut own = |_need: u64| Ok(victim.free_all());
    let held = victim.consumer.try_acquire(60, &mut own).unwrap();
    assert_eq!(held.bytes(), 60);
    leave.send(()).unwrap();
    assert_eq!(asking.join().unwrap().unwrap(), 0);
}

/// A consumer with a lock, which it holds while it asks and takes when it spills: the pattern that
/// deadlocks where spills are called under the task's lock.
struct Locked {
    consumer: MemoryConsumer,
    pages: Mutex<Vec<Page>>,
}

impl Locked {
    fn new(task: &Arc<TaskMemoryManager>) -> Arc<Self> {
        Arc::new_cyclic(|me: &Weak<Self>| {
            let options = ConsumerOptions {
                mode: Some(ON),
                page_size: Some(1),
                spill: Spillable::ByAnyone(me.clone()),
                ..ConsumerOptions::named("locked")
            };
            Self {
                consumer: task.register(options),
                pages: Mutex::new(Vec::new()),
            }
        })
    }

    fn grow(&self, bytes: u64) -> Result<(), MemoryError> {
        let mut pages = self.pages.lock();
        let mut spill = |_need: u64| Ok(pages.drain(..).map(|page| page.bytes()).sum());
        let page = self
            .consumer
            .allocate_page(bytes, &mut spill, &Wait::default())?;
        pages.push(page);
        Ok(())
    }

    fn shrink(&self) {
        self.pages.lock().pop();
    }
}

impl Spill for Locked {
    fn spill(&self, need: u64, _trigger: ConsumerId) -> Result<u64, SpillError> {
        let mut pages = self.pages.lock();
        let mut freed = 0;
        while let Some(page) = pages.pop() {
            freed += page.bytes();
            if freed >= need {
                break;
            }
        }
        Ok(freed)
    }
}

fn work(consumer: &Locked, seed: u64) -> u64 {
    let mut random = Random::new(seed);
    let mut failures = 0;
    for _ in 0..400 {
        if random.below(4) == 0 {
            consumer.shrink();
            continue;
        }
        match consumer.grow(1 + random.below(300)) {
            Ok(()) => {}
            Err(error) => {
                let expected = matches!(
                    error.failure(),
                    Failure::OutOfMemory { .. } | Failure::Refused(_)
                );
                assert!(expected, "seed {seed}: {error}");
                failures += 1;
            }
        }
    }
    consumer.pages.lock().clear();
    failures
}

#[test]
fn consumers_of_several_threads_spill_one_another_and_none_blocks() {
    for seed in 0..4 {
        let options = ManagerOptions {
            detect_deadlock: true,
            ..patient()
        };
        let manager: Arc<dyn MemoryManager> =
            UnifiedMemoryManager::new(sizes(4000, 0, (1, 2)), &options);
        let tasks = [1, 2].map(|id| task(&manager, id));
        let threads: Vec<_> = (0..4_u64)
            .map(|n| {
                let consumer = Locked::new(&tasks[usize::from(n % 2 == 1)]);
                thread::spawn(move || work(&consumer, seed * 10 + n))
            })
            .collect();
        let failures: u64 = threads.into_iter().map(|t| t.join().unwrap()).sum();
        assert!(
            failures < 800,
            "seed {seed}: most requests are met, not {failures} refused"
        );
        for task in &tasks {
            assert!(!task.cleanup().leaked(), "seed {seed}");
        }
        assert_eq!(
            manager.ledger().snapshot().on_heap.execution_used,
            0,
            "seed {seed}"
        );
        assert_eq!(manager.allocator(ON).live_bytes(), 0, "seed {seed}");
        manager.ledger().check();
    }
}
