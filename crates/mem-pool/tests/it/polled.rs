//! Futures polled by hand: a request that holds no thread, and a note of whether it was woken.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use mem_pool::{Acquire, Refusal, Reservation};
use mem_sync::atomic::{AtomicBool, Ordering};

/// What an acquire came to.
pub(crate) type Outcome = Result<Reservation, Refusal>;

/// Remembers that it was woken.
#[derive(Default)]
pub(crate) struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Flag {
    /// Whether it was woken since this was last asked.
    pub(crate) fn take(&self) -> bool {
        self.0.swap(false, Ordering::SeqCst)
    }
}

/// A flag with its waker.
pub(crate) fn flagged() -> (Arc<Flag>, Waker) {
    let flag = Arc::new(Flag::default());
    (Arc::clone(&flag), Waker::from(flag))
}

/// A future on its way.
pub(crate) struct Polled {
    future: Pin<Box<Acquire>>,
    flag: Arc<Flag>,
    waker: Waker,
}

impl Polled {
    pub(crate) fn new(future: Acquire) -> Self {
        let (flag, waker) = flagged();
        Self {
            future: Box::pin(future),
            flag,
            waker,
        }
    }

    /// What it came to, if it has come to its end.
    pub(crate) fn poll(&mut self) -> Option<Outcome> {
        match self
            .future
            .as_mut()
            .poll(&mut Context::from_waker(&self.waker))
        {
            Poll::Ready(outcome) => Some(outcome),
            Poll::Pending => None,
        }
    }

    /// Cancels it; it is to be polled again then.
    pub(crate) fn cancel(&self) {
        self.future.cancel();
        self.waker.wake_by_ref();
    }

    /// Polls it where it was woken since it was last asked.
    pub(crate) fn poll_if_woken(&mut self) -> Option<Outcome> {
        if self.flag.take() { self.poll() } else { None }
    }

    pub(crate) fn is_woken(&self) -> bool {
        self.flag.0.load(Ordering::SeqCst)
    }

    /// Polls it, at once and whenever it is woken by another thread, to its end.
    pub(crate) fn run(mut self) -> Outcome {
        loop {
            if let Some(outcome) = self.poll() {
                return outcome;
            }
            while !self.flag.take() {
                std::thread::yield_now();
            }
        }
    }
}
