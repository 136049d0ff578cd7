//! The future, polled by hand: its deadline, which a thread watches, and its cancel token.

use mem_pool::{Acquire, CancelToken, LedgerOptions, Reason, Refusal, Wait};
use mem_sync::thread::spawn;
use mem_sync::{Clock, ManualClock, ThreadWaker};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::house::{House, ask, sizes};
use crate::policies::Unified;
use crate::{model, options};

/// Nothing is released for a future; its time comes while it arms the timer, before, or after.
/// Protects: that the timer hears of it and wakes, that the future is woken in turn, and that the
/// timer's thread ends with the ledger.
#[test]
fn timer_ends_a_wait() {
    model(|| {
        let clock = Arc::new(ManualClock::new());
        let options = LedgerOptions {
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            ..options(sizes(4, 0, 0))
        };
        let house = House::new(Unified::default(), options);
        let hog = house.grant(1, 4);
        let deadline = Some(clock.now() + Duration::from_secs(1));
        let moving = spawn(move || clock.advance(Duration::from_secs(1)));
        let wait = Wait {
            deadline,
            cancel: None,
        };
        let refusal = refused(house.ledger.acquire_async(ask(2, 2)).with(&wait));
        assert!(matches!(refusal.reason(), Reason::Deadline));
        moving.join().unwrap();
        drop((refusal, hog));
        house.close(&[1, 2]);
    });
}

/// Nothing is released for a future, which is cancelled before it waits, while it goes to sleep, or
/// after. Protects: that it subscribes to its token, and asks it once more then.
#[test]
fn token_ends_a_future() {
    model(|| {
        let house = House::new(Unified::default(), options(sizes(4, 0, 0)));
        let hog = house.grant(1, 4);
        let token = CancelToken::new();
        let wait = Wait {
            cancel: Some(&token),
            deadline: None,
        };
        let future = house.ledger.acquire_async(ask(2, 2)).with(&wait);
        let cancelling = spawn({
            let token = token.clone();
            move || token.cancel()
        });
        let refusal = refused(future);
        assert!(matches!(refusal.reason(), Reason::Cancelled));
        cancelling.join().unwrap();
        drop((refusal, hog));
        house.close(&[1, 2]);
    });
}

/// Polls the future whenever it is woken, until it is refused.
fn refused(future: Acquire) -> Refusal {
    let own = ThreadWaker::new();
    let mut future = Box::pin(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(own.waker())) {
            Poll::Ready(outcome) => break outcome.unwrap_err(),
            Poll::Pending => own.parker().park(),
        }
    }
}
