//! Cancelling a wait from elsewhere.

use std::sync::Arc;
use std::task::Waker;

use mem_sync::Mutex;

#[derive(Debug, Default)]
struct State {
    cancelled: bool,
    next_id: u64,
    wakers: Vec<(u64, Waker)>,
}

/// Cancels the waits that were given a clone of it; they end in a typed refusal.
///
/// Spark's counterpart is interrupting the task's thread.
#[derive(Debug, Clone, Default)]
pub struct CancelToken(Arc<Mutex<State>>);

impl CancelToken {
    /// A token that nobody has cancelled.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Cancels, once and for all.
    pub fn cancel(&self) {
        let wakers = {
            let mut state = self.0.lock();
            state.cancelled = true;
            std::mem::take(&mut state.wakers)
        };
        for (_, waker) in wakers {
            // mutant(token-wakes by token_ends_a_wait): delete
            waker.wake();
        }
    }

    /// Whether it was cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.lock().cancelled
    }

    /// Wakes `waker` on cancelling, until the subscription is dropped. The caller looks at
    /// [`is_cancelled`](Self::is_cancelled) after this.
    pub(crate) fn subscribe(&self, waker: &Waker) -> Subscription {
        let waker = waker.clone();
        let mut state = self.0.lock();
        let id = state.next_id;
        state.next_id = id.wrapping_add(1);
        state.wakers.push((id, waker));
        Subscription {
            token: self.clone(),
            id,
        }
    }
}

/// A waker's place in a [`CancelToken`].
#[derive(Debug)]
pub(crate) struct Subscription {
    token: CancelToken,
    id: u64,
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let removed: Vec<_> = {
            let mut state = self.token.0.lock();
            let at = state.wakers.iter().position(|(id, _)| *id == self.id);
            at.map(|at| state.wakers.swap_remove(at))
                .into_iter()
                .collect()
        };
        // The waker is foreign code: it is dropped after the lock.
        drop(removed);
    }
}
