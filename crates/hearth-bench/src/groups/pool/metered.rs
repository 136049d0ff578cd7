//! Small and middling changes through a consumer's handle, with full books.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mem_pool::Ask;
use task_mem::{Metered, NoSpill};

use super::DATAFUSION;
use super::setting::{MODE, TOTAL, consumer, greedy, manager, reservation, task};
use crate::measure::in_turn;
use crate::report::{Report, Row};
use crate::threads::{Runs, together};

const ROUNDS: usize = 21;
const OPERATIONS: u32 = 200_000;

/// Who else looks at the books meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Beside {
    Nobody,
    /// Somebody reads what the consumer and the ledger hold, all the time.
    Reader,
    /// Somebody asks for more than there is ten thousand times a second, by which all slack is recalled.
    Recaller,
}

pub(super) fn run(report: &mut Report) {
    for (threads, bar) in [(1, 0.25), (2, 0.10)] {
        for bytes in [64, 64 << 10] {
            case(report, threads, bytes, Beside::Nobody, Some(bar));
        }
    }
    case(report, 1, 64, Beside::Reader, None);
    case(report, 1, 64, Beside::Recaller, None);
}

fn case(report: &mut Report, threads: i64, bytes: u64, beside: Beside, bar: Option<f64>) {
    let with = match beside {
        Beside::Nobody => "",
        Beside::Reader => ", beside a reader",
        Beside::Recaller => ", beside a recaller",
    };
    let name = format!("reserve + release {bytes} B, {threads} thread(s){with}");
    if !report.wants(&name) {
        return;
    }
    let runs = match beside {
        // Threads that start together take a while for it, and an operation takes a nanosecond.
        Beside::Nobody if threads > 1 => Runs::of(threads, ROUNDS, OPERATIONS * 5),
        Beside::Nobody => Runs::of(threads, ROUNDS, OPERATIONS),
        // Long enough to be disturbed a few times.
        Beside::Reader | Beside::Recaller => Runs {
            rounds: ROUNDS,
            operations: OPERATIONS,
        },
    };
    let [ours, theirs] = measure(threads, bytes, beside, runs);
    let peer = format!("{DATAFUSION} GreedyMemoryPool");
    let row = Row::new(
        "pool",
        name,
        ours,
        (&peer, theirs),
        f64::from(runs.operations),
        bar,
    );
    report.add(&row);
}

fn measure(threads: i64, bytes: u64, beside: Beside, runs: Runs) -> [Duration; 2] {
    let Runs { rounds, operations } = runs;
    let manager = manager();
    let tasks: Vec<_> = (0..threads).map(|id| task(&manager, id)).collect();
    let consumers: Vec<_> = tasks.iter().map(consumer).collect();
    let mut handles: Vec<Metered> = consumers.iter().map(|c| c.metered()).collect();
    let pool = greedy();
    let mut reservations: Vec<_> = (0..threads).map(|_| reservation(&pool)).collect();
    // Hidden from the compiler once: in the loops, hiding it would be a large part of what is measured.
    let bytes = std::hint::black_box(bytes);
    let size = usize::try_from(bytes).expect("64-bit machines are measured");
    let done = AtomicBool::new(false);
    let done = &done;
    std::thread::scope(|scope| {
        scope.spawn(|| match beside {
            Beside::Nobody => {}
            Beside::Reader => while_not(done, || {
                std::hint::black_box((consumers[0].used(), manager.ledger().snapshot()));
            }),
            Beside::Recaller => while_not(done, || {
                let too_much = Ask::storage(MODE, TOTAL * 2, None);
                drop(manager.ledger().try_reserve(too_much));
                std::thread::park_timeout(Duration::from_micros(100));
            }),
        });
        let _ends = Ends(done);
        in_turn(
            rounds,
            [
                &mut || {
                    together(&mut handles, |handle| {
                        grow_and_shrink(handle, bytes, operations);
                    })
                },
                &mut || {
                    together(&mut reservations, |reservation| {
                        for _ in 0..operations {
                            let grown = reservation.try_grow(size);
                            grown.expect("there is enough");
                            reservation.shrink(size);
                        }
                    })
                },
            ],
        )
    })
}

fn grow_and_shrink(handle: &mut Metered, bytes: u64, operations: u32) {
    for _ in 0..operations {
        let grown = handle.try_grow(bytes, &mut NoSpill);
        grown.expect("there is enough");
        handle.shrink(bytes);
    }
}

/// Ends what runs beside, also where the measuring fails.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn while_not(done: &AtomicBool, mut work: impl FnMut()) {
    while !done.load(Ordering::Relaxed) {
        work();
    }
}
