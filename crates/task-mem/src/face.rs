//! How a request asks the ledger: the one place in which the three faces differ.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use mem_pool::{Ask, Credit, Ledger, Refusal, Reservation, Wait};

/// A face of the one core.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Face<'a> {
    /// Never waits.
    Try,
    /// Waits on the calling thread.
    Block(Wait<'a>),
    /// Waits as a future.
    Poll(Wait<'a>),
}

impl Face<'_> {
    /// Asks once; for a request for which something was spilled, with what that freed.
    pub(crate) async fn ask(
        &self,
        ledger: &Arc<Ledger>,
        ask: Ask,
        credit: Option<&Credit>,
    ) -> Result<Reservation, Refusal> {
        match (self, credit) {
            (Self::Try, None) => ledger.try_acquire(ask),
            (Self::Try, Some(credit)) => ledger.try_acquire_with(ask, credit),
            (Self::Block(wait), None) => ledger.acquire(ask, wait),
            (Self::Block(wait), Some(credit)) => ledger.acquire_with(ask, credit, wait),
            (Self::Poll(wait), None) => ledger.acquire_async(ask).with(wait).await,
            (Self::Poll(wait), Some(credit)) => {
                ledger.acquire_async_with(ask, credit).with(wait).await
            }
        }
    }
}

/// Drives a request of one of the two faces that never yield.
pub(crate) fn drive<F: Future>(request: F) -> F::Output {
    match pin!(request).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("a face that is not a future never yields"),
    }
}
