//! What a refusal would do to the one that asks.

use super::Books;
use super::account::Pair;
use super::names::Role;

/// How a request has to be dealt with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::pool) enum Urgency {
    /// Refused, the consumer fails: it has nothing to spill, can't spill, or merges what it has spilled.
    Essential,
    /// The same: it has spilled, and comes back.
    Retry,
    /// Refused, it spills.
    Elective,
    /// Refused, it merges fewer runs at once.
    Seat,
    /// Refused, it does without: it has been told to spill, and is about it.
    Futile,
}

impl Urgency {
    /// Whether the one that asks would fail.
    pub(in crate::pool) fn is_essential(self) -> bool {
        matches!(self, Self::Essential | Self::Retry)
    }
}

impl Books {
    /// That of a request of a consumer with an account, through a reservation that has `here` bytes already.
    pub(super) fn urgency(&self, id: usize, here: u64, asked: u64) -> Urgency {
        let Some(account) = self.accounts.get(&id) else {
            return Urgency::Essential;
        };
        if !account.can_spill {
            return match account.pair {
                // Its sorter is gone: it reads runs, as many at once as it gets memory for.
                Some(Pair::Merge { sorter })
                    if here > 0 && !self.accounts.contains_key(&sorter) =>
                {
                    Urgency::Seat
                }
                _ => Urgency::Essential,
            };
        }
        if account.is_spilling() && account.is_sorter() {
            // It comes back once all is written, with the very request; what else it asks for is to
            // write in larger pieces.
            return match account.held {
                0 if asked == account.wanted => Urgency::Retry,
                0 => Urgency::Essential,
                _ => Urgency::Futile,
            };
        }
        if account.is_spilling() && account.returned {
            return Urgency::Retry;
        }
        if account.held == 0 {
            // Rows on their way are written down as they come.
            return match Role::of(&account.name) {
                Role::Flow => Urgency::Elective,
                _ => Urgency::Essential,
            };
        }
        // A consumer with several reservations does.
        if here < account.held && !account.is_sorter() {
            return Urgency::Essential;
        }
        if account.merging && !account.is_sorter() {
            return Urgency::Seat;
        }
        Urgency::Elective
    }
}
