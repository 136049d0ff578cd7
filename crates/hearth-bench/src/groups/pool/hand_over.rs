//! From the release of one thread to the grant of another that waits for it.

use std::sync::Arc;
use std::time::Duration;

use mem_block::MemoryMode;
use mem_pool::{
    Ask, Books, Cause, Decision, Ledger, LedgerOptions, Limit, Policy, PoolSizes, Request, Resize,
    TaskId, Wait, Want,
};
use parking_lot::{Condvar, Mutex};

use crate::measure::{in_turn, time};
use crate::report::{Report, Row};

const ROUNDS: usize = 11;
const HAND_OVERS: u32 = 5_000;
const MODE: MemoryMode = MemoryMode::OnHeap;

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
        f64::from(HAND_OVERS),
        Some(1.5),
    ));
}

/// Whoever asks gets all of it or waits, so that two can only take turns.
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

fn through_a_ledger() -> Duration {
    let sizes = PoolSizes {
        execution: 1,
        ..PoolSizes::default()
    };
    let options = LedgerOptions {
        on_heap: sizes,
        ..LedgerOptions::default()
    };
    let ledger = Ledger::new(options, Arc::new(TakeTurns));
    let take_turns = |id: i64| {
        for turn in 0..HAND_OVERS / 2 {
            let ask = Ask::execution(TaskId::new(id), MODE, 1);
            let granted = ledger.acquire(ask, &Wait::default());
            let granted = granted.expect("the other gives it back");
            // Handing over is what is measured: not before the other waits for it.
            while turn + 1 < HAND_OVERS / 2 && ledger.snapshot().waiting == 0 {
                std::thread::yield_now();
            }
            drop(granted);
        }
    };
    time(|| {
        std::thread::scope(|scope| {
            scope.spawn(|| take_turns(1));
            take_turns(2);
        });
    })
}

fn through_a_condvar() -> Duration {
    let (turn, changed) = (Mutex::new(false), Condvar::new());
    let take_turns = |own: bool| {
        for _ in 0..HAND_OVERS / 2 {
            let mut turn = turn.lock();
            while *turn != own {
                changed.wait(&mut turn);
            }
            *turn = !own;
            drop(turn);
            changed.notify_one();
        }
    };
    time(|| {
        std::thread::scope(|scope| {
            scope.spawn(|| take_turns(true));
            take_turns(false);
        });
    })
}
