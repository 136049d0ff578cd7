//! How queued requests come to their end: settled, given up, or abandoned by their ticket.

use super::State;
use crate::policy::{Cause, Round, Want};
use crate::sum::add;
use crate::task::TaskId;
use crate::waiter::{Attempt, Ended, Fate, Status};

impl State {
    /// Whether the eviction for a queued request is of use to it still.
    pub(crate) fn wants_eviction(&self, id: u64) -> bool {
        matches!(self.queue.get(id).status, Status::Acting(Fate::GoesOn))
    }

    /// The eviction for a queued request is over: what it freed goes to that request before anybody
    /// else can see it, and what the rule then leaves falls free. Returns the step's number. Takes
    /// `failure` where that is what the request ends with.
    pub(crate) fn settle(&mut self, id: u64, freed: u64, failure: &mut Option<Ended>) -> u64 {
        let waiter = self.queue.get_mut(id);
        let may_wait = waiter.waker.is_some();
        let mut attempt = waiter.attempt;
        let Status::Acting(fate) = std::mem::replace(&mut waiter.status, Status::Parked) else {
            unreachable!("an eviction is settled once, and its request stays queued until then")
        };
        let mode = attempt.mode;
        let reserved = std::mem::take(&mut attempt.reserved);
        let books = self.books_mut(mode);
        // mutant(settled-reserve by no_over_grant_during_eviction): delete
        books.storage.unhold(reserved);
        let freed = books.storage.release(freed);
        books.pay_debt();
        let sequence = self.next_sequence();
        self.counters.evictions = add(self.counters.evictions, u64::from(freed > 0));
        self.counters.evicted_bytes = add(self.counters.evicted_bytes, freed);
        attempt.round = Round::Evicted { reserved, freed };

        let abandoned = matches!(fate, Fate::Abandoned);
        let end = match fate {
            Fate::GoesOn => failure.take(),
            Fate::Ends(ended) => Some(ended),
            Fate::Abandoned => Some(Ended::Cancelled),
        };
        let status = match end {
            Some(ended) => {
                self.let_go(&mut attempt);
                Status::Ended(ended)
            }
            None => self.examine_to_status(&mut attempt, may_wait),
        };
        self.place(id, attempt, status);
        let beside_another = self.queue.is_evicting(mode);
        // mutant(settled-beside-an-eviction by settled_beside_an_eviction): replace beside_another => false
        self.queue.get_mut(id).overlooked = beside_another;
        // Woken also where it parks: its deadline and its cancel token are its ticket's to follow.
        // mutant(parking-wakes by eviction_that_parks_wakes): delete
        self.wake(id);
        self.rest(id);
        if abandoned {
            self.abandon(id);
        }
        // mutant(eviction-over by came_beside_an_eviction): delete
        self.look_at_overlooked(mode);
        if freed > 0 {
            // mutant(notify-storage-released by eviction_wakes @ eviction settled): delete
            self.reexamine(Cause::StorageReleased, u64::MAX);
        }
        sequence
    }

    /// The ticket of a queued request goes away. Nothing that was kept or granted for it is lost.
    pub(crate) fn abandon(&mut self, id: u64) {
        if let Status::Acting(fate) = &mut self.queue.get_mut(id).status {
            // The thread that evicts is the one that settles.
            *fate = Fate::Abandoned;
            return;
        }
        let mut waiter = self.leave(id);
        let mode = waiter.attempt.mode;
        self.let_go(&mut waiter.attempt);
        self.pay(waiter.attempt.owed, u64::MAX);
        match waiter.status {
            Status::Granted { bytes, .. } => self.take_back(&waiter.attempt, bytes),
            // mutant(cancelled-eviction-over by dropped_eviction_wakes @ abandoned): replace self.look_at_overlooked(mode) => ()
            Status::ToAct { .. } => self.look_at_overlooked(mode),
            Status::Parked | Status::Acting(_) | Status::Ended(_) => {}
        }
        self.leftover.retire(waiter);
    }

    /// Ends a queued request early, unless it was granted in the meantime. The eviction that runs for
    /// it, if one does, is settled all the same.
    pub(crate) fn give_up(&mut self, id: u64, ended: Ended) {
        let waiter = self.queue.get_mut(id);
        let to_act = matches!(waiter.status, Status::ToAct { .. });
        match &mut waiter.status {
            Status::Parked | Status::ToAct { .. } => {
                waiter.status = Status::Ended(ended);
                let owed = std::mem::take(&mut waiter.attempt.owed);
                let mut attempt = waiter.attempt;
                self.let_go(&mut attempt);
                self.queue.get_mut(id).attempt = attempt;
                self.pay(owed, u64::MAX);
                if to_act {
                    // mutant(cancelled-eviction-over by cancelled_eviction_wakes @ given up): delete
                    self.look_at_overlooked(attempt.mode);
                }
                self.changed = true;
            }
            // mutant(ended-while-evicting by task_end_versus_eviction): replace Fate::Ends(ended) => Fate::GoesOn
            Status::Acting(fate @ Fate::GoesOn) => *fate = Fate::Ends(ended),
            Status::Acting(Fate::Ends(_) | Fate::Abandoned)
            | Status::Granted { .. }
            | Status::Ended(_) => {}
        }
    }

    /// Ends a queued request whose time is up, where it is still queued, and wakes its ticket.
    pub(crate) fn expire(&mut self, id: u64) {
        if self.queue.contains(id) {
            self.give_up(id, Ended::Deadline);
            // mutant(deadline-wakes by timer_ends_a_wait): delete
            self.wake(id);
        }
    }

    /// Ends every queued request of `task`, and wakes their tickets. What one was granted and has not
    /// taken yet stays with the task, to be taken back with all that it holds.
    pub(crate) fn end_waits_of(&mut self, task: TaskId) {
        let waiters = self.queue.iter();
        let own = waiters.filter(|(_, waiter)| waiter.attempt.task() == Some(task));
        let ids: Vec<u64> = own.map(|(id, _)| id).collect();
        for id in ids {
            let waiter = self.queue.get_mut(id);
            if let Status::Granted { .. } = waiter.status {
                // mutant(task-end-takes-grants-back by task_end_versus_eviction): delete
                waiter.status = Status::Ended(Ended::Cancelled);
            } else {
                self.give_up(id, Ended::Cancelled);
            }
            // mutant(task-end-wakes-its-own by task_end_ends_its_waits): delete
            self.wake(id);
        }
    }

    pub(super) fn wake(&mut self, id: u64) {
        if let Some(waker) = self.queue.get_mut(id).waker.take() {
            self.leftover.wake(waker);
        }
    }

    fn take_back(&mut self, attempt: &Attempt, bytes: u64) {
        match attempt.want {
            Want::Execution { task } => {
                // mutant(cancel-returns-grant by cancel_versus_grant): delete
                self.release_execution(attempt.mode, task, bytes);
            }
            Want::Storage | Want::Unroll { .. } => {
                self.release_storage(attempt.mode, bytes);
            }
        }
    }
}
