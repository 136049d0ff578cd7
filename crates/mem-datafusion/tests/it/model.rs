//! The books against a model, whatever consumers do.

use std::sync::Arc;

use datafusion_execution::memory_pool::{MemoryPool, MemoryReservation};
use mem_datafusion::HearthMemoryPool;
use proptest::prelude::*;
use proptest::test_runner::{Config as ProptestConfig, RngSeed};

use crate::support::{check_empty, holder, runtime, spiller, task};

const TOTAL: usize = 10_000;

#[derive(Debug, Clone)]
enum Step {
    Register { can_spill: bool },
    TryGrow(usize, usize),
    Grow(usize, usize),
    Shrink(usize, usize),
    Free(usize),
    Split(usize, usize),
    Drop(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let who = 0..8_usize;
    let size = prop_oneof![1..200_usize, 200..6000_usize];
    let step = prop_oneof![
        2 => any::<bool>().prop_map(|can_spill| Step::Register { can_spill }),
        6 => (who.clone(), size.clone()).prop_map(|(who, size)| Step::TryGrow(who, size)),
        1 => (who.clone(), size.clone()).prop_map(|(who, size)| Step::Grow(who, size)),
        4 => (who.clone(), size.clone()).prop_map(|(who, size)| Step::Shrink(who, size)),
        2 => who.clone().prop_map(Step::Free),
        1 => (who.clone(), size).prop_map(|(who, size)| Step::Split(who, size)),
        1 => who.prop_map(Step::Drop),
    ];
    prop::collection::vec(step, 1..120)
}

/// Reservations that belong to the same consumer have the same number.
struct Model {
    pool: Arc<dyn MemoryPool>,
    hearth: Arc<HearthMemoryPool>,
    reservations: Vec<(usize, MemoryReservation)>,
    consumers: usize,
}

impl Model {
    fn held_by(&self, consumer: usize) -> usize {
        let own = self.reservations.iter().filter(|(of, _)| *of == consumer);
        own.map(|(_, reservation)| reservation.size()).sum()
    }

    fn used(&self) -> usize {
        self.reservations.iter().map(|(_, each)| each.size()).sum()
    }

    fn pick(&self, who: usize) -> Option<&(usize, MemoryReservation)> {
        self.reservations.get(who % self.reservations.len().max(1))
    }

