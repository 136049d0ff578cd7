//! The crate as its users see it.
#![cfg(not(mem_loom))]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cancelling;
mod credits;
mod deadlines;
mod deadlock;
mod evictions;
mod exchanges;
mod faces;
mod futures;
mod hammer;
#[path = "../support/house.rs"]
mod house;
mod limits;
mod local;
#[path = "../support/policies.rs"]
mod policies;
mod polled;
mod probes;
mod queue;
mod raw;
mod reference;
mod refusals;
mod reservations;
#[path = "../support/store.rs"]
mod store;
mod tasks;
mod unified_rule;

use mem_pool::{LedgerOptions, PoolSizes};
use mem_sync::{Clock, ManualClock};
use proptest::test_runner::{Config, RngSeed};
use std::sync::Arc;

/// Random cases that are the same in every run.
fn cases(count: u32) -> Config {
    Config {
        cases: count,
        rng_seed: RngSeed::Fixed(20_250_307),
        failure_persistence: None,
        ..Config::default()
    }
}

/// On-heap pools of those sizes, and waits that nothing ends but what a test is about.
fn options(on_heap: PoolSizes) -> LedgerOptions {
    LedgerOptions {
        on_heap,
        wait_timeout: None,
        detect_deadlock: false,
        ..LedgerOptions::default()
    }
}

/// The same with a clock that the test moves.
fn clocked(on_heap: PoolSizes) -> (Arc<ManualClock>, LedgerOptions) {
    let clock = Arc::new(ManualClock::new());
    let options = LedgerOptions {
        clock: Arc::clone(&clock) as Arc<dyn Clock>,
        ..options(on_heap)
    };
    (clock, options)
}
