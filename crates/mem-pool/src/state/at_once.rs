//! The short way: what most requests come to.

use mem_block::MemoryMode;

use super::{Arrival, State};
use crate::books::Books;
use crate::policy::{Decision, Policy, Request, Round, Want};
use crate::waiter::Attempt;

impl State {
    /// Grants a request in full where nothing stands in the way: nobody is queued, nothing has to be
    /// evicted, and the pools stay as they are. Most requests end here. Returns the step's number;
    /// none, with nothing changed, where it is not so.
    #[inline]
    pub(crate) fn grant_at_once(
        &mut self,
        want: Want,
        mode: MemoryMode,
        bytes: u64,
    ) -> Option<u64> {
        if bytes == 0 || !self.queue.is_empty() {
            return None;
        }
        let [on_heap, off_heap] = &mut self.books;
        let books = match mode {
            MemoryMode::OnHeap => on_heap,
            MemoryMode::OffHeap => off_heap,
        };
        let granted = match want {
            Want::Execution { task } => match self.policy.execution_cap(books) {
                Some(cap) => books.charge_share(task, bytes, cap),
                None => charge_as_decided(books, &*self.policy, want, bytes),
            },
            Want::Storage | Want::Unroll { .. } => {
                charge_as_decided(books, &*self.policy, want, bytes)
            }
        };
        granted.then(|| self.note_grant(bytes, bytes))
    }

    /// The long way of a request that may not wait.
    #[cold]
    pub(crate) fn arrive_unwaiting(&mut self, want: Want, mode: MemoryMode, bytes: u64) -> Arrival {
        self.arrive(Attempt::new(want, mode, bytes), &mut None)
    }
}

/// Charges what the policy grants in full.
fn charge_as_decided(books: &mut Books, policy: &dyn Policy, want: Want, bytes: u64) -> bool {
    let request = Request {
        want,
        bytes,
        round: Round::Open,
    };
    let task = match want {
        Want::Execution { task } => Some(task),
        Want::Storage | Want::Unroll { .. } => None,
    };
    let new = task.filter(|task| books.execution.count_in(*task));
    let granted = policy.decide(books, &request) == Decision::Grant(bytes);
    if granted {
        books.charge(want, bytes);
    } else if let Some(task) = new {
        books.execution.count_out(task);
    }
    granted
}
