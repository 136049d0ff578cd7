//! What a transaction leaves to be done once the lock is let go.

use std::sync::Arc;
use std::task::Waker;

use crate::slack::Slack;
use crate::step::LedgerStep;
use crate::waiter::Waiter;

/// Wakers and probes are foreign code, and dropping a waker can run any.
#[derive(Debug, Default)]
pub(crate) struct Leftover {
    /// To be woken.
    pub(crate) wakers: Vec<Waker>,
    /// To be dropped.
    pub(crate) retired: Vec<Waiter>,
    /// To be dropped: dropping the last hold on one frees memory.
    pub(crate) retired_slack: Vec<Arc<Slack>>,
    /// To be told to the probe, by number.
    pub(crate) recorded: Vec<(u64, LedgerStep)>,
}

impl Leftover {
    /// What there is, if anything.
    #[inline]
    pub(crate) fn take(&mut self) -> Option<Self> {
        let nothing = self.wakers.is_empty()
            && self.retired.is_empty()
            && self.retired_slack.is_empty()
            && self.recorded.is_empty();
        (!nothing).then(|| std::mem::take(self))
    }
}
