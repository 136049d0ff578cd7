//! The first partitions of a sort wait for the others to be registered.
//!
//! DataFusion registers them one after the other, and lets the first run meanwhile: on another thread, fed from
//! memory, that one can take all there is before the next is known.

use std::time::Duration;

use mem_sync::{Moment, Parker};

use super::HearthMemoryPool;
use super::books::Asking;
use crate::off_worker;

/// How long after a sorter another of its sort is expected. What is registered later finds what the first
/// ones have left.
const ARRIVING: Duration = Duration::from_millis(20);
/// Of the task's share: with no more granted, nobody is in the way of those that come.
const EARLY: u64 = 4;

impl HearthMemoryPool {
    /// Waits until the last partition of a sort, which came at `newest`, is likely to be the last of all; not where
    /// the task has little, or may not wait. Nothing is held for the request yet.
    pub(super) fn await_siblings(&self, asking: &Asking, newest: Moment) {
        let clock = self.shared.ledger().clock();
        let is_early = |newest| clock.now().since(newest) < ARRIVING;
        if !is_early(newest) {
            return;
        }
        let granted = self.books.lock().granted();
        if granted <= self.room().share / EARLY {
            return;
        }
        let newest = || {
            let books = self.books.lock();
            books.newest_sibling(asking.id, asking.urgency)
        };
        let _none_where_it_may_not_wait = off_worker::block(|| {
            let parker = Parker::new();
            while let Some(newest) = newest().filter(|newest| is_early(*newest)) {
                clock.park(&parker, Some(newest + ARRIVING));
            }
        });
    }
}