    fn apply(&mut self, step: &Step) {
        let used = self.used();
        match *step {
            Step::Register { can_spill } => {
                let make = if can_spill { spiller } else { holder };
                let made = make(&self.pool, &format!("consumer {}", self.consumers));
                self.reservations.push((self.consumers, made));
                self.consumers += 1;
            }
            Step::TryGrow(who, size) => {
                if let Some((consumer, reservation)) = self.pick(who) {
                    let has_nothing = self.held_by(*consumer) == 0;
                    let granted = reservation.try_grow(size).is_ok();
                    let fits = used + size <= TOTAL;
                    assert!(fits || !granted, "nothing beyond the limit is granted");
                    let is_due = fits && (has_nothing || !reservation.consumer().can_spill());
                    assert!(granted || !is_due, "{size} on top of {used} were due");
                }
            }
            Step::Grow(who, size) => {
                if let Some((_, reservation)) = self.pick(who) {
                    reservation.grow(size);
                }
            }
            Step::Shrink(who, size) => {
                if let Some((_, reservation)) = self.pick(who) {
                    reservation.shrink(size.min(reservation.size()));
                }
            }
            Step::Free(who) => {
                self.pick(who).map(|(_, reservation)| reservation.free());
            }
            Step::Split(who, size) => {
                if let Some((consumer, reservation)) = self.pick(who) {
                    let split = reservation.split(size.min(reservation.size()));
                    self.reservations.push((*consumer, split));
                }
            }
            Step::Drop(who) => {
                if !self.reservations.is_empty() {
                    let who = who % self.reservations.len();
                    drop(self.reservations.swap_remove(who));
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 300,
        rng_seed: RngSeed::Fixed(0x5eed),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_books_are_the_sum_of_what_happened(steps in steps()) {
        let runtime = runtime(TOTAL);
        let (pool, hearth) = task(&runtime);
        let mut model = Model { pool, hearth, reservations: Vec::new(), consumers: 0 };
        for step in &steps {
            model.apply(step);
            model.hearth.check();
            let used = model.used();
            prop_assert_eq!(model.pool.reserved(), used);
            let stats = model.hearth.stats();
            let of_consumers: u64 = stats.consumers.iter().map(|each| each.held).sum();
            prop_assert_eq!(of_consumers, u64::try_from(used).unwrap());
            // What is beyond the limit is metered to the byte.
            let beyond = u64::try_from(used.saturating_sub(TOTAL)).unwrap();
            prop_assert_eq!(stats.overdraft, beyond);
            let ledger = runtime.manager().ledger().snapshot().off_heap;
            prop_assert_eq!(ledger.execution_used, stats.granted);
            prop_assert!(stats.granted + stats.overdraft >= stats.used);
            prop_assert_eq!(runtime.stats().overdraft, stats.overdraft);
        }
        model.reservations.clear();
        prop_assert_eq!(runtime.manager().ledger().snapshot().off_heap.active_tasks, 0);
        drop(model);
        check_empty(&runtime);
    }
}

/// Threads of three tasks at once: whatever they do in between, at the end nothing is left, and no more
/// than all was ever granted.
#[test]
fn threads_of_several_tasks_leave_nothing_behind() {
    let runtime = runtime(TOTAL);
    std::thread::scope(|scope| {
        for seed in 1..=6_u64 {
            let runtime = &runtime;
            let (pool, hearth) = task(runtime);
            for lane in 0..2_u64 {
                let pool = Arc::clone(&pool);
                let hearth = Arc::clone(&hearth);
                scope.spawn(move || {
                    let mut random = seed * 0x9e37_79b9 + lane * 77 + 1;
                    let mut next = |below: u64| {
                        random ^= random << 13;
                        random ^= random >> 7;
                        random ^= random << 17;
                        usize::try_from(random % below).unwrap()
                    };
                    let spills = spiller(&pool, "spills");
                    let holds = holder(&pool, "holds");
                    for _ in 0..3000 {
                        match next(8) {
                            0..4 => {
                                if spills.try_grow(next(900)).is_err() {
                                    spills.free();
                                }
                            }
                            4 => drop(holds.try_grow(next(300))),
                            5 => holds.grow(next(50)),
                            6 => {
                                holds.free();
                            }
                            _ => spills.shrink(next(400).min(spills.size())),
                        }
                    }
                    drop((spills, holds, pool, hearth));
                });
            }
        }
    });
    check_empty(&runtime);
    let peak = runtime.manager().ledger().snapshot().off_heap.peak_granted;
    assert!(peak <= u64::try_from(TOTAL).unwrap());
}

#[test]
fn a_request_that_nobody_can_have_is_refused_and_does_not_wrap() {
    let runtime = runtime(TOTAL);
    let (pool, hearth) = task(&runtime);
    let greedy = holder(&pool, "greedy");
    greedy.try_grow(10).unwrap();
    assert!(greedy.try_grow(usize::MAX - 5).is_err());
    assert_eq!(pool.reserved(), 10);
    // And one that can't be refused does not panic.
    let absurd = spiller(&pool, "absurd");
    absurd.grow(usize::MAX / 2);
    absurd.grow(usize::MAX / 4);
    hearth.check();
    drop((absurd, greedy));
    hearth.check();
    drop((pool, hearth));
    check_empty(&runtime);
}

#[test]
fn registering_is_nothing_and_a_task_counts_while_it_holds_something() {
    let runtime = runtime(TOTAL);
    let count = || runtime.manager().ledger().snapshot().off_heap.active_tasks;
    let (pool, hearth) = task(&runtime);
    let many: Vec<_> = (0..100).map(|_| spiller(&pool, "idle")).collect();
    assert_eq!((count(), hearth.stats().consumers.len()), (0, 0));
    assert!(many[0].try_grow(0).is_ok());
    assert_eq!(count(), 0);
    // Idle consumers do not lessen anybody's share: all but a small reserve can be had.
    many[0].try_grow(TOTAL - TOTAL / 32).unwrap();
    assert_eq!(count(), 1);
    many[0].free();
    assert_eq!(count(), 0);
}
