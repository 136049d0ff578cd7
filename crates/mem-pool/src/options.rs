//! What a ledger is made with, and how long a request may wait.

use std::sync::Arc;
use std::time::Duration;

use mem_sync::{Clock, Moment, SystemClock};

use crate::books::PoolSizes;
use crate::cancel::CancelToken;
use crate::probe::Probe;

/// How a ledger is made.
#[derive(Debug, Clone)]
pub struct LedgerOptions {
    /// Sizes of the on-heap pools.
    pub on_heap: PoolSizes,
    /// Sizes of the off-heap pools.
    pub off_heap: PoolSizes,
    /// The longest that a request waits when it does not say so itself; `None` is for ever.
    pub wait_timeout: Option<Duration>,
    /// Refuse one waiter at once when every holder of memory is waiting.
    pub detect_deadlock: bool,
    /// Run the evictions of futures where they are polled, not on a helper thread: for tests, replay
    /// and executors of one thread.
    pub reclaim_inline: bool,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// Who is told what happens.
    pub probe: Option<Arc<dyn Probe>>,
}

impl Default for LedgerOptions {
    fn default() -> Self {
        Self {
            on_heap: PoolSizes::default(),
            off_heap: PoolSizes::default(),
            wait_timeout: Some(Duration::from_secs(600)),
            detect_deadlock: true,
            reclaim_inline: false,
            clock: Arc::new(SystemClock::new()),
            probe: None,
        }
    }
}

/// How long a request may wait.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wait<'a> {
    /// Until when; by default the ledger's own timeout from now.
    pub deadline: Option<Moment>,
    /// What can cancel it.
    pub cancel: Option<&'a CancelToken>,
}
