//! What a request must leave to others, of its kind and of other operators.

use mem_sync::Moment;

use super::account::Pair;
use super::names::{FLOW, Role, SORTER, kind, partition};
use super::{Asking, Books, Urgency, plus};

/// Of a task's share: what is left to those that would fail.
const LEAST: u64 = 128;
/// The same by rows on their way.
const LEAST_TO_SPILL: u64 = 512;
/// Files of spills have buffers of a size of their own: a smaller share is taken to be that large there, in bytes,
const SHARE_TO_SPILL: u64 = 32 << 20;
/// but no more than so many times as large as it is.
const SHARE_TO_SPILL_TIMES: u64 = 4;
/// Of both: what is left as long as nobody was refused. Whose first shortage it is takes it from there.
const EARLY: u64 = 4;
/// What is left while sorts have yet to begin, and what those of a tuned session take beforehand.
pub(crate) const TO_BEGIN: u64 = 32;
/// Of a task's share: what is left to rows on their way at most.
const FLOW_MAX: u64 = 16;
/// Of a task's share, divided by the number of siblings: what a consumer may have without leaving more than
/// the least. Shorter runs would cost more to merge than they save.
const LITTLE: u64 = 4;
/// Of a task's share: what those that merge sorted runs leave together to who reads from all of them.
const LEFT_BY_MERGES: u64 = 4;
/// So many requests of a consumer are little, too,
const FEW: u64 = 3;
/// as long as they are no more than this part of the share.
const FEW_MAX: u64 = 16;

/// What others may still want, as one of a kind sees it.
#[derive(Debug, Clone, Copy)]
pub(in crate::pool) struct Outlook {
    /// How many there are of its kind, at least 1.
    siblings: u64,
    /// What the others of its kind lack of their guaranteed part, in bytes.
    lacking: u64,
    /// What sorts, besides its own, lack of what they need to go on, in bytes.
    to_sort: u64,
    /// What rows on their way lack of two batches for each of their channels, in bytes, once some were refused.
    to_flow: u64,
    /// Whether there are sorts, besides its own, that have not held anything yet.
    sorts_begin: bool,
    /// Whether somebody was refused.
    is_short: bool,
    role: Role,
}

impl Outlook {
    /// The bytes of the task's `share` that a request must leave.
    pub(in crate::pool) fn left_by(self, asking: &Asking, share: u64) -> u64 {
        let (least, to_spill) = self.margins(share);
        let beside = match self.role {
            Role::Sorter | Role::Merge => self.to_sort,
            Role::Aggregate | Role::Flow | Role::Other => self.to_flow,
        };
        match asking.urgency {
            Urgency::Essential | Urgency::Retry => 0,
            Urgency::Elective if self.role == Role::Flow => to_spill,
            Urgency::Elective | Urgency::Seat if self.is_little(asking, share) => {
                least.saturating_add(beside)
            }
            Urgency::Elective => {
                let to_begin = if self.sorts_begin {
                    share / TO_BEGIN
                } else {
                    0
                };
                let others = self.lacking.max(self.to_sort).max(self.to_flow);
                others.saturating_add(least.max(to_begin))
            }
            Urgency::Seat | Urgency::Futile => u64::MAX,
        }
    }

    /// What is left to those that would fail, and to the files of those that spill.
    fn margins(self, share: u64) -> (u64, u64) {
        let times = share.saturating_mul(SHARE_TO_SPILL_TIMES);
        let share = share.max(SHARE_TO_SPILL).min(times);
        let share = if self.is_short { share } else { share / EARLY };
        (share / LEAST, share / LEAST_TO_SPILL)
    }

    /// Whether a consumer would still have so little that it leaves no more than the least.
    fn is_little(self, asking: &Asking, share: u64) -> bool {
        let little = match self.role {
            Role::Merge => share.saturating_sub(share / LEFT_BY_MERGES) / self.siblings,
            _ => share / self.siblings.saturating_mul(LITTLE),
        };
        let few = asking.asked.saturating_mul(FEW).min(share / FEW_MAX);
        asking.held.saturating_add(asking.asked) <= little.max(few)
    }
}

