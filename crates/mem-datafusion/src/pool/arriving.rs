//! The first partitions of a sort wait for the others to be registered.
//!
//! DataFusion registers them one after the other, and lets the first run meanwhile: on another thread, fed from
//! memory, that one can take all there is before the next is known.

use std::time::Duration;

use mem_sync::Parker;

use super::HearthMemoryPool;
use super::books::{Asking, Outlook};
use crate::off_worker;

/// How long after a sorter another of its sort is expected. What is registered later finds what the first
/// ones have left.
const ARRIVING: Duration = Duration::from_millis(20);
/// How long it waits before it looks again.
const NAP: Duration = Duration::from_micros(200);

impl HearthMemoryPool {
    /// What the others may still want, and what the task has been granted, in bytes. Where that is more than
    /// a quarter of its `share`, others are waited for.
    pub(super) fn outlook(&self, asking: &Asking, share: u64) -> (Outlook, u64) {
        let look = || {
            let books = self.books.lock();
            (books.outlook(asking, share), books.granted())
        };
        let is_early = |seen: (Outlook, u64)| seen.1 > share / 4 && self.may_be_early(seen.0);
        let seen = look();
        if !is_early(seen) {
            return seen;
        }
        let waited = off_worker::block(|| {
            let (clock, parker) = (self.shared.ledger().clock(), Parker::new());
            loop {
                clock.park(&parker, Some(clock.now() + NAP));
                let seen = look();
                if !is_early(seen) {
                    return seen;
                }
            }
        });
        waited.unwrap_or(seen)
    }

    /// Whether other partitions of a sort may come after those that are there.
    fn may_be_early(&self, outlook: Outlook) -> bool {
        let now = self.shared.ledger().clock().now();
        outlook.newest.is_some_and(|at| now.since(at) < ARRIVING)
    }
}
