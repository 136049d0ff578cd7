//! A request's arrival and the answers to it, told to the probe.

use std::sync::Arc;
use std::task::Waker;

use mem_block::MemoryMode;

use crate::ledger::Ledger;
use crate::policy::Want;
use crate::probe::{Event, Kind};
use crate::refusal::{Reason, Refusal};
use crate::reservation::Reservation;
use crate::state::Arrival;
use crate::step::{Action, ActionOutcome};
use crate::ticket::{Ask, Ticket};
use crate::waiter::{Attempt, Ended};

impl Ledger {
    /// What `ask` is for, as a policy sees it.
    #[inline]
    pub(crate) fn want(&self, ask: &Ask) -> Want {
        match (ask.kind(), ask.task()) {
            (Kind::Execution, Some(task)) => Want::Execution { task },
            (Kind::Unroll, _) => Want::Unroll {
                unrolling: self.unrolling(),
            },
            (Kind::Storage | Kind::Execution, _) => Want::Storage,
        }
    }

    /// *Try*: evicts where that helps, never waits. Most requests are granted at once, and all but
    /// those that evict need no ticket. Returns the bytes that were granted, which have no guard yet.
    pub(crate) fn take(self: &Arc<Self>, ask: &Ask) -> Result<u64, Refusal> {
        let (want, mode, bytes) = (self.want(ask), ask.mode(), ask.bytes());
        let answer = self.locked(
            |state| match state.grant_at_once(want, mode, bytes) {
                Some(sequence) => Ok(sequence),
                None => Err(state.arrive_unwaiting(want, mode, bytes)),
            },
            |answer| {
                let outcome = match answer {
                    Ok(_) => ActionOutcome::Granted(bytes),
                    Err(arrival) => arrival.outcome(),
                };
                Some((coming(want, mode, bytes), outcome))
            },
        );
        match answer {
            Ok(sequence) => {
                self.tell_grant(*ask, bytes, sequence);
                Ok(bytes)
            }
            Err(arrival) => self.answer_from(*ask, arrival),
        }
    }

    /// The same for who can't use less than all of it.
    ///
    /// # Errors
    /// A [`Refusal`] whose `kept` is what could be had.
    pub(crate) fn take_exactly(self: &Arc<Self>, ask: &Ask) -> Result<(), Refusal> {
        match self.take(ask)? {
            all if all == ask.bytes() => Ok(()),
            short => Err(Refusal::short(self, *ask, self.guard(ask, short))),
        }
    }

    /// The answer to a request that may not wait, and was not granted at once.
    #[cold]
    fn answer_from(self: &Arc<Self>, ask: Ask, arrival: Arrival) -> Result<u64, Refusal> {
        match arrival {
            Arrival::Granted { bytes, sequence } => {
                self.tell_grant(ask, bytes, sequence);
                Ok(bytes)
            }
            Arrival::Ended(ended) => Err(self.refused(ask, ended)),
            Arrival::Act { id, need } => {
                let (ticket, reclaim) = Ticket::to_evict(Arc::clone(self), ask, id, need);
                crate::evicting::drive_evicting(ticket, reclaim).map(Reservation::leave)
            }
            Arrival::Parked { .. } => {
                unreachable!("a request without a waker is refused, not parked")
            }
        }
    }

    /// The request comes; it has taken a credit over under that number, if it has one.
    pub(crate) fn arrive(
        &self,
        attempt: Attempt,
        taken_over: Option<u64>,
        waker: &mut Option<Waker>,
    ) -> Arrival {
        let action = attempt.arrival(taken_over, waker.is_some());
        self.commit(action, |state| {
            let arrival = state.arrive(attempt, waker);
            let outcome = arrival.outcome();
            (arrival, outcome)
        })
    }

    /// `bytes` were granted.
    pub(crate) fn granted(self: &Arc<Self>, ask: Ask, bytes: u64, sequence: u64) -> Reservation {
        self.tell_grant(ask, bytes, sequence);
        self.guard(&ask, bytes)
    }

    /// The guard of bytes that were granted.
    #[inline]
    pub(crate) fn guard(self: &Arc<Self>, ask: &Ask, bytes: u64) -> Reservation {
        Reservation::new(Arc::clone(self), ask.kind(), ask.task(), ask.mode(), bytes)
    }

    #[inline]
    fn tell_grant(&self, ask: Ask, bytes: u64, sequence: u64) {
        if self.probe.is_some() {
            let event = Event::Grant {
                task: ask.task(),
                mode: ask.mode(),
                kind: ask.kind(),
                asked: ask.bytes(),
                granted: bytes,
            };
            self.tell(Some(sequence), event);
        }
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

/// The coming of a request that may not wait, for records.
#[cold]
fn coming(want: Want, mode: MemoryMode, bytes: u64) -> Action {
    Attempt::new(want, mode, bytes).arrival(None, false)
}
