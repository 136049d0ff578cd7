//! A cancel against a grant: whoever comes first, no byte is lost and nobody is forgotten.

use mem_pool::{Acquire, CancelToken, Reason, Refusal, Reservation, Step, TaskId, Wait};
use mem_sync::thread::spawn;
use mem_sync::{Clock, ManualClock, ThreadWaker};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::house::{House, ask, sizes};
use crate::policies::{Turns, Unified};
use crate::{Sleeper, model, options, patiently};
use mem_pool::LedgerOptions;

const SECOND: Duration = Duration::from_secs(1);

fn is_cancelled(outcome: &Result<Reservation, Refusal>) -> bool {
    matches!(outcome, Err(refusal) if matches!(refusal.reason(), Reason::Cancelled))
}

/// A waiting ticket is dropped while memory is released for it. Protects: that a dropped ticket leaves
/// the queue, and that what was granted to it is taken back.
#[test]
fn cancel_versus_grant() {
    model(|| {
        let house = House::new(Unified::default(), options(sizes(4, 0, 0)));
        let hog = house.grant(1, 4);
        let waiting = Sleeper::parked(&house.ledger, house.ledger.ticket(ask(2, 2)));
        let dropping = spawn(move || drop(waiting));
        drop(hog);
        dropping.join().unwrap();
        house.close(&[1, 2]);
    });
}

/// The same with a third task that waits for what the dropped one was granted.
#[test]
fn cancelled_grant_goes_on_to_the_next() {
    model(|| {
        let house = House::new(Unified::default(), options(sizes(6, 0, 0)));
        let mut hog = house.grant(1, 6);
        let part = hog.split(1);
        let waiting = Sleeper::parked(&house.ledger, house.ledger.ticket(ask(2, 1)));
        let next = Sleeper::parked(&house.ledger, house.ledger.ticket(ask(3, 1))).spawn();
        let dropping = spawn(move || drop(waiting));
        drop(part);
        dropping.join().unwrap();
        assert_eq!(next.join().unwrap().unwrap().bytes(), 1);
        drop(hog);
        house.close(&[1, 2, 3]);
    });
}

/// A future that waits is dropped while memory is released for it.
#[test]
fn dropped_future_versus_grant() {
    model(|| {
        let house = House::new(Unified::default(), options(sizes(4, 0, 0)));
        let hog = house.grant(1, 4);
        let own = ThreadWaker::new();
        let mut future = Box::pin(house.ledger.acquire_async(ask(2, 2)));
        let polled = future.as_mut().poll(&mut Context::from_waker(own.waker()));
        assert!(polled.is_pending());
        let dropping = spawn(move || drop(future));
        drop(hog);
        dropping.join().unwrap();
        house.close(&[1, 2]);
    });
}

/// A waiting ticket that has to evict is dropped. Protects: that the free storage memory kept for it
/// meanwhile is given back.
#[test]
fn cancel_versus_grant_with_eviction() {
    model(|| {
        let house = House::new(Turns::default(), options(sizes(2, 4, 0)));
        let hog = house.grant(2, 2);
        let waiting = Sleeper::parked(&house.ledger, house.ledger.ticket(ask(1, 3)));
        house.cache(3);
        let dropping = spawn(move || drop(waiting));
        drop(hog);
        dropping.join().unwrap();
        house.close(&[1, 2]);
    });
}

/// A blocking wait, cancelled from elsewhere while nothing is released. Protects: that the token wakes,
/// and that it is asked once more after the wait has subscribed to it.
#[test]
fn token_ends_a_wait() {
    model(|| {
        let house = House::new(Unified::default(), options(sizes(4, 0, 0)));
        let hog = house.grant(1, 4);
        let token = CancelToken::new();
        let (ledger, own) = (Arc::clone(&house.ledger), token.clone());
        let other = spawn(move || {
            let cancel = Some(&own);
            ledger.acquire(
                ask(2, 2),
                &Wait {
                    cancel,
                    ..patiently()
                },
            )
        });
        token.cancel();
        assert!(is_cancelled(&other.join().unwrap()));
        drop(hog);
        house.close(&[1, 2]);
    });
}

