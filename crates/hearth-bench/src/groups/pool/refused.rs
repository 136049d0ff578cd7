//! A request for more than there is, beside few and many others who hold something.

use datafusion_execution::memory_pool::MemoryReservation;
use task_mem::{MemoryConsumer, Metered, NoSpill};

use super::DATAFUSION;
use super::setting::{TOTAL, consumer, manager, reservation, task, tracked};
use crate::measure::{in_turn, time};
use crate::report::{Report, Row};

const ROUNDS: usize = 101;
const OPERATIONS: u32 = 200;

pub(super) fn run(report: &mut Report) {
    for (others, bar) in [(1, 0.25), (1000, 0.01)] {
        let name = format!("refused, {others} other consumer(s)");
        if report.wants(&name) {
            case(report, name, others, bar);
        }
    }
}

fn case(report: &mut Report, name: String, others: usize, bar: f64) {
    let task = task(&manager(), 0);
    let consumers: Vec<MemoryConsumer> = (0..others).map(|_| consumer(&task)).collect();
    let holding: Vec<Metered> = consumers.iter().map(holding).collect();
    let asker = consumer(&task);

    let pool = tracked();
    let reservations: Vec<MemoryReservation> = (0..others).map(|_| reservation(&pool)).collect();
    for reservation in &reservations {
        reservation.try_grow(1024).expect("there is enough");
    }
    let refused = reservation(&pool);
    let too_much = usize::try_from(TOTAL).expect("64-bit machines are measured");

    let [ours, theirs] = in_turn(
        ROUNDS,
        [
            &mut || {
                time(|| {
                    for _ in 0..OPERATIONS {
                        let refused = asker.try_reserve(TOTAL, &mut NoSpill);
                        drop(refused.expect_err("there is not enough"));
                    }
                })
            },
            &mut || {
                time(|| {
                    for _ in 0..OPERATIONS {
                        drop(refused.try_grow(too_much).expect_err("there is not enough"));
                    }
                })
            },
        ],
    );
    drop(holding);
    let peer = format!("{DATAFUSION} Track<Greedy>");
    let operations = f64::from(OPERATIONS);
    report.add(&Row::new(
        "pool",
        name,
        ours,
        (&peer, theirs),
        operations,
        Some(bar),
    ));
}

fn holding(consumer: &MemoryConsumer) -> Metered {
    let mut metered = consumer.metered();
    let grown = metered.try_grow(1024, &mut NoSpill);
    grown.expect("there is enough");
    metered
}
