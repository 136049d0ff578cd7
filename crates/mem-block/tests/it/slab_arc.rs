//! Counted references into slabs, beside the standard library's.

use crate::cases;
use mem_block::{SlabArc, SlabWeak};
use proptest::prelude::*;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

/// Counts its drops.
#[derive(Debug, Clone)]
struct Counted {
    number: u64,
    drops: Arc<AtomicUsize>,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.drops.fetch_add(1, Ordering::Relaxed);
    }
}

/// One of the two kinds, and the other, which has to do the same.
#[derive(Default)]
struct Both {
    arcs: Vec<(SlabArc<Counted>, Arc<Counted>)>,
    weaks: Vec<(SlabWeak<Counted>, Weak<Counted>)>,
    made: u64,
    drops: Arc<AtomicUsize>,
    expected_drops: Arc<AtomicUsize>,
}

impl Both {
    fn make(&mut self) {
        self.made += 1;
        let counted = |drops: &Arc<AtomicUsize>| Counted {
            number: self.made,
            drops: Arc::clone(drops),
        };
        let (ours, theirs) = (counted(&self.drops), counted(&self.expected_drops));
        self.arcs.push((SlabArc::new(ours), Arc::new(theirs)));
    }

    fn step(&mut self, what: u8, which: usize) {
        let arc = which % self.arcs.len().max(1);
        let weak = which % self.weaks.len().max(1);
        let (has_arc, has_weak) = (!self.arcs.is_empty(), !self.weaks.is_empty());
        match what {
            0 => self.make(),
            1 if has_arc => self.arcs.push(self.arcs[arc].clone()),
            2 if has_arc => drop(self.arcs.swap_remove(arc)),
            3 if has_arc => {
                let (ours, theirs) = &self.arcs[arc];
                let weaks = (SlabArc::downgrade(ours), Arc::downgrade(theirs));
                self.weaks.push(weaks);
            }
            4 if has_weak => self.weaks.push(self.weaks[weak].clone()),
            5 if has_weak => drop(self.weaks.swap_remove(weak)),
            6 if has_weak => {
                let (ours, theirs) = &self.weaks[weak];
                let back = (ours.upgrade(), theirs.upgrade());
                assert_eq!(back.0.is_some(), back.1.is_some());
                self.arcs.extend(back.0.zip(back.1));
            }
            7 if has_arc => {
                let (ours, theirs) = &mut self.arcs[arc];
                let own = (SlabArc::get_mut(ours), Arc::get_mut(theirs));
                assert_eq!(own.0.is_some(), own.1.is_some());
                if let (Some(ours), Some(theirs)) = own {
                    ours.number += 1000;
                    theirs.number += 1000;
                }
            }
            8 if has_arc => {
                let (ours, theirs) = self.arcs.swap_remove(arc);
                let inner = (SlabArc::into_inner(ours), Arc::into_inner(theirs));
                assert_eq!(inner.0.is_some(), inner.1.is_some());
            }
            _ => {}
        }
    }

    fn check(&self) {
        for (ours, theirs) in &self.arcs {
            assert_eq!(ours.number, theirs.number);
            assert_eq!(SlabArc::strong_count(ours), Arc::strong_count(theirs));
            assert_eq!(SlabArc::weak_count(ours), Arc::weak_count(theirs));
        }
        let drops = [&self.drops, &self.expected_drops].map(|drops| drops.load(Ordering::Relaxed));
        assert_eq!(drops[0], drops[1]);
    }
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn they_count_as_the_standard_librarys_do(
        steps in prop::collection::vec((0_u8..9, any::<usize>()), 0..200),
    ) {
        let mut both = Both::default();
        for (what, which) in steps {
            both.step(what, which);
            both.check();
        }
        both.arcs.clear();
        both.check();
        prop_assert_eq!(both.drops.load(Ordering::Relaxed) as u64, both.made);
    }
}

#[test]
fn objects_begin_with_a_line_behind_the_counts_whatever_their_size() {
    fn check<const N: usize>() {
        let arcs: Vec<_> = (0..3000_u64).map(|n| SlabArc::new([n; N])).collect();
        for (n, arc) in (0_u64..).zip(&arcs) {
            assert_eq!(std::ptr::from_ref(&**arc).addr() % 64, 16);
            assert_eq!(**arc, [n; N]);
        }
    }
    check::<1>();
    check::<6>();
    check::<7>();
    check::<30>();
    check::<62>();
}

#[test]
fn one_that_remembers_nothing_finds_nothing() {
    let none = SlabWeak::<u64>::new();
    let too = none.clone();
    assert!(none.upgrade().is_none() && too.upgrade().is_none());
    assert!(SlabWeak::<u64>::default().upgrade().is_none());
}

#[test]
fn a_drop_that_panics_gives_the_place_back() {
    struct Panics;
    impl Drop for Panics {
        fn drop(&mut self) {
            panic!("on purpose");
        }
    }
    let object = SlabArc::new((Panics, [0_u64; 40]));
    let weak = SlabArc::downgrade(&object);
    catch_unwind(AssertUnwindSafe(|| drop(object))).unwrap_err();
    assert!(weak.upgrade().is_none());
}

#[test]
fn many_threads_share_remember_and_drop() {
    let drops = Arc::new(AtomicUsize::new(0));
    let counted = |number| Counted {
        number,
        drops: Arc::clone(&drops),
    };
    for round in 0..200 {
        let object = SlabArc::new(counted(round));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                let (own, weak) = (SlabArc::clone(&object), SlabArc::downgrade(&object));
                scope.spawn(move || {
                    for _ in 0..20 {
                        let other = SlabArc::clone(&own);
                        let back = weak.upgrade();
                        assert!(back.is_some_and(|back| back.number == other.number));
                    }
                    drop(own);
                    if let Some(back) = weak.upgrade() {
                        assert_eq!(back.number, round);
                    }
                });
            }
            drop(object);
        });
    }
    assert_eq!(drops.load(Ordering::Relaxed), 200);
}
