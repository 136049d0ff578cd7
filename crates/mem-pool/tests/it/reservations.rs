//! Memory as a value: what is split, merged, resized and handed on stays the same sum, and ends at 0.

use mem_block::MemoryMode;
use mem_pool::{Ask, Kind, LedgerOptions, Reservation, TaskId, Wait, raw};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::house::{House, ON, ask, sizes};
use crate::policies::Unified;
use crate::{cases, options};

#[derive(Debug, Clone)]
enum Op {
    Split(Index, u64),
    Merge(Index, Index),
    Shrink(Index, u64),
    Grow(Index, u64),
    Resize(Index, u64),
    Convert(Index),
    Drop(Index),
    Leave(Index),
    Acquire(u64),
    Unroll(u64),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        (any::<Index>(), 0_u64..50).prop_map(|(at, bytes)| Op::Split(at, bytes)),
        (any::<Index>(), any::<Index>()).prop_map(|(one, other)| Op::Merge(one, other)),
        (any::<Index>(), 0_u64..50).prop_map(|(at, bytes)| Op::Shrink(at, bytes)),
        (any::<Index>(), 0_u64..50).prop_map(|(at, bytes)| Op::Grow(at, bytes)),
        (any::<Index>(), 0_u64..50).prop_map(|(at, bytes)| Op::Resize(at, bytes)),
        any::<Index>().prop_map(Op::Convert),
        any::<Index>().prop_map(Op::Drop),
        any::<Index>().prop_map(Op::Leave),
        (0_u64..50).prop_map(Op::Acquire),
        (0_u64..50).prop_map(Op::Unroll),
    ];
    prop::collection::vec(op, 1..50)
}

/// Guards of one task and of blocks, with what was left with their owners.
struct Held {
    house: House,
    guards: Vec<Reservation>,
    left: [u64; 2],
}

impl Held {
    /// Changes the guard that `at` means, if there is one.
    fn change(&mut self, at: &Index, change: impl FnOnce(&mut Reservation)) {
        if !self.guards.is_empty() {
            let at = at.index(self.guards.len());
            change(&mut self.guards[at]);
        }
    }

    fn take(&mut self, at: &Index) -> Option<Reservation> {
        (!self.guards.is_empty()).then(|| self.guards.swap_remove(at.index(self.guards.len())))
    }

    fn run(&mut self, op: &Op) {
        match op {
            Op::Split(at, bytes) => {
                let mut part = None;
                self.change(at, |guard| {
                    let before = guard.bytes();
                    let split = guard.split(*bytes);
                    assert_eq!(guard.bytes() + split.bytes(), before);
                    part = Some(split);
                });
                self.guards.extend(part);
            }
            Op::Merge(one, other) => {
                let Some(other) = self.take(other) else {
                    return;
                };
                let mut rest = Some(other);
                self.change(one, |guard| {
                    let other = rest.take().unwrap();
                    let same = (guard.kind(), guard.task()) == (other.kind(), other.task());
                    rest = guard.merge(other).err().map(|(_, other)| other);
                    assert_eq!(rest.is_none(), same);
                });
                self.guards.extend(rest);
            }
            Op::Shrink(at, bytes) => self.change(at, |guard| {
                let before = guard.bytes();
                guard.shrink_to(*bytes);
                assert_eq!(guard.bytes(), before.min(*bytes));
            }),
            Op::Grow(at, bytes) => self.change(at, |guard| {
                let before = guard.bytes();
                let grown = guard.try_grow(*bytes).is_ok();
                assert_eq!(guard.bytes(), before + if grown { *bytes } else { 0 });
            }),
            Op::Resize(at, bytes) => self.change(at, |guard| {
                let before = guard.bytes();
                let resized = guard.resize(*bytes, &Wait::default()).is_ok();
                assert_eq!(guard.bytes(), if resized { *bytes } else { before });
            }),
            Op::Convert(at) => {
                if let Some(guard) = self.take(at) {
                    let before = (guard.kind() == Kind::Execution, guard.bytes());
                    let guard = guard.into_storage();
                    assert_ne!(guard.kind(), Kind::Unroll);
                    assert_eq!((guard.kind() == Kind::Execution, guard.bytes()), before);
                    self.guards.push(guard);
                }
            }
            Op::Drop(at) => drop(self.take(at)),
            Op::Leave(at) => {
                if let Some(guard) = self.take(at) {
                    let owner = usize::from(guard.task().is_none());
                    self.left[owner] += guard.leave();
                }
            }
            Op::Acquire(bytes) => {
                self.guards
                    .extend(self.house.ledger.try_acquire(ask(1, *bytes)));
            }
            Op::Unroll(bytes) => {
                let unroll = Ask::unroll(ON, *bytes, None);
                self.guards.extend(self.house.ledger.try_acquire(unroll));
            }
        }
    }

