//! What consumers meter themselves.

use std::sync::Arc;

use mem_policy::{ManagerOptions, MemoryManager, UnifiedMemoryManager};
use mem_sync::Mutex;
use task_mem::{
    ConsumerId, ConsumerOptions, MemoryConsumer, Metered, NoSpill, Spill, SpillError, Spillable,
    TaskMemoryManager, Wait,
};

use crate::support::{ON, Random, patient, sizes, task};

const QUANTUM: u64 = 64;

fn manager(on_heap: i64) -> Arc<dyn MemoryManager> {
    let options = ManagerOptions {
        task_quantum_bytes: QUANTUM,
        ..patient()
    };
    UnifiedMemoryManager::new(sizes(on_heap, 0, (0, 1)), &options)
}

fn consumer(task: &Arc<TaskMemoryManager>) -> MemoryConsumer {
    task.register(ConsumerOptions {
        mode: Some(ON),
        ..ConsumerOptions::named("meter")
    })
}

#[test]
fn it_counts_in_used_at_every_moment() {
    let task = task(&manager(1000), 0);
    let consumer = consumer(&task);
    let mut metered = consumer.metered();
    metered.try_grow(10, &mut NoSpill).unwrap();
    metered.grow(3, &mut NoSpill, &Wait::default()).unwrap();
    metered.shrink(1);
    assert_eq!((metered.bytes(), consumer.used()), (12, 12));
    // The first growth is an ordinary request; the second took a quantum with it.
    assert_eq!(task.memory_consumption(), 13 + QUANTUM);
    assert_eq!(task.current_execution_memory(ON), 13 + QUANTUM);
    drop(metered);
    assert_eq!((consumer.used(), task.memory_consumption()), (0, 0));
    assert_eq!(task.current_execution_memory(ON), 0);
}

#[test]
fn what_it_takes_in_order_to_spill_comes_first() {
    let task = task(&manager(1000), 0);
    let consumer = task.register(ConsumerOptions {
        mode: Some(ON),
        spill_workspace: vec![100],
        ..ConsumerOptions::named("spiller")
    });
    let mut metered = consumer.metered();
    metered.try_grow(10, &mut NoSpill).unwrap();
    assert_eq!(task.memory_consumption(), 110);
    assert_eq!(consumer.workspace().len(), 1);
}

/// Gives back all that it has metered.
#[derive(Default)]
struct Table(Mutex<Option<Metered>>);

impl Spill for Table {
    fn spill(&self, _need: u64, _trigger: ConsumerId) -> Result<u64, SpillError> {
        let mut metered = self.0.lock();
        let metered = metered.as_mut().expect("it has been given one");
        let bytes = metered.bytes();
        metered.shrink(bytes);
        Ok(bytes)
    }
}

#[test]
fn what_a_victim_meters_is_spilled_for_the_request() {
    let task = task(&manager(1000), 0);
    let table = Arc::new(Table::default());
    let spill: Arc<dyn Spill> = Arc::clone(&table) as _;
    let victim = task.register(ConsumerOptions {
        mode: Some(ON),
        spill: Spillable::ByAnyone(Arc::downgrade(&spill)),
        ..ConsumerOptions::named("table")
    });
    let mut metered = victim.metered();
    for _ in 0..30 {
        metered.try_grow(30, &mut NoSpill).unwrap();
    }
    *table.0.lock() = Some(metered);
    let asker = consumer(&task);
    // The slack alone is given back first; nobody spills for what it is enough for.
    let first = asker.try_reserve(50, &mut NoSpill).unwrap();
    assert_eq!(victim.used(), 900);
    let second = asker.try_reserve(800, &mut NoSpill).unwrap();
    assert_eq!((first.bytes(), second.bytes(), victim.used()), (50, 800, 0));
    // Afterwards it may have slack again.
    drop((first, second));
    let mut metered = table.0.lock();
    let metered = metered.as_mut().unwrap();
    metered.try_grow(10, &mut NoSpill).unwrap();
    assert_eq!(task.memory_consumption(), 10 + QUANTUM);
}

#[test]
fn a_requester_spills_what_it_meters_itself() {
    let task = task(&manager(100), 0);
    let consumer = consumer(&task);
    let mut table = consumer.metered();
    table.try_grow(90, &mut NoSpill).unwrap();
    let mut other = consumer.metered();
    let mut spill = |_need: u64| {
        let bytes = table.bytes();
        table.shrink(bytes);
        Ok(bytes)
    };
    other.try_grow(80, &mut spill).unwrap();
    assert_eq!((table.bytes(), other.bytes(), consumer.used()), (0, 80, 80));
}

#[test]
fn a_failed_growth_changes_nothing() {
    let task = task(&manager(100), 0);
    let consumer = consumer(&task);
    let mut metered = consumer.metered();
    metered.try_grow(60, &mut NoSpill).unwrap();
    assert!(metered.try_grow(50, &mut NoSpill).is_err());
    assert_eq!((metered.bytes(), task.memory_consumption()), (60, 60));
}

#[test]
fn a_leak_is_what_was_in_use_and_slack_is_none() {
    let task = task(&manager(1000), 7);
    let (idle, leaking) = (consumer(&task), consumer(&task));
    let mut slack_only = idle.metered();
    let mut metered = leaking.metered();
    for _ in 0..2 {
        slack_only.try_grow(10, &mut NoSpill).unwrap();
        metered.try_grow(10, &mut NoSpill).unwrap();
    }
    slack_only.shrink(20);
    let end = task.cleanup();
    assert_eq!(
        end.to_string(),
        "task 7 ended and left 20 bytes behind; meter: 20 bytes"
    );
    // It can be used again, as the task can.
    metered.shrink(5);
    assert_eq!((metered.bytes(), leaking.used()), (0, 0));
    metered.try_grow(30, &mut NoSpill).unwrap();
    assert_eq!((leaking.used(), task.memory_consumption()), (30, 30));
    drop((slack_only, metered));
    assert!(!task.cleanup().leaked());
}

#[test]
fn threads_meter_while_others_need_the_memory() {
    const TASKS: i64 = 3;
    let manager = manager(4000);
    std::thread::scope(|scope| {
        for id in 0..TASKS {
            let manager = &manager;
            scope.spawn(move || {
                let task = task(manager, id);
                let consumer = consumer(&task);
                let mut random = Random::new(id.unsigned_abs());
                let mut metered = [consumer.metered(), consumer.metered()];
                for _ in 0..3000 {
                    let which = &mut metered[usize::try_from(random.below(2)).unwrap()];
                    let bytes = random.below(500);
                    if random.below(2) == 0 {
                        drop(which.try_grow(bytes, &mut NoSpill));
                    } else {
                        which.shrink(bytes);
                    }
                    let sum = metered[0].bytes() + metered[1].bytes();
                    assert_eq!(consumer.used(), sum);
                    assert!(task.memory_consumption() >= sum);
                }
                drop(metered);
                assert_eq!(task.memory_consumption(), 0);
                manager.ledger().check();
            });
        }
    });
    let books = manager.ledger().snapshot().on_heap;
    assert_eq!(books.execution_used, 0);
    assert!(books.peak_granted <= 4000);
}
