//! The first partition of a sort waits for the others to be registered.
//!
//! DataFusion registers them one after the other, and lets the first run meanwhile: on another thread, fed from
//! memory, that one can take all there is before the second is known.

use std::time::Duration;

use mem_sync::Parker;

use super::HearthMemoryPool;
use super::books::{Asking, Outlook};
use crate::off_worker;

/// How long after a sorter another of its sort is expected. What is registered later finds memory where the
/// first one leaves some.
const ARRIVING: Duration = Duration::from_millis(10);
/// How long it waits before it looks again.
const NAP: Duration = Duration::from_micros(200);

impl HearthMemoryPool {
    /// What the others may still want, and what the task has been granted, in bytes; once they are there.
    pub(super) fn outlook(&self, asking: &Asking, share: u64) -> (Outlook, u64) {
        let look = || {
            let books = self.books.lock();
            (books.outlook(asking, share), books.granted())
        };
        let seen = look();
        if !self.may_be_first(seen.0, asking, share) {
            return seen;
        }
        let waited = off_worker::block(|| {
            let (clock, parker) = (self.shared.ledger().clock(), Parker::new());
            loop {
                clock.park(&parker, Some(clock.now() + NAP));
                let seen = look();
                if !self.may_be_first(seen.0, asking, share) {
                    return seen;
                }
            }
        });
        waited.unwrap_or(seen)
    }

    /// Whether other partitions of a sort may come after the one that asks.
    fn may_be_first(&self, outlook: Outlook, asking: &Asking, share: u64) -> bool {
        let alone = outlook.alone(asking, share);
        alone.is_some_and(|since| self.shared.ledger().clock().now().since(since) < ARRIVING)
    }
}
