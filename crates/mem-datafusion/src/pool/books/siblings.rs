//! Consumers of one kind: the partitions of an operator.

use datafusion_execution::memory_pool::MemoryConsumer;
use rustc_hash::FxHashMap;

use super::names::{Role, SORTER, kind, partition};
use super::{Asking, Books, Urgency, plus};

/// Those that can spill, by what they are called before the number of their partition.
#[derive(Debug, Default)]
pub(super) struct Siblings(FxHashMap<Box<str>, Vec<usize>>);

impl Siblings {
    pub(super) fn register(&mut self, consumer: &MemoryConsumer) {
        if consumer.can_spill() {
            let kind = kind(consumer.name());
            match self.0.get_mut(kind) {
                Some(members) => members.push(consumer.id()),
                None => drop(self.0.insert(kind.into(), vec![consumer.id()])),
            }
        }
    }

    pub(super) fn unregister(&mut self, consumer: &MemoryConsumer) {
        let kind = kind(consumer.name());
        if consumer.can_spill()
            && let Some(members) = self.0.get_mut(kind)
        {
            members.retain(|id| *id != consumer.id());
            if members.is_empty() {
                self.0.remove(kind);
            }
        }
    }

    fn of(&self, kind: &str) -> &[usize] {
        self.0.get(kind).map_or(&[], Vec::as_slice)
    }
}

/// Of a task's share: what is left to those that would fail.
const LEAST: u64 = 128;
/// The same while sorts have yet to begin.
const TO_BEGIN: u64 = 8;
/// Of a task's share, divided by the number of siblings: what a consumer may have without leaving more than
/// the least. Shorter runs would cost more to merge than they save.
const LITTLE: u64 = 4;
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
    /// Whether there are sorts, besides it, that have not held anything yet.
    sorts_begin: bool,
    /// Whether it buffers rows on their way.
    is_flow: bool,
}

impl Outlook {
    /// The bytes of the task's `share` that a request must leave.
    pub(in crate::pool) fn left_by(self, asking: &Asking, share: u64) -> u64 {
        let least = share / LEAST;
        let little = share / self.siblings.saturating_mul(LITTLE);
        let few = asking.asked.saturating_mul(FEW).min(share / FEW_MAX);
        let is_little = asking.held.saturating_add(asking.asked) <= little.max(few);
        match asking.urgency {
            Urgency::Essential | Urgency::Retry => 0,
            Urgency::Elective | Urgency::Seat if is_little || self.is_flow => least,
            Urgency::Elective => {
                let part = if self.sorts_begin { TO_BEGIN } else { LEAST };
                self.lacking.saturating_add(share / part)
            }
            Urgency::Seat | Urgency::Futile => u64::MAX,
        }
    }
}

impl Books {
    /// What others may still want besides consumer `id`, where the task has `share` bytes.
    pub(in crate::pool) fn outlook(&self, id: usize, share: u64) -> Outlook {
        let name = self.accounts.get(&id).map_or("", |account| &*account.name);
        let (role, members) = (Role::of(name), self.siblings.of(kind(name)));
        let siblings = u64::try_from(members.len()).unwrap_or(u64::MAX).max(1);
        let part = share / siblings.saturating_mul(2);
        let lacks = |id: &usize| {
            let held = self.accounts.get(id).map_or(0, |it| plus(it.held, it.kept));
            part.saturating_sub(held)
        };
        let others = members.iter().filter(|sibling| **sibling != id);
        let begun = |id: &usize| self.accounts.get(id).is_some_and(|it| it.has_begun);
        let sorts_begin = match role {
            // Of a sort by partitions, the first may have come before the others.
            Role::Sorter => siblings == 1 && partition(name).is_some(),
            _ => !self.siblings.of(SORTER).iter().all(begun),
        };
        Outlook {
            siblings,
            lacking: others.map(lacks).fold(0, u64::saturating_add),
            sorts_begin,
            is_flow: role == Role::Flow,
        }
    }
}
