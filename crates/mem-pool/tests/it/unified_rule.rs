//! Random histories on the ledger, under a policy with the unified rule, against the rule itself:
//! every grant, every wait, who is woken by what, every eviction and every move of the boundary.

use std::collections::BTreeMap;

use mem_block::MemoryMode;
use mem_pool::{Ask, LedgerOptions, TaskId, raw};
use proptest::prelude::*;

use crate::house::{House, sizes};
use crate::policies::Unified;
use crate::polled::Polled;
use crate::reference::{Answered, Reference};
use crate::{cases, options};

const MODES: [MemoryMode; 2] = [MemoryMode::OnHeap, MemoryMode::OffHeap];

#[derive(Debug, Clone, Copy)]
enum Op {
    Acquire { mode: usize, task: i64, bytes: u64 },
    Release { mode: usize, task: i64, bytes: u64 },
    Cancel { task: i64 },
    End { task: i64 },
    NotifyAll,
    Unmanaged { mode: usize, bytes: u64 },
    Store { mode: usize, bytes: u64 },
    DropBlock { mode: usize },
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    // Mostly one mode, so that its requests meet.
    let mode = prop_oneof![5 => Just(0_usize), 1 => Just(1)];
    let task = 0_i64..5;
    let held = (mode.clone(), task.clone(), 0_u64..80);
    let op = prop_oneof![
        8 => held.clone().prop_map(|(mode, task, bytes)| Op::Acquire { mode, task, bytes }),
        5 => held.prop_map(|(mode, task, bytes)| Op::Release { mode, task, bytes }),
        1 => task.clone().prop_map(|task| Op::Cancel { task }),
        1 => task.prop_map(|task| Op::End { task }),
        1 => Just(Op::NotifyAll),
        1 => (mode.clone(), 0_u64..150).prop_map(|(mode, bytes)| Op::Unmanaged { mode, bytes }),
        6 => (mode.clone(), 1_u64..40).prop_map(|(mode, bytes)| Op::Store { mode, bytes }),
        2 => mode.prop_map(|mode| Op::DropBlock { mode }),
    ];
    prop::collection::vec(op, 1..60)
}

/// The ledger, driven by futures that are polled when they are woken, first in first.
struct Driven {
    house: House,
    pending: BTreeMap<usize, (i64, Polled)>,
}

impl Driven {
    fn new(totals: [(u64, u64, u64); 2]) -> Self {
        let [on, off] =
            totals.map(|(execution, storage, region)| sizes(execution, storage, region));
        let options = LedgerOptions {
            off_heap: off,
            reclaim_inline: true,
            ..options(on)
        };
        Self {
            house: House::new(Unified::default(), options),
            pending: BTreeMap::new(),
        }
    }

    fn acquire(&mut self, number: usize, mode: usize, task: i64, bytes: u64) -> Answered {
        let ask = Ask::execution(TaskId::new(task), MODES[mode], bytes);
        let mut future = Polled::new(self.house.ledger.acquire_async(ask));
        match future.poll() {
            Some(outcome) => vec![(number, outcome.unwrap().leave())],
            None => {
                self.pending.insert(number, (task, future));
                Vec::new()
            }
        }
    }

    fn forget(&mut self, task: i64) {
        self.pending.retain(|_, (waiting, _)| *waiting != task);
    }

    /// Runs whoever was woken until nobody is any more.
    fn answered(&mut self) -> Answered {
        let mut answered = Vec::new();
        loop {
            let mut woken = self
                .pending
                .iter()
                .filter(|(_, (_, future))| future.is_woken());
            let Some(number) = woken.next().map(|(number, _)| *number) else {
                return answered;
            };
            let (_, future) = self.pending.get_mut(&number).unwrap();
            if let Some(outcome) = future.poll_if_woken() {
                answered.push((number, outcome.unwrap().leave()));
                self.pending.remove(&number);
            }
        }
    }

    fn books(&self, mode: usize) -> [u64; 5] {
        self.house.ledger.check();
        let books = *self.house.ledger.snapshot().of_mode(MODES[mode]);
        assert_eq!(books.kept, 0, "nothing is kept between two operations");
        let storage = [books.storage_pool, books.storage_used];
        let execution = [books.execution_pool, books.execution_used];
        [
            storage[0],
            storage[1],
            execution[0],
            execution[1],
            books.active_tasks,
        ]
    }

    fn store(&self, mode: usize, bytes: u64) -> bool {
        let block = Ask::storage(MODES[mode], bytes, None);
        let stored = self.house.ledger.try_acquire(block);
        stored.is_ok_and(|block| {
            self.house.store.put(MODES[mode], block.leave());
            true
        })
    }
}

/// Runs one operation on both. A task that waits does nothing else but give up, or end.
fn step(rule: &mut Reference, ledger: &mut Driven, number: usize, op: Op) {
    let (mut expected, mut got) = (Vec::new(), Vec::new());
    match op {
        Op::Acquire { task, .. } | Op::Release { task, .. } if rule.is_waiting(task) => return,
        Op::Acquire { mode, task, bytes } => {
            expected = rule.acquire(number, mode, task, bytes);
            got = ledger.acquire(number, mode, task, bytes);
        }
        Op::Release { mode, task, bytes } => {
            expected = rule.release(mode, task, bytes);
            let task = TaskId::new(task);
            raw::release_execution_memory(&ledger.house.ledger, bytes, task, MODES[mode]);
        }
        Op::Cancel { task } => {
            rule.cancel(task);
            ledger.forget(task);
        }
        Op::End { task } => {
            expected = rule.end(task);
            ledger.forget(task);
            ledger.house.ledger.end_task(TaskId::new(task));
        }
        Op::NotifyAll => {
            expected = rule.notify_all();
            ledger.house.ledger.notify_all();
        }
        Op::Unmanaged { mode, bytes } => {
            rule.set_unmanaged(mode, bytes);
            ledger.house.ledger.set_unmanaged(MODES[mode], bytes);
        }
        Op::Store { mode, bytes } => {
            assert_eq!(ledger.store(mode, bytes), rule.store(mode, bytes));
        }
        Op::DropBlock { mode } => {
            if let Some(bytes) = rule.drop_block(mode) {
                assert_eq!(ledger.house.store.drop_oldest(MODES[mode]), bytes);
                raw::release_storage_memory(&ledger.house.ledger, bytes, MODES[mode]);
            }
        }
    }
    got.extend(ledger.answered());
    expected.sort_unstable();
    got.sort_unstable();
    assert_eq!(got, expected, "operation {number}, {op:?}");
    for mode in 0..MODES.len() {
        assert_eq!(
            ledger.books(mode),
            rule.books(mode),
            "operation {number}, {op:?}"
        );
    }
    let waiting = ledger.house.ledger.snapshot().waiting;
    assert_eq!(waiting, ledger.pending.len(), "operation {number}, {op:?}");
}

/// Execution, storage, region.
fn totals() -> impl Strategy<Value = (u64, u64, u64)> {
    (0_u64..120, 0_u64..80, 0_u64..80)
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn the_ledger_does_what_the_rule_says(on in totals(), off in totals(), ops in ops()) {
        let mut rule = Reference::new([on, off]);
        let mut ledger = Driven::new([on, off]);
        for (number, op) in ops.into_iter().enumerate() {
            step(&mut rule, &mut ledger, number, op);
        }
        for task in 0..5 {
            step(&mut rule, &mut ledger, usize::MAX, Op::End { task });
        }
        ledger.house.close(&[]);
    }
}
