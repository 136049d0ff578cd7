//! The blocks of one dataset in their order, as links between slots that all lines share.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

use mem_pool::Dataset;

use super::{Place, Queued, Stamp};

/// No slot: the end of a line.
const NONE: usize = usize::MAX;

/// What stands in the queue. A slot is used again, the one that came free last first.
#[derive(Debug)]
pub(super) struct Slots<B> {
    slots: Vec<Slot<B>>,
    free: usize,
}

#[derive(Debug)]
enum Slot<B> {
    Free { next: usize },
    Taken(Standing<B>),
}

#[derive(Debug)]
struct Standing<B> {
    stamp: Stamp,
    /// Whether it came when one with a later stamp was there already.
    is_stray: bool,
    before: usize,
    behind: usize,
    queued: Queued<B>,
}

impl<B> Default for Slots<B> {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            free: NONE,
        }
    }
}

impl<B> Slots<B> {
    /// The block at `place`.
    pub(super) fn queued_at(&self, place: Place) -> Option<&Queued<B>> {
        self.get(place.0).map(|standing| &standing.queued)
    }

    #[inline]
    fn add(&mut self, standing: Standing<B>) -> usize {
        match self.slots.get_mut(self.free) {
            Some(slot) => {
                let at = self.free;
                if let Slot::Free { next } = *slot {
                    self.free = next;
                }
                *slot = Slot::Taken(standing);
                at
            }
            None => {
                self.slots.push(Slot::Taken(standing));
                self.slots.len() - 1
            }
        }
    }

    fn take(&mut self, at: usize) -> Option<Standing<B>> {
        let slot = self.slots.get_mut(at)?;
        if matches!(slot, Slot::Free { .. }) {
            return None;
        }
        match std::mem::replace(slot, Slot::Free { next: self.free }) {
            Slot::Taken(standing) => {
                self.free = at;
                Some(standing)
            }
            Slot::Free { .. } => None,
        }
    }

    fn get(&self, at: usize) -> Option<&Standing<B>> {
        match self.slots.get(at) {
            Some(Slot::Taken(standing)) => Some(standing),
            Some(Slot::Free { .. }) | None => None,
        }
    }

    fn get_mut(&mut self, at: usize) -> Option<&mut Standing<B>> {
        match self.slots.get_mut(at) {
            Some(Slot::Taken(standing)) => Some(standing),
            Some(Slot::Free { .. }) | None => None,
        }
    }
}

/// The blocks of one dataset, or those that belong to none.
///
/// Who comes with the latest stamp so far goes to the end of the row: a block that was put. Others
/// come out of turn, those that were got since they were put in the row, and those that nobody reads
/// any more: they are strays, in an order of their own.
#[derive(Debug)]
pub(super) struct Line {
    first: usize,
    last: usize,
    /// Some of them may have gone: their slots are free, or taken by others.
    strays: BinaryHeap<Reverse<(Stamp, usize)>>,
    strays_there: usize,
    bytes: u64,
    /// What it stands under among the lines: no block in it is older. None while it is not there.
    pub(super) bound: Option<Stamp>,
}

impl Default for Line {
    fn default() -> Self {
        Self {
            first: NONE,
            last: NONE,
            strays: BinaryHeap::new(),
            strays_there: 0,
            bytes: 0,
            bound: None,
        }
    }
}

impl Line {
    /// Bytes of all its blocks.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The oldest.
    pub(super) fn head<B>(&self, slots: &Slots<B>) -> Option<(Stamp, Place)> {
        let row = slots.get(self.first).map(|first| (first.stamp, self.first));
        let stray = self.strays.peek().map(|Reverse(stray)| *stray);
        let (stamp, at) = row.into_iter().chain(stray).min()?;
        Some((stamp, Place(at)))
    }

    /// Has the line of `dataset` stand under another stamp among the `lines`.
    pub(super) fn rebound(
        &mut self,
        lines: &mut BTreeSet<(Stamp, Option<Dataset>)>,
        dataset: Option<Dataset>,
        bound: Option<Stamp>,
    ) {
        if let Some(before) = std::mem::replace(&mut self.bound, bound) {
            lines.remove(&(before, dataset));
        }
        if let Some(bound) = bound {
            lines.insert((bound, dataset));
        }
    }

    #[inline]
    pub(super) fn insert<B>(
        &mut self,
        slots: &mut Slots<B>,
        stamp: Stamp,
        queued: Queued<B>,
    ) -> Place {
        let is_stray = slots.get(self.last).is_some_and(|last| last.stamp > stamp);
        // Sums of blocks' sizes: they are granted, so they fit.
        self.bytes += queued.bytes;
        let before = if is_stray { NONE } else { self.last };
        let at = slots.add(Standing {
            stamp,
            is_stray,
            before,
            behind: NONE,
            queued,
        });
        if is_stray {
            self.strays.push(Reverse((stamp, at)));
            self.strays_there += 1;
        } else {
            match slots.get_mut(before) {
                Some(before) => before.behind = at,
                None => self.first = at,
            }
            self.last = at;
        }
        Place(at)
    }

    /// Takes one out that is in this line.
    pub(super) fn remove<B>(&mut self, slots: &mut Slots<B>, place: Place) -> Option<Queued<B>> {
        let standing = slots.take(place.0)?;
        self.bytes -= standing.queued.bytes;
        if standing.is_stray {
            self.strays_there -= 1;
            self.forget_gone(slots);
        } else {
            match slots.get_mut(standing.before) {
                Some(before) => before.behind = standing.behind,
                None => self.first = standing.behind,
            }
            match slots.get_mut(standing.behind) {
                Some(behind) => behind.before = standing.before,
                None => self.last = standing.before,
            }
        }
        Some(standing.queued)
    }

    /// Strays that have gone are forgotten when they come up, or when they are most.
    fn forget_gone<B>(&mut self, slots: &Slots<B>) {
        let is_there = |(stamp, at): (Stamp, usize)| {
            let standing = slots.get(at);
            standing.is_some_and(|standing| standing.is_stray && standing.stamp == stamp)
        };
        if self.strays.len() / 2 > self.strays_there {
            self.strays.retain(|Reverse(stray)| is_there(*stray));
        }
        while let Some(Reverse(stray)) = self.strays.peek()
            && !is_there(*stray)
        {
            self.strays.pop();
        }
    }
}
