//! Cancelling from elsewhere, and that no byte is lost by it.

use std::sync::Arc;

use mem_pool::{CancelToken, Reason, Wait};
use mem_sync::thread;

use crate::house::{House, ask, sizes};
use crate::policies::Unified;
use crate::polled::Polled;
use crate::{clocked, options};

#[test]
fn a_blocking_wait_ends_when_its_token_is_cancelled() {
    let (clock, options) = clocked(sizes(10, 0, 0));
    let house = House::new(Unified::default(), options);
    let hog = house.grant(1, 10);
    let token = CancelToken::new();
    let (ledger, own) = (Arc::clone(&house.ledger), token.clone());
    let waiting = thread::spawn(move || {
        let wait = Wait {
            cancel: Some(&own),
            deadline: None,
        };
        ledger.acquire(ask(2, 5), &wait)
    });
    while clock.parked() == 0 {
        thread::yield_now();
    }
    assert!(!token.is_cancelled());
    token.cancel();
    let refusal = waiting.join().unwrap().unwrap_err();
    assert!(matches!(refusal.reason(), Reason::Cancelled));
    assert!(refusal.to_string().contains("cancelled while it waited"));
    drop((refusal, hog));
    house.close(&[1, 2]);
}

#[test]
fn one_token_ends_many_waits_and_stays_cancelled() {
    let house = House::new(Unified::default(), options(sizes(10, 0, 0)));
    let hog = house.grant(1, 10);
    let token = CancelToken::new();
    let wait = Wait {
        cancel: Some(&token),
        deadline: None,
    };
    let acquire = |task| Polled::new(house.ledger.acquire_async(ask(task, 5)).with(&wait));
    let mut waiting: Vec<_> = (2..5).map(acquire).collect();
    assert!(waiting.iter_mut().all(|future| future.poll().is_none()));
    token.cancel();
    token.cancel();
    assert!(token.is_cancelled());
    for future in &mut waiting {
        assert!(future.poll_if_woken().unwrap().is_err());
    }
    // Later requests end as soon as they would have to wait; what is free they get all the same.
    assert!(acquire(5).poll().unwrap().is_err());
    drop(hog);
    // As in Spark, who gave up still counts until its task ends: five tasks share 10 bytes.
    assert_eq!(acquire(6).poll().unwrap().unwrap().bytes(), 2);
}

#[test]
fn a_wait_that_is_over_is_forgotten_by_its_token() {
    let house = House::new(Unified::default(), options(sizes(10, 0, 0)));
    let hog = house.grant(1, 10);
    let token = CancelToken::new();
    let wait = Wait {
        cancel: Some(&token),
        deadline: None,
    };
    let mut future = Polled::new(house.ledger.acquire_async(ask(2, 5)).with(&wait));
    assert!(future.poll().is_none());
    drop(hog);
    let granted = future.poll_if_woken().unwrap().unwrap();
    drop(granted);
    token.cancel();
    assert!(!future.is_woken());
}

#[test]
fn a_grant_that_came_first_stands() {
    let house = House::new(Unified::default(), options(sizes(10, 0, 0)));
    let hog = house.grant(1, 10);
    let mut future = Polled::new(house.ledger.acquire_async(ask(2, 5)));
    assert!(future.poll().is_none());
    drop(hog);
    future.cancel();
    assert_eq!(future.poll().unwrap().unwrap().bytes(), 5);
    house.close(&[1, 2]);
}