/// The same while memory is released.
#[test]
fn token_versus_grant() {
    model(|| {
        let house = House::new(Unified::default(), options(sizes(4, 0, 0)));
        let hog = house.grant(1, 4);
        let token = CancelToken::new();
        let (ledger, own) = (Arc::clone(&house.ledger), token.clone());
        let other = spawn(move || {
            let cancel = Some(&own);
            let outcome = ledger.acquire(
                ask(2, 2),
                &Wait {
                    cancel,
                    ..patiently()
                },
            );
            assert!(is_cancelled(&outcome) || outcome.is_ok_and(|grant| grant.bytes() == 2));
        });
        let cancelling = spawn(move || token.cancel());
        drop(hog);
        cancelling.join().unwrap();
        other.join().unwrap();
        house.close(&[1, 2]);
    });
}

/// A blocking wait whose time comes by hand, while memory is released. Protects: that the wait ends
/// when its time is up.
#[test]
fn deadline_versus_grant() {
    model(|| {
        let clock = Arc::new(ManualClock::new());
        let options = LedgerOptions {
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            ..options(sizes(4, 0, 0))
        };
        let house = House::new(Unified::default(), options);
        let hog = house.grant(1, 4);
        let ledger = Arc::clone(&house.ledger);
        let deadline = Some(clock.now() + SECOND);
        let other = spawn(move || {
            let wait = Wait {
                deadline,
                ..patiently()
            };
            match ledger.acquire(ask(2, 2), &wait) {
                Ok(grant) => assert_eq!(grant.bytes(), 2),
                Err(refusal) => assert!(matches!(refusal.reason(), Reason::Deadline)),
            }
        });
        let moving = spawn(move || clock.advance(SECOND));
        drop(hog);
        moving.join().unwrap();
        other.join().unwrap();
        house.close(&[1, 2]);
    });
}

/// A task ends while it waits. Protects: that its wait ends, and that it is told.
#[test]
fn task_end_ends_its_waits() {
    model(|| {
        let house = House::new(Unified::default(), options(sizes(4, 0, 0)));
        let hog = house.grant(1, 4);
        let waiting = Sleeper::parked(&house.ledger, house.ledger.ticket(ask(2, 2))).spawn();
        assert_eq!(house.ledger.end_task(TaskId::new(2)), (0, 0));
        assert!(is_cancelled(&waiting.join().unwrap()));
        drop(hog);
        house.close(&[1]);
    });
}

/// A task ends while an eviction runs for it. Protects: that it is granted nothing any more, and that
/// what it was just granted is taken back.
#[test]
fn task_end_versus_eviction() {
    model(|| {
        let house = House::new(Turns::default(), options(sizes(2, 4, 0)));
        house.cache(2);
        let own = ThreadWaker::new();
        let mut ticket = house.ledger.ticket(ask(1, 1));
        let Step::Evict(reclaim) = ticket.step(Some(own.waker())) else {
            panic!("it has to evict");
        };
        let helper = spawn(move || reclaim.run());
        let (leaked, _) = house.ledger.end_task(TaskId::new(1));
        assert!(leaked <= 1);
        match ticket.step(Some(own.waker())) {
            Step::Refused(refusal) => assert!(matches!(refusal.reason(), Reason::Cancelled)),
            step => panic!("the task is over: {step:?}"),
        }
        helper.join().unwrap();
        house.close(&[1]);
    });
}

/// The first of two that wait has to evict, and is cancelled instead. Protects: that the second is
/// looked at then.
#[test]
fn cancelled_eviction_wakes() {
    model(|| {
        let house = House::new(Turns::default(), options(sizes(2, 4, 0)));
        let hog = house.grant(2, 2);
        let own = ThreadWaker::new();
        let mut first = pin!(house.ledger.acquire_async(ask(1, 3)).inline());
        assert!(poll(first.as_mut(), &own).is_pending());
        let second = Sleeper::parked(&house.ledger, house.ledger.ticket(ask(4, 2))).spawn();
        house.cache(3);
        let releasing = spawn(move || drop(hog));
        first.cancel();
        let Poll::Ready(outcome) = poll(first.as_mut(), &own) else {
            panic!("a cancelled future is ready");
        };
        assert!(is_cancelled(&outcome));
        releasing.join().unwrap();
        assert_eq!(second.join().unwrap().unwrap().bytes(), 2);
        house.close(&[1, 2, 4]);
    });
}

fn poll(
    future: std::pin::Pin<&mut Acquire>,
    own: &ThreadWaker,
) -> Poll<Result<Reservation, Refusal>> {
    future.poll(&mut Context::from_waker(own.waker()))
}
