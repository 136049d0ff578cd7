//! A request that may not wait, and evicts: two passages through the ledger instead of four.

use std::sync::Arc;

use crate::faces::drive_without_waiting;
use crate::ledger::Ledger;
use crate::probe::Kind;
use crate::refusal::Refusal;
use crate::reservation::Reservation;
use crate::state::Arrival;
use crate::step::{Action, ActionOutcome};
use crate::ticket::{Reclaim, Step, Ticket};
use crate::waiter::Ended;

/// Drives a request that may not wait, and has arrived and is to evict, to its end.
pub(crate) fn drive_evicting(mut ticket: Ticket, reclaim: Reclaim) -> Result<Reservation, Refusal> {
    if ticket.kind() == Kind::Execution {
        // Its task can end meanwhile, and then it needs no eviction.
        reclaim.run();
        return drive_without_waiting(ticket);
    }
    let arrival = reclaim.run_and_revisit();
    match ticket.take(arrival) {
        Step::Granted(reservation) => Ok(reservation),
        Step::Refused(refusal) => Err(refusal),
        Step::Evict(reclaim) => {
            reclaim.run();
            drive_without_waiting(ticket)
        }
        Step::Parked => unreachable!("a request without a waker is refused, not parked"),
    }
}

impl Ledger {
    /// The eviction for a queued request is over, and its ticket, which does not wait, looks at once:
    /// the two steps one right after the other. Returns the first one's number.
    pub(crate) fn settle_and_revisit(
        self: &Arc<Self>,
        request: u64,
        freed: u64,
        mut failure: Option<Ended>,
    ) -> (u64, Arrival) {
        let settles = Action::Settle {
            request,
            freed,
            failed: failure.is_some(),
        };
        let revisits = Action::Revisit {
            request,
            may_wait: false,
        };
        self.locked(
            |state| {
                let mode = state.queue.get(request).attempt.mode;
                let sequence = state.settle(request, freed, &mut failure);
                // The end of the first step: nobody comes in between, but all is done as if they could.
                state.conclude();
                state.record(settles, ActionOutcome::Done);
                let arrival = state.revisit(request, &mut None);
                if self.probe.is_none()
                    && matches!(arrival, Arrival::Granted { bytes, .. } if bytes == freed)
                {
                    self.exchanges.say(state, mode, freed);
                }
                (sequence, arrival)
            },
            |(_, arrival)| Some((revisits, arrival.outcome())),
        )
    }
}
