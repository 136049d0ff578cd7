//! From the release of one thread to the grant of another that waits for it.
//!
//! Both sides play the same game: two threads take turns, and each turn is one wait for the other's sign and one
//! sign to the other. A sign is a byte given back, or a flag changed and a condition variable notified.

use std::sync::Arc;
use std::time::Duration;

use mem_block::MemoryMode;
use mem_pool::{
    Ask, Books, Cause, Decision, Ledger, LedgerOptions, Limit, Policy, PoolSizes, Request, Resize,
    TaskId, Wait, Want, raw,
};
use parking_lot::{Condvar, Mutex};

use crate::measure::{in_turn, time};
use crate::report::{Report, Row};

const ROUNDS: usize = 51;
const TURNS_EACH: u32 = 500;

pub(super) fn run(report: &mut Report) {
    let name = "blocked to granted, two threads";
    if !report.wants(name) {
        return;
    }
    let [ours, theirs] = in_turn(ROUNDS, [&mut through_a_ledger, &mut through_a_condvar]);
    let peer = ("parking_lot condvar ping-pong", theirs);
    report.add(&Row::new(
        "pool",
        name,
        ours,
        peer,
        f64::from(TURNS_EACH) * 2.0,
        Some(1.5),
    ));
}

/// Whoever asks gets all of it or waits.
#[derive(Debug)]
struct TakeTurns;

impl Policy for TakeTurns {
    fn decide(&self, books: &Books, request: &Request) -> Decision {
        let Want::Execution { .. } = request.want else {
            return Decision::Refuse(Limit::Unsupported(books.mode()));
        };
        if books.execution().free() >= request.bytes {
            Decision::Grant(request.bytes)
        } else {
            Decision::Wait
        }
    }

    fn reexamines(&self, cause: Cause) -> bool {
        cause == Cause::ExecutionReleased
    }

    fn max_storage(&self, _: &Books) -> u64 {
        0
    }

    fn resize(&self, _: &Books, _: u64) -> Resize {
        Resize {
            storage_region: 0,
            storage_pool: 0,
            storage_floor: 0,
            execution_floor: 0,
        }
    }

    fn remedy(&self, _: MemoryMode, _: Limit) -> &'static str {
        "patience"
    }
}

/// Each mode has one byte, for which one of the threads waits; the other gives it back.
fn through_a_ledger() -> Duration {
    let sizes = PoolSizes {
        execution: 1,
        ..PoolSizes::default()
    };
    let options = LedgerOptions {
        on_heap: sizes,
        off_heap: sizes,
        ..LedgerOptions::default()
    };
    let ledger = Ledger::new(options, Arc::new(TakeTurns));
    // Whose memory is waited for must not seem to be waiting itself: turns are tasks in turn.
    let task = |turn: u32| TaskId::new(i64::from(turn % 2));
    let wait = |mode, turn| {
        let granted = ledger.acquire(Ask::execution(task(turn), mode, 1), &Wait::default());
        granted.expect("the other gives it back").leave();
    };
    let give_back = |mode, turn| {
        let given_back = raw::release_execution_memory(&ledger, 1, task(turn), mode);
        assert_eq!(given_back, 1, "it was granted");
    };
    let (first, second) = (MemoryMode::OnHeap, MemoryMode::OffHeap);
    wait(first, 0);
    wait(second, 0);
    let elapsed = time(|| {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for turn in 1..=TURNS_EACH {
                    wait(second, turn);
                    give_back(first, turn - 1);
                }
            });
            for turn in 1..=TURNS_EACH {
                give_back(second, turn - 1);
                wait(first, turn);
            }
        });
    });
    assert!(ledger.snapshot().counters.waits > 0, "they waited");
    elapsed
}

fn through_a_condvar() -> Duration {
    let (turn, changed) = (Mutex::new(false), Condvar::new());
    let wait = |own: bool| {
        let mut turn = turn.lock();
        while *turn != own {
            changed.wait(&mut turn);
        }
    };
    let give = |other: bool| {
        *turn.lock() = other;
        changed.notify_one();
    };
    time(|| {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..TURNS_EACH {
                    wait(true);
                    give(false);
                }
            });
            for _ in 0..TURNS_EACH {
                give(true);
                wait(false);
            }
        });
    })
}
