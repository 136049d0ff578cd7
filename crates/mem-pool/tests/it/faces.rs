//! One core, three faces: the same history comes out the same, whichever face asks.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

use mem_pool::{Ask, CancelToken, Event, LedgerOptions, Probe, Snapshot, Step, TaskId, Wait, raw};
use mem_sync::atomic::{AtomicU64, Ordering};
use mem_sync::{Clock, SystemClock, thread};
use proptest::prelude::*;

use crate::house::{House, ON, ask, sizes};
use crate::policies::Unified;
use crate::polled::Polled;
use crate::{cases, options};

#[derive(Debug, Clone, Copy)]
enum Op {
    Acquire { task: i64, bytes: u64 },
    Release { task: i64, bytes: u64 },
    Cancel { task: i64 },
    Store { bytes: u64 },
    End { task: i64 },
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let held = (0_i64..4, 0_u64..60);
    let op = prop_oneof![
        6 => held.clone().prop_map(|(task, bytes)| Op::Acquire { task, bytes }),
        4 => held.prop_map(|(task, bytes)| Op::Release { task, bytes }),
        1 => (0_i64..4).prop_map(|task| Op::Cancel { task }),
        3 => (1_u64..40).prop_map(|bytes| Op::Store { bytes }),
        1 => (0_i64..4).prop_map(|task| Op::End { task }),
    ];
    prop::collection::vec(op, 1..40)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Face {
    Try,
    Steps,
    Blocking,
    Future,
}

/// What a request is granted by that face, which gives up where it would have to wait.
fn request(house: &House, face: Face, ask: Ask) -> Option<u64> {
    let token = CancelToken::new();
    token.cancel();
    let wait = Wait {
        cancel: Some(&token),
        deadline: None,
    };
    let outcome = match face {
        Face::Try => house.ledger.try_acquire(ask).ok(),
        Face::Blocking => house.ledger.acquire(ask, &wait).ok(),
        Face::Future => {
            let outcome = Polled::new(house.ledger.acquire_async(ask)).poll();
            outcome.and_then(Result::ok)
        }
        Face::Steps => {
            let mut ticket = house.ledger.ticket(ask);
            loop {
                match ticket.step(None) {
                    Step::Granted(reservation) => break Some(reservation),
                    Step::Refused(_) => break None,
                    Step::Evict(reclaim) => reclaim.run(),
                    Step::Parked => panic!("nobody could wake it"),
                }
            }
        }
    };
    outcome.map(mem_pool::Reservation::leave)
}

/// Every grant, and the books after every operation.
fn history(face: Face, detect_deadlock: bool, ops: &[Op]) -> Vec<(Option<u64>, Snapshot)> {
    let options = LedgerOptions {
        detect_deadlock,
        reclaim_inline: true,
        ..options(sizes(60, 40, 20))
    };
    let house = House::new(Unified::default(), options);
    let mut history = Vec::new();
    for op in ops {
        let granted = match *op {
            Op::Acquire { task, bytes } => request(&house, face, ask(task, bytes)),
            Op::Store { bytes } => {
                let stored = request(&house, face, Ask::storage(ON, bytes, None));
                stored.inspect(|bytes| house.store.put(ON, *bytes))
            }
            Op::Release { task, bytes } => {
                let task = TaskId::new(task);
                Some(raw::release_execution_memory(
                    &house.ledger,
                    bytes,
                    task,
                    ON,
                ))
            }
            Op::Cancel { .. } => None,
            Op::End { task } => Some(house.ledger.end_task(TaskId::new(task)).0),
        };
        house.ledger.check();
        let mut snapshot = house.ledger.snapshot();
        // How the giving up is counted is the one difference.
        (snapshot.counters.waits, snapshot.counters.refusals) = (0, 0);
        history.push((granted, snapshot));
    }
    history
}

proptest! {
    #![proptest_config(cases(150))]

    #[test]
    fn every_face_comes_to_the_same(ops in ops(), detect_deadlock: bool) {
        let tried = history(Face::Try, detect_deadlock, &ops);
        for face in [Face::Steps, Face::Blocking, Face::Future] {
            prop_assert_eq!(&history(face, detect_deadlock, &ops), &tried, "{:?}", face);
        }
    }
}

/// Counts evictions that are over.
#[derive(Debug, Default)]
struct Evictions(AtomicU64);

impl Probe for Evictions {
    fn record(&self, _sequence: Option<u64>, event: &Event) {
        if let Event::Evict { .. } = event {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// Who was answered, by number of the request: with a grant, or with a cancel.
type Answer = (usize, Option<u64>);
type Answers = Vec<Answer>;

/// Requests that wait, each by one of two faces.
enum Waiting {
    Future(Polled),
    Thread(CancelToken),
}

/// A ledger whose requests wait, all by the same face.
struct Driven {
    house: House,
    evictions: Arc<Evictions>,
    waiting: BTreeMap<usize, (i64, Waiting)>,
    answers: (Sender<Answer>, Receiver<Answer>),
}

impl Driven {
    fn new() -> Self {
        let evictions = Arc::new(Evictions::default());
        let options = LedgerOptions {
            reclaim_inline: true,
            probe: Some(Arc::clone(&evictions) as Arc<dyn Probe>),
            ..options(sizes(60, 40, 20))
        };
        Self {
            house: House::new(Unified::default(), options),
            evictions,
            waiting: BTreeMap::new(),
            answers: mpsc::channel(),
        }
    }

    fn acquire(&mut self, face: Face, number: usize, task: i64, bytes: u64) {
        let ledger = Arc::clone(&self.house.ledger);
        let waiting = if face == Face::Future {
            let mut future = Polled::new(ledger.acquire_async(ask(task, bytes)));
            if let Some(outcome) = future.poll() {
                let granted = outcome.unwrap().leave();
                return self.answers.0.send((number, Some(granted))).unwrap();
            }
            Waiting::Future(future)
        } else {
            let (token, answers) = (CancelToken::new(), self.answers.0.clone());
            let own = token.clone();
            drop(thread::spawn(move || {
                let wait = Wait {
                    cancel: Some(&own),
                    deadline: None,
                };
                let outcome = ledger.acquire(ask(task, bytes), &wait);
                let answer = (number, outcome.ok().map(mem_pool::Reservation::leave));
                // Nobody listens any more where the test has failed meanwhile.
                answers.send(answer).unwrap_or_default();
            }));
            Waiting::Thread(token)
        };
        self.waiting.insert(number, (task, waiting));
    }

    fn run(&mut self, face: Face, number: usize, op: Op) {
        let is_waiting = |task: i64| self.waiting.values().any(|(waiting, _)| *waiting == task);
        match op {
            Op::Acquire { task, .. } | Op::Release { task, .. } if is_waiting(task) => {}
            Op::Acquire { task, bytes } => self.acquire(face, number, task, bytes),
            Op::Release { task, bytes } => {
                let task = TaskId::new(task);
                raw::release_execution_memory(&self.house.ledger, bytes, task, ON);
            }
            Op::Cancel { task } => {
                let waiting = self
                    .waiting
                    .values_mut()
                    .filter(|(other, _)| *other == task);
                for (_, waiting) in waiting {
                    match waiting {
                        Waiting::Thread(token) => token.cancel(),
                        Waiting::Future(future) => future.cancel(),
                    }
                }
            }
            Op::Store { bytes } => {
                request(&self.house, Face::Try, Ask::storage(ON, bytes, None))
                    .inspect(|bytes| self.house.store.put(ON, *bytes));
            }
            Op::End { task } => {
                self.house.ledger.end_task(TaskId::new(task));
            }
        }
    }

    /// Polls the futures that were woken until none is any more.
    fn poll(&mut self) {
        loop {
            let woken = self
                .waiting
                .iter_mut()
                .find_map(|(number, (_, waiting))| match waiting {
                    Waiting::Future(future) if future.is_woken() => Some((*number, future)),
                    _ => None,
                });
            let Some((number, future)) = woken else {
                return;
            };
            if let Some(outcome) = future.poll_if_woken() {
                let granted = outcome.ok().map(mem_pool::Reservation::leave);
                self.answers.0.send((number, granted)).unwrap();
                self.waiting.remove(&number);
            }
        }
    }

    /// What has come to rest: the books, and the evictions that are over.
    fn state(&self) -> (Snapshot, u64) {
        self.house.ledger.check();
        (
            self.house.ledger.snapshot(),
            self.evictions.0.load(Ordering::SeqCst),
        )
    }

    /// Takes that many answers, and waits until the state is that one. Whether it ever is, is the
    /// question; the time is only how long a failing test takes.
    fn expect(&mut self, answers: &Answers, state: &(Snapshot, u64)) {
        let clock = SystemClock::new();
        let patience = Duration::from_secs(20);
        let mut got = Answers::new();
        while got.len() < answers.len() {
            let answer = self.answers.1.recv_timeout(patience);
            got.push(answer.expect("somebody is answered here whom the other face answered"));
        }
        got.sort_unstable();
        assert_eq!(&got, answers);
        for (number, _) in &got {
            self.waiting.remove(number);
        }
        while self.state() != *state && clock.now().as_nanos() < 20_000_000_000 {
            thread::yield_now();
        }
        assert_eq!(&self.state(), state);
    }
}

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn threads_and_futures_wait_alike(ops in ops()) {
        let (mut futures, mut threads) = (Driven::new(), Driven::new());
        let all = (0..4).map(|task| Op::End { task });
        for (number, op) in ops.into_iter().chain(all).enumerate() {
            futures.run(Face::Future, number, op);
            futures.poll();
            let mut answers: Answers = futures.answers.1.try_iter().collect();
            answers.sort_unstable();
            threads.run(Face::Blocking, number, op);
            threads.expect(&answers, &futures.state());
        }
        prop_assert!(futures.waiting.is_empty() && threads.waiting.is_empty());
    }
}
