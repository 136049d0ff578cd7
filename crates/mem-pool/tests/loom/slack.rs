//! Slack is taken once: by its owner or by whoever needs it more; and it makes nobody wait.

use mem_pool::{LocalReservation, TaskId};
use mem_sync::{set_fence_light, thread::spawn};
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

/// The owner draws and puts back while another has the slack recalled. Protects: the words and fences
/// by which no byte is had by both.
#[test]
fn slack_is_taken_once() {
    model(|| taken_once(1, 1));
}

/// The same where the kernel can't fence for the owner.
#[test]
fn slack_is_taken_once_with_full_fences() {
    set_fence_light(false);
    model(|| taken_once(1, 1));
}

/// The owner draws all that there is, so that nothing is left whoever comes first.
#[test]
fn all_slack_is_taken_once() {
    model(|| taken_once(2, 3));
}

fn taken_once(draw: u64, put_back: u64) {
    let (house, mut owner) = with_slack(2);
    let ledger = Arc::clone(&house.ledger);
    let other = spawn(move || ledger.try_acquire(ask(2, 3)));
    let drawn = owner.draw(draw);
    let before = owner.bytes();
    assert_eq!(before, 1 + if drawn { draw } else { 0 });
    let is_back = owner.put_back(put_back);
    let granted = other.join().unwrap();
    let back = if is_back { before.min(put_back) } else { 0 };
    assert_eq!(owner.bytes(), before - back);
    assert_eq!(
        house.ledger.execution_usage(OWNER),
        owner.bytes() + house.ledger.slack(ON),
        "what is granted is in use or in reserve"
    );
    house.ledger.check();
    drop((granted, owner));
    house.close(&[1, 2]);
}

/// Somebody reads what the owner uses while it gives all back, its slack too. Protects: the version by
/// which a reader knows that what it read goes together.
#[test]
fn use_is_read_whole() {
    model(|| {
        let (house, owner) = with_slack(2);
        let reader = owner.reader();
        let read = spawn(move || reader.bytes());
        drop(owner);
        assert!(read.join().unwrap() <= 1);
        house.close(&[1]);
    });
}

/// The same while the owner uses less, and then as much again out of its slack. Protects: the order in which
/// a change that has a version and one that has none are seen.
#[test]
fn use_is_read_whole_beside_a_change() {
    model(|| {
        let (house, mut owner) = with_slack(2);
        let reader = owner.reader();
        let read = spawn(move || reader.bytes());
        let less = owner.split(1);
        assert!(owner.draw(1));
        assert!(read.join().unwrap() <= 1);
        drop((less, owner));
        house.close(&[1]);
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