    /// What guards hold and what was left, by execution and storage, is what the ledger has granted.
    fn check(&self) {
        let mut sums = self.left;
        for guard in &self.guards {
            sums[usize::from(guard.task().is_none())] += guard.bytes();
        }
        let books = self.house.books();
        assert_eq!([books.execution_used, books.storage_used], sums);
    }
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn sums_are_kept_and_end_at_nothing(ops in ops()) {
        let house = House::new(Unified::default(), options(sizes(100, 60, 30)));
        let mut held = Held { house, guards: Vec::new(), left: [0, 0] };
        for op in &ops {
            held.run(op);
            held.check();
        }
        held.guards.clear();
        let (task, [execution, storage]) = (TaskId::new(1), held.left);
        prop_assert_eq!(raw::release_storage_memory(&held.house.ledger, storage, ON), storage);
        prop_assert_eq!(held.house.ledger.end_task(task), (execution, 0));
        let books = held.house.books();
        prop_assert_eq!((books.execution_used, books.storage_used), (0, 0));
        held.house.close(&[]);
    }
}

#[test]
fn what_does_not_belong_together_is_not_merged() {
    let options = LedgerOptions {
        off_heap: sizes(10, 10, 0),
        ..options(sizes(10, 10, 0))
    };
    let (house, stranger) = (
        House::new(Unified::default(), options.clone()),
        House::new(Unified::default(), options),
    );
    let off_heap = Ask::execution(TaskId::new(1), MemoryMode::OffHeap, 1);
    let others = [
        house.grant(2, 1),
        stranger.grant(1, 1),
        house.ledger.try_acquire(off_heap).unwrap(),
        house.ledger.try_acquire(Ask::storage(ON, 1, None)).unwrap(),
    ];
    let mut guard = house.grant(1, 1);
    for other in others {
        let (error, other) = guard.merge(other).unwrap_err();
        assert_eq!((guard.bytes(), other.bytes()), (1, 1));
        assert!(error.to_string().contains("can't be merged"));
    }
    let same = house.grant(1, 1);
    guard.merge(same).unwrap();
    assert_eq!(guard.bytes(), 2);
}

#[test]
fn what_can_not_be_grown_leaves_the_guard_alone_and_keeps_the_part() {
    let house = House::new(Unified::default(), options(sizes(10, 0, 0)));
    let mut guard = house.grant(1, 6);
    let refusal = guard.try_grow(7).unwrap_err();
    assert_eq!((guard.bytes(), refusal.kept().unwrap().bytes()), (6, 4));
    assert_eq!(house.books().execution_used, 10);
    guard.merge(refusal.into_kept().unwrap()).unwrap();
    assert_eq!(guard.bytes(), 10);
}

#[test]
fn a_converted_block_is_never_without_its_memory() {
    let house = House::new(Unified::default(), options(sizes(0, 10, 0)));
    let unroll = house.ledger.try_acquire(Ask::unroll(ON, 10, None)).unwrap();
    let before = house.ledger.snapshot();
    let block = unroll.into_storage();
    assert_eq!(house.ledger.snapshot(), before);
    assert_eq!((block.kind(), block.bytes()), (Kind::Storage, 10));
}
