//! A request's arrival and the answers to it, told to the probe.

use std::sync::Arc;
use std::task::Waker;

use crate::ledger::Ledger;
use crate::policy::Want;
use crate::probe::{Event, Kind};
use crate::refusal::{Reason, Refusal};
use crate::reservation::Reservation;
use crate::state::Arrival;
use crate::step::Action;
use crate::ticket::{Ask, Ticket};
use crate::waiter::{Attempt, Ended};

impl Ledger {
    /// What `ask` is for, as a policy sees it.
    pub(crate) fn want(&self, ask: &Ask) -> Want {
        match (ask.kind(), ask.task()) {
            (Kind::Execution, Some(task)) => Want::Execution { task },
            (Kind::Unroll, _) => Want::Unroll {
                unrolling: self.unrolling(),
            },
            (Kind::Storage | Kind::Execution, _) => Want::Storage,
        }
    }

    /// *Try*: evicts where that helps, never waits. Most requests are answered at once, and need no
    /// ticket.
    pub(crate) fn answer_now(self: &Arc<Self>, ask: Ask) -> Result<Reservation, Refusal> {
        let attempt = Attempt::new(self.want(&ask), ask.mode(), ask.bytes());
        match self.arrive(ask, attempt, None, &mut None) {
            Arrival::Granted { bytes, sequence } => Ok(self.granted(ask, bytes, sequence)),
            Arrival::Ended(ended) => Err(self.refused(ask, ended)),
            Arrival::Act { id, need } => {
                let (ticket, reclaim) = Ticket::to_evict(Arc::clone(self), ask, id, need);
                reclaim.run();
                crate::faces::drive_without_waiting(ticket)
            }
            Arrival::Parked { .. } => {
                unreachable!("a request without a waker is refused, not parked")
            }
        }
    }

    /// The request comes; it has taken a credit over under that number, if it has one.
    #[inline]
    pub(crate) fn arrive(
        &self,
        ask: Ask,
        attempt: Attempt,
        taken_over: Option<u64>,
        waker: &mut Option<Waker>,
    ) -> Arrival {
        let unrolling = match attempt.want {
            Want::Unroll { unrolling } => unrolling,
            Want::Execution { .. } | Want::Storage => 0,
        };
        let action = Action::Arrive {
            kind: ask.kind(),
            task: ask.task(),
            mode: ask.mode(),
            bytes: ask.bytes(),
            unrolling,
            taken_over,
            may_wait: waker.is_some(),
        };
        self.commit(action, |state| {
            let arrival = state.arrive(attempt, waker);
            let outcome = arrival.outcome();
            (arrival, outcome)
        })
    }

    /// `bytes` were granted.
    #[inline]
    pub(crate) fn granted(self: &Arc<Self>, ask: Ask, bytes: u64, sequence: u64) -> Reservation {
        let (kind, task, mode) = (ask.kind(), ask.task(), ask.mode());
        let event = Event::Grant {
            task,
            mode,
            kind,
            asked: ask.bytes(),
            granted: bytes,
        };
        self.tell(Some(sequence), event);
        Reservation::new(Arc::clone(self), kind, task, mode, bytes)
    }

    /// The request has ended without a grant.
    pub(crate) fn refused(self: &Arc<Self>, ask: Ask, ended: Ended) -> Refusal {
        let reason = match ended {
            Ended::Limit(limit) => Reason::Limit(limit),
            Ended::WouldWait => Reason::WouldWait,
            Ended::Deadlock => Reason::Deadlock,
            Ended::Deadline => Reason::Deadline,
            Ended::Cancelled => Reason::Cancelled,
            Ended::Evict(error) => Reason::Evict(error),
        };
        let event = Event::Refuse {
            task: ask.task(),
            mode: ask.mode(),
            kind: ask.kind(),
            asked: ask.bytes(),
        };
        self.tell(None, event);
        Refusal::capture(self, ask, reason)
    }
}