impl Books {
    /// What others may still want besides the one that asks, where the task has `share` bytes.
    pub(in crate::pool) fn outlook(&self, asking: &Asking, share: u64) -> Outlook {
        let name = self.account(asking.id).map_or("", |account| &*account.name);
        let role = Role::of(name);
        let members = self.siblings.of_operator(kind(name), asking.id);
        let siblings = count(members);
        let is_sorter = role == Role::Sorter;
        let own = self.keeper(asking.id);
        // It leaves to each of them as much as it has itself, up to half an even part.
        let part = asking.held.saturating_add(asking.asked);
        let part = part.min(share / siblings.saturating_mul(2));
        let sorters = self.siblings.of(SORTER);
        let to_go_on = self.to_go_on(sorters).min(share / count(sorters));
        let flows = self.siblings.of(FLOW);
        let to_flow = self.lacking(flows, own, self.of_channel(flows));
        let begun = |id: &usize| *id == own || self.first(*id) > 0;
        Outlook {
            siblings,
            lacking: match is_sorter || self.refusals > 0 || !members.iter().all(begun) {
                true => self.lacking(members, own, part),
                false => 0,
            },
            to_sort: self.lacking(sorters, own, to_go_on),
            to_flow: to_flow.min(share / FLOW_MAX),
            // The first of several may have come before the others.
            sorts_begin: match is_sorter {
                true => siblings == 1 && partition(name).is_some(),
                false => !sorters.iter().all(begun),
            },
            is_short: self.refusals > 0,
            role,
        }
    }

    /// When the last partition of a sort was registered, where consumer `id` is one that would spill.
    pub(in crate::pool) fn newest_sibling(&self, id: usize, urgency: Urgency) -> Option<Moment> {
        let name = self.account(id).map_or("", |account| &*account.name);
        let is_one = Role::of(name) == Role::Sorter && partition(name).is_some();
        let newest = self.siblings.newest(SORTER);
        newest.filter(|_| is_one && urgency == Urgency::Elective)
    }

    /// What `members`, but for one, lack of a `part` each.
    fn lacking(&self, members: &[usize], but: usize, part: u64) -> u64 {
        let asks = |id: usize| self.account(id).is_none_or(|it| !it.is_done);
        let others = members.iter().filter(|id| **id != but && asks(**id));
        let lacks = |id: &usize| {
            let held = self.account(*id).map_or(0, |it| plus(it.held, it.kept));
            part.saturating_sub(plus(held, self.held_by_merge(*id)))
        };
        others.map(lacks).fold(0, u64::saturating_add)
    }

    /// What a sort needs to go on: what it takes beforehand for its merge, and a batch. As one of them has shown.
    fn to_go_on(&self, sorters: &[usize]) -> u64 {
        let merges = sorters.iter().filter_map(|id| self.merge_of(*id));
        plus(
            self.largest_first(merges),
            self.largest_first(sorters.iter().copied()),
        )
    }

    /// What is left to each channel that rows are on their way through: two batches, once some had to be spilled.
    fn of_channel(&self, flows: &[usize]) -> u64 {
        let was_refused = |id: &usize| self.account(*id).is_some_and(|it| it.refusals > 0);
        match flows.iter().any(was_refused) {
            true => self.largest_first(flows.iter().copied()).saturating_mul(2),
            false => 0,
        }
    }

    fn largest_first(&self, ids: impl Iterator<Item = usize>) -> u64 {
        ids.map(|id| self.first(id)).max().unwrap_or(0)
    }

    fn first(&self, id: usize) -> u64 {
        self.account(id).map_or(0, |account| account.first)
    }

    fn merge_of(&self, sorter: usize) -> Option<usize> {
        match self.pairs.of(sorter) {
            Some(Pair::Sorter { merge }) => Some(merge),
            Some(Pair::Merge { .. }) | None => None,
        }
    }

    /// What the merge of sorter `id` holds; 0 of anybody else.
    pub(super) fn held_by_merge(&self, id: usize) -> u64 {
        let merge = self.merge_of(id).and_then(|merge| self.account(merge));
        merge.map_or(0, |account| account.held)
    }
}

fn count(members: &[usize]) -> u64 {
    u64::try_from(members.len()).unwrap_or(u64::MAX).max(1)
}
