//! Acquire and release at the manager, to the byte, and what many idle ones cost.
//!
//! The peer grows and shrinks a reservation that it has. Ours does that too, and beside it what Spark's paired calls
//! are here: a guard for each request, made and dropped.

use std::sync::Arc;
use std::time::Duration;

use mem_policy::MemoryManager;
use mem_pool::Ask;
use task_mem::{MemoryConsumer, NoSpill, TaskId};

use super::DATAFUSION;
use super::setting::{MODE, consumer, manager, reservation, task, tracked};
use crate::measure::{in_turn, time};
use crate::report::{Report, Row};
use crate::threads::{Runs, together};

const ROUNDS: usize = 21;
const OPERATIONS: u32 = 50_000;
const BYTES: u64 = 64;

/// What is done with the ledger again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// A guard for each request.
    Acquire,
    /// One guard that grows and shrinks.
    Grow,
}

pub(super) fn run(report: &mut Report) {
    for way in [Way::Acquire, Way::Grow] {
        for threads in [1, 2] {
            against_tracked(report, way, threads);
        }
    }
    beside_idle(report);
}

fn against_tracked(report: &mut Report, way: Way, threads: i64) {
    let what = match way {
        Way::Acquire => "acquire + release",
        Way::Grow => "grow + shrink",
    };
    let name = format!("{what}, exact, {threads} thread(s)");
    if !report.wants(&name) {
        return;
    }
    let manager = manager();
    // As a task is: the ledger knows it from its start to its end.
    let mut tasks: Vec<_> = (0..threads).map(|id| task(&manager, id)).collect();
    let pool = tracked();
    let mut reservations: Vec<_> = (0..threads).map(|_| reservation(&pool)).collect();
    let size = usize::try_from(BYTES).expect("64-bit machines are measured");
    let Runs { rounds, operations } = Runs::of(threads, ROUNDS, OPERATIONS);
    let [ours, theirs] = in_turn(
        rounds,
        [
            &mut || {
                together(&mut tasks, |task| match way {
                    Way::Acquire => acquire_and_release(&manager, task.task(), operations),
                    Way::Grow => grow_and_shrink(&manager, task.task(), operations),
                })
            },
            &mut || {
                together(&mut reservations, |reservation| {
                    for _ in 0..operations {
                        let grown = reservation.try_grow(std::hint::black_box(size));
                        grown.expect("there is enough");
                        reservation.shrink(size);
                    }
                })
            },
        ],
    );
    let peer = format!("{DATAFUSION} Track<Greedy>");
    let operations = f64::from(operations);
    report.add(&Row::new(
        "pool",
        name,
        ours,
        (&peer, theirs),
        operations,
        Some(1.0),
    ));
}

fn acquire_and_release(manager: &Arc<dyn MemoryManager>, task: TaskId, operations: u32) {
    let ask = Ask::execution(task, MODE, BYTES);
    for _ in 0..operations {
        let granted = manager.ledger().try_acquire(std::hint::black_box(ask));
        drop(granted.expect("there is enough"));
    }
}

fn grow_and_shrink(manager: &Arc<dyn MemoryManager>, task: TaskId, operations: u32) {
    let nothing = Ask::execution(task, MODE, 0);
    let granted = manager.ledger().try_acquire(nothing);
    let mut reservation = granted.expect("nothing is always granted");
    for _ in 0..operations {
        let grown = reservation.try_grow(std::hint::black_box(BYTES));
        grown.expect("there is enough");
        reservation.shrink_to(0);
    }
}

fn beside_idle(report: &mut Report) {
    let name = "acquire, 10,000 idle tasks with 10 idle consumers each";
    if !report.wants(name) {
        return;
    }
    let few = crowd(10);
    let many = crowd(10_000);
    let Runs { rounds, operations } = Runs::of(1, ROUNDS, OPERATIONS);
    let [many_take, few_take] = in_turn(
        rounds,
        [&mut || acquire(&many[0], operations), &mut || {
            acquire(&few[0], operations)
        }],
    );
    let peer = ("itself with 10 idle tasks", few_take);
    report.add(&Row::new(
        "pool",
        name,
        many_take,
        peer,
        f64::from(operations),
        Some(1.3),
    ));
}

/// Ten consumers of each of so many tasks of one manager.
fn crowd(tasks: i64) -> Vec<MemoryConsumer> {
    let manager = manager();
    let tasks = (0..tasks).map(|id| task(&manager, id));
    tasks
        .flat_map(|task| (0..10).map(move |_| consumer(&task)))
        .collect()
}

fn acquire(consumer: &MemoryConsumer, operations: u32) -> Duration {
    time(|| {
        for _ in 0..operations {
            let held = consumer.try_acquire(BYTES, &mut NoSpill);
            drop(held.expect("there is enough"));
        }
    })
}
