//! Slack is taken once: by its owner or by whoever needs it more; and it makes nobody wait.

use mem_pool::{LocalReservation, TaskId};
use mem_sync::thread::spawn;
use std::sync::Arc;

use crate::house::{House, ON, ask, sizes};
use crate::policies::Unified;
use crate::{model, options, patiently};

const TOTAL: u64 = 4;
const OWNER: TaskId = TaskId::new(1);

/// A house in which task 1 uses one byte and has the others of `TOTAL` as slack.
fn with_slack(slack: u64) -> (House, LocalReservation) {
    let house = House::new(Unified::default(), options(sizes(TOTAL, 0, 0)));
    let mut owner = house.ledger.local(OWNER, ON, slack);
    owner.try_grow(1).unwrap();
    assert_eq!(house.ledger.slack(ON), slack);
    (house, owner)
}

/// The owner draws and puts back while another has the slack recalled. Protects: the flags and fences
/// by which the two exclude each other.
#[test]
fn slack_is_taken_once() {
    model(|| {
        let (house, mut owner) = with_slack(2);
        let ledger = Arc::clone(&house.ledger);
        let other = spawn(move || ledger.try_acquire(ask(2, 3)));
        let drawn = owner.draw(1);
        let put_back = owner.put_back(1);
        let granted = other.join().unwrap();
        assert!(drawn || owner.bytes() < 2);
        assert_eq!(owner.bytes(), 1 + u64::from(drawn) - u64::from(put_back));
        assert_eq!(
            house.ledger.execution_usage(OWNER),
            owner.bytes() + house.ledger.slack(ON),
            "what is granted is in use or in reserve"
        );
        house.ledger.check();
        drop((granted, owner));
        house.close(&[1, 2]);
    });
}

/// A task that would have to wait while another has slack. Protects: the recall.
#[test]
fn slack_makes_nobody_wait() {
    model(|| {
        let (house, mut owner) = with_slack(3);
        let ledger = Arc::clone(&house.ledger);
        let other = spawn(move || ledger.acquire(ask(2, 2), &patiently()).unwrap());
        owner.draw(1);
        let granted = other.join().unwrap();
        assert_eq!(granted.bytes(), 2);
        house.ledger.check();
        drop((granted, owner));
        house.close(&[1, 2]);
    });
}
