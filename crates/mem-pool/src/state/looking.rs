//! Looking at parked requests again, when something has changed.

use mem_block::MemoryMode;

use super::State;
use crate::books::Books;
use crate::policy::{Cause, Round};
use crate::sum::add;
use crate::waiter::{Ended, Owed, Status};

const MODES: [MemoryMode; 2] = [MemoryMode::OnHeap, MemoryMode::OffHeap];

impl State {
    /// Looks at the parked requests that came before `until` again, first in first, after `cause`.
    #[inline]
    pub(crate) fn reexamine(&mut self, cause: Cause, until: u64) {
        if !self.queue.is_empty() {
            self.look_after(cause, until);
        }
    }

    fn look_after(&mut self, cause: Cause, until: u64) {
        self.changed = true;
        if !self.policy.reexamines(cause) {
            return;
        }
        for mode in MODES {
            let ids = self.queue.parked_before(until, mode);
            self.look_at(mode, &ids);
        }
    }

    /// An eviction of `mode` is over: once none runs any more, looks at the requests that were passed
    /// over because of one, and at those that were looked at beside one, when bytes were kept that may
    /// now be free. Not earlier: two that evict in vain would keep each other going.
    pub(super) fn look_at_overlooked(&mut self, mode: MemoryMode) {
        if self.queue.is_evicting(mode) {
            return;
        }
        let ids = self.queue.overlooked(mode);
        self.look_at(mode, &ids);
    }

    /// Looks at parked requests of one mode. Where one has to evict first, those behind it are looked
    /// at when that is done: first in, first served. It holds up this look only, not the next.
    fn look_at(&mut self, mode: MemoryMode, ids: &[u64]) {
        let beside_another = self.queue.is_evicting(mode);
        let mut ids = ids.iter().copied();
        for id in ids.by_ref() {
            let mut attempt = self.queue.get_mut(id).attempt;
            attempt.round = Round::Open;
            let status = self.examine_to_status(&mut attempt, true);
            let acts = matches!(status, Status::ToAct { .. });
            self.place(id, attempt, status);
            // mutant(looked-at-beside-an-eviction by looked_at_beside_an_eviction): replace beside_another => false
            self.queue.get_mut(id).overlooked = beside_another;
            if acts {
                break;
            }
        }
        for id in ids {
            // mutant(held-back-by-an-eviction by held_back_by_an_eviction): replace true => false
            self.queue.get_mut(id).overlooked = true;
        }
    }

    /// A queued request has come to rest: what it owes to the waiters before it is paid now.
    pub(super) fn rest(&mut self, id: u64) {
        let waiter = self.queue.get_mut(id);
        if waiter.is_evicting() {
            return;
        }
        let first = waiter.is_parked() && !waiter.waited;
        waiter.waited |= first;
        let owed = std::mem::take(&mut waiter.attempt.owed);
        self.counters.waits = add(self.counters.waits, u64::from(first));
        self.changed = true;
        self.pay(owed, id);
    }

    /// Tells the requests that came before `until` what a request's own arrival has changed.
    #[inline]
    pub(super) fn pay(&mut self, owed: Owed, until: u64) {
        if owed.registration {
            // mutant(notify-task-registered by new_task_wakes): delete
            self.reexamine(Cause::TaskRegistered, until);
        }
        if owed.release {
            // mutant(notify-execution-released by spilled_rest_wakes @ credit): delete
            self.reexamine(Cause::ExecutionReleased, until);
        }
    }

    /// The end of every transaction, when all that it changed is known.
    #[inline]
    pub(crate) fn conclude(&mut self) {
        if self.changed || self.books.iter().any(Books::has_opened) {
            self.conclude_change();
        }
    }

    #[cold]
    fn conclude_change(&mut self) {
        // Paying off a lowered limit may have opened memory to those who wait.
        let opened = self.books.each_mut().map(Books::take_opened);
        if opened.contains(&true) {
            // mutant(notify-limit-changed by paid_debt_wakes @ debt paid): delete
            self.reexamine(Cause::LimitChanged, u64::MAX);
        }
        if std::mem::take(&mut self.changed) && self.detect_deadlock {
            self.unstick();
        }
    }

    /// While every holder of a mode is itself waiting, nobody will ever release: one of them is
    /// refused, so that it can spill or fail.
    fn unstick(&mut self) {
        while let Some(id) = crate::deadlock::newest_stuck(self) {
            // mutant(deadlock-refused by everybody_waits): replace Ended::Deadlock => Ended::Cancelled
            self.queue.get_mut(id).status = Status::Ended(Ended::Deadlock);
            // mutant(deadlock-wakes by everybody_waits): delete
            self.wake(id);
        }
    }
}
