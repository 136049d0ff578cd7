//! What a transaction leaves to be done once the lock is let go.

use std::sync::Arc;
use std::task::Waker;

use crate::probe::Probe;
use crate::slack::Slack;
use crate::step::LedgerStep;
use crate::waiter::Waiter;

/// Wakers and probes are foreign code, and dropping a waker can run any.
#[derive(Debug, Default)]
pub(crate) struct Leftover {
    /// There is something: most transactions leave nothing, and look no further.
    some: bool,
    wakers: Vec<Waker>,
    retired: Vec<Waiter>,
    /// Dropping the last hold on one frees memory.
    retired_slack: Vec<Arc<Slack>>,
    /// By number.
    recorded: Vec<(u64, LedgerStep)>,
}

impl Leftover {
    /// To be woken.
    pub(super) fn wake(&mut self, waker: Waker) {
        self.some = true;
        self.wakers.push(waker);
    }

    /// To be dropped.
    pub(super) fn retire(&mut self, waiter: Waiter) {
        self.some = true;
        self.retired.push(waiter);
    }

    /// To be dropped.
    pub(super) fn retire_slack(&mut self, owners: impl IntoIterator<Item = Arc<Slack>>) {
        self.some = true;
        self.retired_slack.extend(owners);
    }

    /// To be told to the probe.
    pub(super) fn record(&mut self, number: u64, step: LedgerStep) {
        self.some = true;
        self.recorded.push((number, step));
    }

    /// What there is, if anything.
    #[inline]
    pub(crate) fn take(&mut self) -> Option<Self> {
        self.some.then(|| std::mem::take(self))
    }

    /// Does it. No lock may be held.
    #[cold]
    pub(crate) fn see_to(self, probe: Option<&dyn Probe>) {
        drop((self.retired, self.retired_slack));
        for waker in self.wakers {
            // mutant(wake-after-unlock by release_wakes): delete
            waker.wake();
        }
        if let Some(probe) = probe {
            for (number, step) in self.recorded {
                probe.step(number, &step);
            }
        }
    }
}
