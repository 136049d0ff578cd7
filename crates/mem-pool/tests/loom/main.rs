//! Models of the waiting and handing over, run by loom in every interleaving.
//!
//! Each model says which lines of the source it protects: those are marked there with its name, and
//! `cargo xtask loom --mutants` takes them away one by one and expects the model to fail. A model that
//! can't end, because somebody was not woken, fails as a deadlock.
#![cfg(mem_loom)]
#![expect(clippy::unwrap_used, reason = "a model fails by panicking")]

mod cancelling;
mod evicting;
mod faces;
mod granting;
#[path = "../support/house.rs"]
mod house;
mod limits;
#[path = "../support/policies.rs"]
mod policies;
mod slack;
mod spilling;
#[expect(
    dead_code,
    reason = "the models need less of it than the ordinary tests"
)]
#[path = "../support/store.rs"]
mod store;
mod waking;

use mem_pool::{Ledger, LedgerOptions, PoolSizes, Refusal, Reservation, Step, Ticket, Wait};
use mem_sync::ThreadWaker;
use mem_sync::thread::{JoinHandle, spawn};
use std::sync::Arc;

/// Runs `body` in every interleaving with at most so many preemptions as the environment says, or 3.
fn model(body: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound.get_or_insert(3);
    builder.max_branches = 10_000;
    builder.check(body);
}

/// No deadline and no refusal of the stuck: who is not woken sleeps for ever, and the model fails.
fn options(on_heap: PoolSizes) -> LedgerOptions {
    LedgerOptions {
        on_heap,
        wait_timeout: None,
        detect_deadlock: false,
        ..LedgerOptions::default()
    }
}

/// A request that has gone to sleep, and what wakes it.
struct Sleeper {
    ledger: Arc<Ledger>,
    ticket: Ticket,
    own: ThreadWaker,
}

impl Sleeper {
    /// Takes the first step, after which the request waits.
    fn parked(ledger: &Arc<Ledger>, mut ticket: Ticket) -> Self {
        let own = ThreadWaker::new();
        assert!(matches!(ticket.step(Some(own.waker())), Step::Parked));
        Self {
            ledger: Arc::clone(ledger),
            ticket,
            own,
        }
    }

    /// A request that somebody else has taken a step for.
    fn resumed(ledger: &Arc<Ledger>, ticket: Ticket, own: ThreadWaker) -> Self {
        own.waker().wake_by_ref();
        Self {
            ledger: Arc::clone(ledger),
            ticket,
            own,
        }
    }

    /// Sleeps until the request has come to its end.
    fn wait(mut self) -> Result<Reservation, Refusal> {
        loop {
            self.ledger.clock().park(self.own.parker(), None);
            match self.ticket.step(Some(self.own.waker())) {
                Step::Granted(reservation) => return Ok(reservation),
                Step::Refused(refusal) => return Err(refusal),
                Step::Evict(reclaim) => {
                    reclaim.run();
                    // What the eviction came to is seen without being woken for it.
                    self.own.waker().wake_by_ref();
                }
                Step::Parked => {}
            }
        }
    }

    /// Sleeps on a thread of its own.
    fn spawn(self) -> JoinHandle<Result<Reservation, Refusal>> {
        spawn(move || self.wait())
    }
}

/// For ever, with nothing to cancel it.
fn patiently() -> Wait<'static> {
    Wait::default()
}
