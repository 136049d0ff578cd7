//! Never over the limit, first in first out, and somebody gives in when everybody waits.

use mem_pool::{Ask, Event, LedgerOptions, Probe, Reason, Reservation, TaskId};
use mem_sync::atomic::{AtomicU64, Ordering};
use mem_sync::thread::spawn;
use mem_sync::{Mutex, thread};
use std::sync::Arc;

use mem_block::MemoryMode::{OffHeap, OnHeap};

use crate::house::{House, ask, sizes};
use crate::policies::Unified;
use crate::{Sleeper, model, options, patiently};

const TOTAL: u64 = 4;

/// Holds what was granted for a while, beside what others hold.
fn hold(grant: Reservation, held: &AtomicU64) {
    let before = held.fetch_add(grant.bytes(), Ordering::SeqCst);
    assert!(
        before + grant.bytes() <= TOTAL,
        "more granted than there is"
    );
    held.fetch_sub(grant.bytes(), Ordering::SeqCst);
    drop(grant);
}

/// Three tasks ask for more than there is at once. Protects: that what is granted is taken.
#[test]
fn no_over_grant() {
    model(|| {
        let house = Arc::new(House::new(Unified::default(), options(sizes(TOTAL, 0, 0))));
        let held = Arc::new(AtomicU64::new(0));
        let work = |task: i64, bytes: u64| {
            let (house, held) = (Arc::clone(&house), Arc::clone(&held));
            move || {
                let grant = house
                    .ledger
                    .acquire(ask(task, bytes), &patiently())
                    .unwrap();
                hold(grant, &held);
            }
        };
        let others = [spawn(work(2, 3)), spawn(work(3, 3))];
        work(1, 3)();
        for other in others {
            other.join().unwrap();
        }
        house.close(&[1, 2, 3]);
    });
}

/// Two tasks ask for more than there is, and don't wait. Protects: that what is granted at once is taken.
#[test]
fn no_over_grant_at_once() {
    model(|| {
        let house = Arc::new(House::new(Unified::default(), options(sizes(TOTAL, 0, 0))));
        let held = Arc::new(AtomicU64::new(0));
        let work = |task: i64| {
            let (house, held) = (Arc::clone(&house), Arc::clone(&held));
            move || {
                let Ok(grant) = house.ledger.try_acquire(ask(task, 3)) else {
                    return;
                };
                hold(grant, &held);
            }
        };
        let other = spawn(work(2));
        work(1)();
        other.join().unwrap();
        house.close(&[1, 2]);
    });
}

/// Growing a reservation against another task's request: both are answered, within the total.
#[test]
fn resize_versus_acquire() {
    model(|| {
        let house = House::new(Unified::default(), options(sizes(TOTAL, 0, 0)));
        let mut mine = house.grant(1, 1);
        let ledger = Arc::clone(&house.ledger);
        let other = spawn(move || {
            let grant = ledger.acquire(ask(2, 3), &patiently()).unwrap();
            let bytes = grant.bytes();
            ledger.check();
            bytes
        });
        let before = mine.bytes();
        match mine.resize(3, &patiently()) {
            Ok(()) => assert_eq!(mine.bytes(), 3),
            // The share was smaller, or the rest was taken: what could be had is kept apart.
            Err(refusal) => {
                assert_eq!(mine.bytes(), before);
                assert!(before + refusal.kept().unwrap().bytes() < 3);
            }
        }
        mine.shrink_to(1);
        assert!(other.join().unwrap() >= 1);
        drop(mine);
        house.close(&[1, 2]);
    });
}

#[derive(Debug, Default)]
struct Grants(Mutex<Vec<(u64, TaskId)>>);

impl Probe for Grants {
    fn record(&self, sequence: Option<u64>, event: &Event) {
        if let (
            Some(sequence),
            Event::Grant {
                task: Some(task), ..
            },
        ) = (sequence, event)
        {
            self.0.lock().push((sequence, *task));
        }
    }
}

/// Two wait; memory for one of them comes at a time. The one that came first is served first.
#[test]
fn two_waiters_fifo() {
    model(|| {
        let grants = Arc::new(Grants::default());
        let options = LedgerOptions {
            probe: Some(Arc::clone(&grants) as Arc<dyn Probe>),
            ..options(sizes(12, 0, 0))
        };
        let house = House::new(Unified::default(), options);
        let mut hog = house.grant(1, 12);
        let (part, rest) = (hog.split(2), hog.split(2));
        let wait = |task| Sleeper::parked(&house.ledger, house.ledger.ticket(ask(task, 2)));
        let (first, second) = (wait(2).spawn(), wait(3).spawn());
        let releasing = thread::spawn(move || drop(part));
        drop(rest);
        releasing.join().unwrap();
        let got = [first.join().unwrap(), second.join().unwrap()];
        assert!(got.iter().all(|got| got.as_ref().unwrap().bytes() == 2));
        let mut order = grants.0.lock().clone();
        order.sort_unstable();
        let order: Vec<i64> = order.iter().map(|(_, task)| task.get()).collect();
        assert_eq!(order, [1, 2, 3]);
        drop((hog, got));
        house.close(&[1, 2, 3]);
    });
}

/// Each of two tasks holds all of one mode and waits for the other: one of them is refused at once,
/// and says why. Protects: the refusal, and the waking of the refused.
#[test]
fn everybody_waits() {
    model(|| {
        let options = LedgerOptions {
            off_heap: sizes(TOTAL, 0, 0),
            detect_deadlock: true,
            ..options(sizes(TOTAL, 0, 0))
        };
        let house = Arc::new(House::new(Unified::default(), options));
        let refusals = Arc::new(AtomicU64::new(0));
        let work = |task, (has, wants)| {
            let (house, refusals) = (Arc::clone(&house), Arc::clone(&refusals));
            let held = house.ledger.try_reserve(Ask::execution(task, has, TOTAL));
            let held = held.unwrap();
            move || {
                let more = Ask::execution(task, wants, 2);
                match house.ledger.acquire(more, &patiently()) {
                    Ok(more) => assert_eq!(more.bytes(), 2),
                    Err(refusal) => {
                        assert!(matches!(refusal.reason(), Reason::Deadlock));
                        refusals.fetch_add(1, Ordering::SeqCst);
                    }
                }
                drop(held);
            }
        };
        let one = work(TaskId::new(1), (OnHeap, OffHeap));
        let other = spawn(work(TaskId::new(2), (OffHeap, OnHeap)));
        one();
        other.join().unwrap();
        assert_eq!(
            refusals.load(Ordering::SeqCst),
            1,
            "one gives in, the other is served"
        );
        house.close(&[1, 2]);
    });
}
