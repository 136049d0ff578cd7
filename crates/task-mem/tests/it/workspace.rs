//! What a consumer needs in order to spill.

use std::sync::Arc;

use task_mem::{ConsumerOptions, Failure, MemoryConsumer, NoSpill, TaskMemoryManager, Wait};

use crate::support::{Kind, LimitedManager, ON, TestConsumer, task, unified};

fn consumer(task: &Arc<TaskMemoryManager>, workspace: &[u64]) -> MemoryConsumer {
    task.register(ConsumerOptions {
        mode: Some(ON),
        spill_workspace: workspace.to_vec(),
        ..ConsumerOptions::named("spiller")
    })
}

#[test]
fn it_is_taken_with_the_first_growth_and_held_until_the_consumer_goes() {
    let task = task(&unified(1000, 0), 0);
    let consumer = consumer(&task, &[100, 50]);
    let wait = Wait::default();
    assert_eq!(consumer.workspace().len(), 0);
    let held = consumer.acquire(200, &mut NoSpill, &wait).unwrap();
    assert_eq!(
        (held.bytes(), consumer.used(), task.memory_consumption()),
        (200, 200, 350)
    );
    // Once only.
    let more = consumer.acquire(100, &mut NoSpill, &wait).unwrap();
    assert_eq!(task.memory_consumption(), 450);
    drop((held, more));
    assert_eq!((consumer.used(), task.memory_consumption()), (0, 150));

    let mut lent = consumer.workspace();
    assert_eq!(
        lent.iter().map(|buffer| buffer.bytes()).collect::<Vec<_>>(),
        [100, 50]
    );
    lent[0].as_mut().fill(9);
    assert_eq!(consumer.workspace().len(), 0, "they are lent out");
    let second = lent.pop();
    drop(lent);
    assert_eq!(consumer.workspace()[0].as_ref(), [9; 100]);
    let end = task.show_memory_usage();
    assert!(
        end.contains("spiller: 150 bytes, workspace of 150"),
        "{end}"
    );
    // What is lent out comes back later.
    drop(consumer);
    assert_eq!(task.memory_consumption(), 50);
    drop(second);
    assert_eq!(task.memory_consumption(), 0);
}

#[test]
fn without_it_the_consumer_does_not_grow() {
    let manager = unified(1000, 0);
    let task = task(&manager, 0);
    let other = TestConsumer::of_mode(&task, Kind::Nothing, ON);
    other.acquire(850).unwrap();
    let consumer = consumer(&task, &[100, 50]);
    let wait = Wait::default();
    assert_eq!(
        consumer.acquire(200, &mut NoSpill, &wait).unwrap().bytes(),
        0
    );
    let error = consumer.allocate_page(10, &mut NoSpill, &wait).unwrap_err();
    assert!(matches!(
        error.failure(),
        Failure::OutOfMemory {
            required: 10,
            got: 0,
            ..
        }
    ));
    assert_eq!(
        (consumer.workspace().len(), task.memory_consumption()),
        (0, 850)
    );
    // With a little more, it grows by that little.
    other.free(10);
    assert_eq!(
        consumer.acquire(200, &mut NoSpill, &wait).unwrap().bytes(),
        10
    );
    assert_eq!(
        (consumer.workspace().len(), task.memory_consumption()),
        (2, 990)
    );
}

#[test]
fn where_the_allocator_fails_nothing_is_kept() {
    let manager = LimitedManager::new(1000);
    let task = task(&manager.as_manager(), 0);
    let consumer = consumer(&task, &[100, 50]);
    manager.heap().fail_always(true);
    let error = consumer
        .acquire(200, &mut NoSpill, &Wait::default())
        .unwrap_err();
    assert!(
        matches!(
            error.failure(),
            Failure::OutOfMemory {
                allocator: Some(_),
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(
        (consumer.workspace().len(), task.memory_consumption()),
        (0, 0)
    );
    manager.heap().fail_always(false);
    let held = consumer
        .acquire(200, &mut NoSpill, &Wait::default())
        .unwrap();
    assert_eq!((held.bytes(), consumer.workspace().len()), (200, 2));
}

#[test]
fn after_a_clean_up_it_is_taken_anew() {
    let task = task(&unified(1000, 0), 0);
    let consumer = consumer(&task, &[100]);
    let wait = Wait::default();
    drop(consumer.acquire(1, &mut NoSpill, &wait).unwrap());
    let lent = consumer.workspace();
    let end = task.cleanup();
    assert_eq!((end.taken_back, end.leaks[0].workspace_bytes), (100, 100));
    let held = consumer.acquire(1, &mut NoSpill, &wait).unwrap();
    assert_eq!(task.memory_consumption(), 101);
    // The old buffer does not come back among the new.
    drop(lent);
    assert_eq!(
        (consumer.workspace().len(), task.memory_consumption()),
        (1, 101)
    );
    drop((held, consumer));
    assert_eq!(task.memory_consumption(), 0);
}

#[test]
fn it_is_spilled_for_and_is_no_victim_itself() {
    let task = task(&LimitedManager::new(100).as_manager(), 0);
    let victim = TestConsumer::new(&task, Kind::All);
    victim.acquire(100).unwrap();
    let options = ConsumerOptions {
        spill_workspace: vec![30],
        ..ConsumerOptions::named("test")
    };
    let spiller = TestConsumer::with(&task, Kind::All, options);
    assert_eq!(spiller.acquire(20).unwrap(), 20);
    assert_eq!((victim.used(), victim.asked()), (0, vec![50]));
    // Of the spiller, only what it uses can be had.
    assert_eq!(victim.acquire(100).unwrap(), 70);
    assert_eq!((spiller.used(), task.memory_consumption()), (0, 100));
}
