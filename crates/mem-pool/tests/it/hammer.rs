//! Many threads at once: they take, grow, spill, give back and give up, and the sum is never too large.

use std::sync::Arc;

use mem_pool::{Ask, CancelToken, LedgerOptions, TaskId, Wait};
use mem_sync::atomic::{AtomicU64, Ordering};
use mem_sync::{SystemClock, thread};

use crate::house::{House, ON, ask, sizes};
use crate::options;
use crate::policies::{Halves, Unified};
use crate::polled::Polled;

const TOTAL: u64 = 10_000;
const ROUNDS: u64 = 400;

/// The same numbers in every run, if not at the same moments.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % sides
    }
}

struct Worker {
    house: Arc<House>,
    task: TaskId,
    held: Arc<AtomicU64>,
    dice: Dice,
}

impl Worker {
    /// Counts what is held apart from the ledger, never later than it is given back.
    fn hold(&self, bytes: u64) {
        let before = self.held.fetch_add(bytes, Ordering::SeqCst);
        assert!(
            before + bytes <= TOTAL,
            "{before} and {bytes} are more than there is"
        );
    }

    fn let_go(&self, bytes: u64) {
        self.held.fetch_sub(bytes, Ordering::SeqCst);
    }

    fn run(&mut self) {
        for _ in 0..ROUNDS {
            let bytes = 1 + self.dice.roll(TOTAL / 2);
            match self.dice.roll(6) {
                0 => self.take_and_give_up(bytes),
                1 => self.store(bytes / 8),
                2 => self.by_future(bytes),
                _ => self.take(bytes),
            }
            self.house.ledger.check();
        }
        assert_eq!(self.house.ledger.end_task(self.task), (0, 0));
    }

    fn take(&mut self, bytes: u64) {
        let ask = ask(self.task.get(), bytes);
        let mut grant = self.house.ledger.acquire(ask, &Wait::default()).unwrap();
        self.hold(grant.bytes());
        if let Ok(more) = self.house.ledger.try_acquire(ask) {
            self.hold(more.bytes());
            grant.merge(more).unwrap();
        }
        // Some of it goes in parts, some of it is spilled for the next request.
        let part = grant.split(self.dice.roll(bytes));
        self.let_go(part.bytes());
        drop(part);
        let rest = grant.leave();
        self.let_go(rest);
        let credit = self.house.ledger.open_credit(self.task, ON);
        assert_eq!(credit.release(rest), rest);
        let again = self
            .house
            .ledger
            .acquire_with(ask, &credit, &Wait::default())
            .unwrap();
        self.hold(again.bytes());
        self.let_go(again.bytes());
    }

    fn take_and_give_up(&self, bytes: u64) {
        let token = CancelToken::new();
        let cancelling = thread::spawn({
            let token = token.clone();
            move || token.cancel()
        });
        let wait = Wait {
            cancel: Some(&token),
            deadline: None,
        };
        if let Ok(grant) = self
            .house
            .ledger
            .acquire(ask(self.task.get(), bytes), &wait)
        {
            self.hold(grant.bytes());
            self.let_go(grant.bytes());
        }
        cancelling.join().unwrap();
    }

    fn by_future(&mut self, bytes: u64) {
        let future = self.house.ledger.acquire_async(ask(self.task.get(), bytes));
        if self.dice.roll(2) == 0 {
            let grant = Polled::new(future).run().unwrap();
            self.hold(grant.bytes());
            self.let_go(grant.bytes());
        } else {
            // Dropped, wherever it stands.
            drop(Polled::new(future).poll().map(|outcome| outcome.map(drop)));
        }
    }

    /// Blocks come and stay, for others to evict: they are no part of what is counted here.
    fn store(&self, bytes: u64) {
        if let Ok(block) = self.house.ledger.try_acquire(Ask::unroll(ON, bytes, None)) {
            self.house.store.put(ON, block.into_storage().leave());
        }
    }
}

fn hammer(policy: impl mem_pool::Policy + 'static, seed: u64) {
    let options = LedgerOptions {
        clock: Arc::new(SystemClock::new()),
        ..options(sizes(TOTAL / 2, TOTAL / 2, TOTAL / 10))
    };
    let house = Arc::new(House::new(policy, options));
    let held = Arc::new(AtomicU64::new(0));
    let workers = (1..=6_u8).map(|task| {
        let mut worker = Worker {
            house: Arc::clone(&house),
            task: TaskId::new(task.into()),
            held: Arc::clone(&held),
            dice: Dice(seed.wrapping_mul(31) + u64::from(task)),
        };
        thread::spawn(move || worker.run())
    });
    let workers: Vec<_> = workers.collect();
    for worker in workers {
        worker.join().unwrap();
    }
    // What a dropped future's eviction has still to settle is settled by the helper thread.
    while house.ledger.snapshot().waiting > 0 {
        thread::yield_now();
    }
    for task in 1..=6 {
        house.ledger.end_task(TaskId::new(task));
    }
    assert_eq!(held.load(Ordering::SeqCst), 0);
    house.close(&[]);
    assert!(house.books().peak_granted <= TOTAL);
}

#[test]
fn under_the_unified_rule() {
    hammer(Unified::default(), 1);
}

#[test]
fn under_fixed_halves() {
    hammer(Halves, 2);
}
