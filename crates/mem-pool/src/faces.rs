//! The three faces of the acquire core: try, blocking, future. Each only drives a [`Ticket`].

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use mem_sync::{Moment, ThreadWaker, with_thread_waker};

use crate::cancel::{CancelToken, Subscription};
use crate::ledger::Ledger;
use crate::options::Wait;
use crate::refusal::Refusal;
use crate::reservation::Reservation;
use crate::ticket::{Step, Ticket};

/// *Try*: evicts where that helps, never waits.
pub(crate) fn drive_without_waiting(mut ticket: Ticket) -> Result<Reservation, Refusal> {
    loop {
        match ticket.step(None) {
            Step::Granted(reservation) => return Ok(reservation),
            Step::Refused(refusal) => return Err(refusal),
            Step::Evict(reclaim) => reclaim.run(),
            Step::Parked => unreachable!("a request without a waker is refused, not parked"),
        }
    }
}

/// *Blocking*: the calling thread evicts, and parks while the request waits.
pub(crate) fn drive_blocking(
    ledger: &Arc<Ledger>,
    mut ticket: Ticket,
    wait: &Wait<'_>,
) -> Result<Reservation, Refusal> {
    with_thread_waker(|own| {
        loop {
            match ticket.step(Some(own.waker())) {
                Step::Granted(reservation) => return Ok(reservation),
                Step::Refused(refusal) => return Err(refusal),
                Step::Evict(reclaim) => reclaim.run(),
                Step::Parked => park(ledger, &ticket, own, wait),
            }
        }
    })
}

/// Parks until there may be news for the ticket, its time is up, or it is cancelled.
fn park(ledger: &Arc<Ledger>, ticket: &Ticket, own: &ThreadWaker, wait: &Wait<'_>) {
    let deadline = wait.deadline.or_else(|| ticket.deadline());
    // The token is asked after subscribing: a cancel in between is seen by the one or the other.
    // mutant(subscribing by token_ends_a_wait @ blocking): delete
    let _subscription = wait.cancel.map(|token| token.subscribe(own.waker()));
    // mutant(asking-after-subscribing by token_ends_a_wait @ blocking): replace CancelToken::is_cancelled => |_| false
    if wait.cancel.is_some_and(CancelToken::is_cancelled) {
        ticket.cancel();
        return;
    }
    ledger.clock().park(own.parker(), deadline);
    if deadline.is_some_and(|deadline| deadline <= ledger.clock().now()) {
        // mutant(deadline-ends by deadline_versus_grant @ blocking): delete
        ticket.expire();
    }
}

/// *Future*: an acquire that holds no thread. Dropping it cancels the request.
///
/// Evictions run on a helper thread of the ledger's unless [`inline`](Self::inline) says otherwise.
/// It is refused when its deadline, by default the ledger's timeout from the first wait, has passed.
#[derive(Debug)]
#[must_use = "a future does nothing unless it is polled"]
pub struct Acquire {
    ledger: Arc<Ledger>,
    ticket: Ticket,
    inline: bool,
    deadline: Option<Moment>,
    cancel: Option<CancelToken>,
    subscription: Option<Subscription>,
    /// When the ledger's timer will end it, and under which number.
    armed: Option<(Moment, u64)>,
}

impl Acquire {
    pub(crate) fn new(ledger: Arc<Ledger>, ticket: Ticket) -> Self {
        let inline = ledger.helpers().inline();
        Self {
            ledger,
            ticket,
            inline,
            deadline: None,
            cancel: None,
            subscription: None,
            armed: None,
        }
    }

    /// Evicts where it is polled: for a thread that does nothing but drive this future.
    pub fn inline(mut self) -> Self {
        self.inline = true;
        self
    }

    /// Waits as `wait` says.
    pub fn with(mut self, wait: &Wait<'_>) -> Self {
        self.deadline = wait.deadline;
        self.cancel = wait.cancel.cloned();
        self
    }

    /// Ends the request because it was cancelled, unless it was granted in the meantime; the next
    /// poll says which.
    pub fn cancel(&self) {
        self.ticket.cancel();
    }

    /// It has ended: neither its deadline nor its cancel token matters any more.
    fn stop_listening(&mut self) {
        self.subscription = None;
        if let Some((deadline, id)) = self.armed.take() {
            self.ledger.helpers().disarm(deadline, id);
        }
    }

    /// The request rests. True where it has just been ended, and has to be stepped again.
    fn ended_while_parked(&mut self, waker: &Waker) -> bool {
        // mutant(subscribing by token_ends_a_future @ future): delete
        self.subscription = self.cancel.as_ref().map(|token| token.subscribe(waker));
        // mutant(asking-after-subscribing by token_ends_a_future @ future): replace CancelToken::is_cancelled => |_| false
        if self.cancel.as_ref().is_some_and(CancelToken::is_cancelled) {
            self.ticket.cancel();
            return true;
        }
        let Some(deadline) = self.deadline.or_else(|| self.ticket.deadline()) else {
            return false;
        };
        if deadline <= self.ledger.clock().now() {
            self.ticket.expire();
            return true;
        }
        if self.armed.is_none()
            && let Some(id) = self.ticket.queued()
        {
            self.ledger.helpers().arm(&self.ledger, deadline, id);
            self.armed = Some((deadline, id));
        }
        false
    }
}

impl Future for Acquire {
    type Output = Result<Reservation, Refusal>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let outcome = loop {
            match this.ticket.step(Some(cx.waker())) {
                Step::Granted(reservation) => break Ok(reservation),
                Step::Refused(refusal) => break Err(refusal),
                Step::Evict(reclaim) if this.inline => reclaim.run(),
                // Handed over, the request rests: its deadline and its cancel token hold meanwhile.
                Step::Evict(reclaim) => {
                    if let Some(reclaim) = this.ledger.helpers().submit(reclaim) {
                        reclaim.run();
                    }
                }
                Step::Parked if this.ended_while_parked(cx.waker()) => {}
                Step::Parked => return Poll::Pending,
            }
        };
        this.stop_listening();
        Poll::Ready(outcome)
    }
}

impl Drop for Acquire {
    fn drop(&mut self) {
        self.stop_listening();
    }
}
