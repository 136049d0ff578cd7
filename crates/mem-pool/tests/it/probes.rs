//! Events: what is told, in which order, and that no lock is held meanwhile.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock, Weak};

use mem_block::MemoryMode;
use mem_pool::{Ask, Event, Kind, Ledger, LedgerOptions, Probe, TaskId, TracingProbe, Wait, raw};
use mem_sync::{Mutex, thread};

use crate::house::{House, ON, ask, sizes};
use crate::options;
use crate::policies::{Turns, Unified};
use crate::polled::Polled;

/// Keeps what it is told, and looks at the ledger every time.
#[derive(Debug, Default)]
struct Recorder {
    ledger: OnceLock<Weak<Ledger>>,
    events: Mutex<Vec<(Option<u64>, Event)>>,
}

impl Probe for Recorder {
    fn record(&self, sequence: Option<u64>, event: &Event) {
        if let Some(ledger) = self.ledger.get().and_then(Weak::upgrade) {
            ledger.check();
        }
        self.events.lock().push((sequence, *event));
    }
}

impl Recorder {
    fn take(&self) -> Vec<Event> {
        let events = std::mem::take(&mut *self.events.lock());
        events.into_iter().map(|(_, event)| event).collect()
    }

    /// What has a place in the ledger's order, in that order.
    fn in_sequence(&self) -> Vec<Event> {
        let mut events = self.events.lock().clone();
        events.retain(|(sequence, _)| sequence.is_some());
        events.sort_by_key(|(sequence, _)| *sequence);
        let numbers: Vec<_> = events.iter().map(|(sequence, _)| *sequence).collect();
        assert!(
            numbers.is_sorted_by(|one, next| one < next),
            "no number twice"
        );
        events.into_iter().map(|(_, event)| event).collect()
    }
}

fn recorded(
    policy: impl mem_pool::Policy + 'static,
    execution: u64,
    storage: u64,
) -> (House, Arc<Recorder>) {
    let recorder = Arc::new(Recorder::default());
    let options = LedgerOptions {
        probe: Some(Arc::clone(&recorder) as Arc<dyn Probe>),
        reclaim_inline: true,
        ..options(sizes(execution, storage, 0))
    };
    let house = House::new(policy, options);
    recorder.ledger.set(Arc::downgrade(&house.ledger)).unwrap();
    (house, recorder)
}

fn grant(task: i64, asked: u64, granted: u64) -> Event {
    Event::Grant {
        task: Some(TaskId::new(task)),
        mode: ON,
        kind: Kind::Execution,
        asked,
        granted,
    }
}

fn release(task: i64, bytes: u64) -> Event {
    Event::Release {
        task: Some(TaskId::new(task)),
        mode: ON,
        kind: Kind::Execution,
        bytes,
    }
}

#[test]
fn everything_is_told_once() {
    let (house, recorder) = recorded(Unified::default(), 10, 0);
    let task = TaskId::new(2);
    let hog = house.grant(1, 10);
    let mut future = Polled::new(house.ledger.acquire_async(ask(2, 4)));
    assert!(future.poll().is_none() && future.poll().is_none());
    let wait = Event::Wait {
        task,
        mode: ON,
        asked: 4,
    };
    assert_eq!(recorder.take(), [grant(1, 10, 10), wait]);
    drop(hog);
    assert_eq!(recorder.take(), [release(1, 10)]);
    let got = future.poll().unwrap().unwrap();
    assert_eq!(recorder.take(), [grant(2, 4, 4)]);
    assert!(
        house
            .ledger
            .try_acquire(Ask::storage(ON, 11, None))
            .is_err()
    );
    let refuse = Event::Refuse {
        task: None,
        mode: ON,
        kind: Kind::Storage,
        asked: 11,
    };
    assert_eq!(recorder.take(), [refuse]);
    let credit = house.ledger.open_credit(task, ON);
    credit.release(3);
    assert_eq!(recorder.take(), [release(2, 3)]);
    drop(credit);
    assert_eq!(got.leave(), 4);
    assert_eq!(house.ledger.end_task(task), (1, 0));
    let end = Event::TaskEnd {
        task,
        on_heap: 1,
        off_heap: 0,
    };
    assert_eq!(recorder.take(), [end]);
}

