//! A waker that unparks a thread: how a blocking wait joins a protocol made for futures.

use std::sync::Arc;
use std::task::{Wake, Waker};

use crate::imp::{Parker, Unparker};

struct Unpark(Unparker);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        // mutant(waking-unparks by waker_unparks @ by value): delete
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // mutant(waking-unparks by waker_unparks @ by reference): delete
        self.0.unpark();
    }
}

/// A parker and the [`Waker`] that unparks it.
#[derive(Debug)]
pub struct ThreadWaker {
    parker: Parker,
    waker: Waker,
}

impl Default for ThreadWaker {
    fn default() -> Self {
        Self::new()
    }
}

impl ThreadWaker {
    /// A pair of its own.
    #[must_use]
    pub fn new() -> Self {
        let parker = Parker::new();
        let waker = Waker::from(Arc::new(Unpark(parker.unparker().clone())));
        Self { parker, waker }
    }

    /// What to park on.
    #[must_use]
    pub fn parker(&self) -> &Parker {
        &self.parker
    }

    /// What unparks it.
    #[must_use]
    pub fn waker(&self) -> &Waker {
        &self.waker
    }
}

/// Runs `body` with the calling thread's own pair, so that a wait allocates nothing.
///
/// The pair may carry a token from an earlier wait: whoever parks on it looks again in a loop.
#[cfg(not(mem_loom))]
pub fn with_thread_waker<R>(body: impl FnOnce(&ThreadWaker) -> R) -> R {
    thread_local! {
        static OWN: ThreadWaker = ThreadWaker::new();
    }
    OWN.with(body)
}

/// Runs `body` with a fresh pair: a modelled thread keeps nothing from one run to the next.
#[cfg(mem_loom)]
pub fn with_thread_waker<R>(body: impl FnOnce(&ThreadWaker) -> R) -> R {
    body(&ThreadWaker::new())
}