#[test]
fn a_request_that_only_evicts_is_not_told_to_wait() {
    let (house, recorder) = recorded(Turns::default(), 0, 4);
    house.cache(4);
    recorder.take();
    assert_eq!(
        house
            .ledger
            .acquire(ask(1, 3), &Wait::default())
            .unwrap()
            .leave(),
        3
    );
    let evict = Event::Evict {
        mode: ON,
        need: 4,
        freed: 4,
    };
    assert_eq!(recorder.take(), [evict, grant(1, 3, 3)]);
}

#[test]
fn an_eviction_for_a_limit_is_told() {
    let (house, recorder) = recorded(Unified::default(), 0, 10);
    house.cache(10);
    recorder.take();
    house.ledger.set_limit(ON, 4).unwrap();
    let evict = Event::Evict {
        mode: ON,
        need: 6,
        freed: 10,
    };
    assert_eq!(recorder.take(), [evict]);
}

#[test]
fn a_release_comes_before_the_grant_that_it_makes_possible() {
    let (house, recorder) = recorded(Unified::default(), 10, 0);
    let hog = house.grant(1, 10);
    let mut future = Polled::new(house.ledger.acquire_async(ask(2, 10)));
    assert!(future.poll().is_none());
    drop(hog);
    let got = future.poll().unwrap().unwrap();
    assert_eq!(
        recorder.in_sequence(),
        [grant(1, 10, 10), release(1, 10), grant(2, 10, 10)]
    );
    house.ledger.end_task(TaskId::new(2));
    drop(got);
}

/// Adds up granted bytes in the ledger's order.
fn replay(events: &[Event], total: u64) -> u64 {
    let mut execution: BTreeMap<TaskId, u64> = BTreeMap::new();
    let mut storage = 0;
    for event in events {
        match *event {
            Event::Grant {
                task: Some(task),
                granted,
                ..
            } => {
                *execution.entry(task).or_default() += granted;
            }
            Event::Grant { granted, .. } => storage += granted,
            Event::Release {
                task: Some(task),
                bytes,
                ..
            } => {
                *execution.get_mut(&task).unwrap() -= bytes;
            }
            Event::Release { bytes, .. } => storage -= bytes,
            Event::Evict { freed, .. } => storage -= freed,
            Event::TaskEnd { task, on_heap, .. } => {
                assert_eq!(execution.remove(&task).unwrap_or(0), on_heap);
            }
            _ => {}
        }
        let granted = storage + execution.values().sum::<u64>();
        assert!(granted <= total, "{granted} after {event:?}");
    }
    storage + execution.values().sum::<u64>()
}

#[test]
fn in_sequence_the_events_of_many_threads_never_add_up_to_more_than_there_is() {
    let (house, recorder) = recorded(Unified::default(), 60, 40);
    let work = |task: i64| {
        let (ledger, store) = (Arc::clone(&house.ledger), Arc::clone(&house.store));
        move || {
            for round in 0..60_u64 {
                let bytes = 1 + (round * 17 + task.unsigned_abs() * 5) % 40;
                let grant = ledger.acquire(ask(task, bytes), &Wait::default()).unwrap();
                if let Ok(block) = ledger.try_acquire(Ask::storage(ON, bytes / 4, None)) {
                    store.put(ON, block.leave());
                }
                drop(grant);
            }
            ledger.end_task(TaskId::new(task));
        }
    };
    let threads: Vec<_> = (1..5).map(|task| thread::spawn(work(task))).collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(
        replay(&recorder.in_sequence(), 100),
        house.books().storage_used
    );
}

#[test]
fn the_tracing_probe_takes_every_event() {
    let task = TaskId::new(1);
    let bytes = 1;
    let events = [
        grant(1, 2, 1),
        grant(1, 2, 2),
        release(1, 1),
        Event::Spill {
            task,
            consumer: 1,
            asked: 1,
            released: 1,
        },
        Event::Page {
            task,
            page: 0,
            bytes,
            taken: true,
        },
        Event::Leak {
            task,
            consumer: None,
            bytes,
        },
    ];
    for event in &events {
        TracingProbe.record(Some(1), event);
    }
    let options = LedgerOptions {
        probe: Some(Arc::new(TracingProbe)),
        ..options(sizes(10, 0, 0))
    };
    let house = House::new(Unified::default(), options);
    let hog = house.grant(1, 10);
    assert!(house.ledger.try_acquire(ask(2, 10)).is_err());
    drop(hog);
    raw::release_storage_memory(&house.ledger, 1, MemoryMode::OffHeap);
    house.close(&[1, 2]);
}
