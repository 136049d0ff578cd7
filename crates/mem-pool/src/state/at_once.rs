//! The short way: what most requests come to.

use mem_block::MemoryMode;

use super::State;
use crate::policy::Decision;
use crate::waiter::Attempt;

impl State {
    /// Grants a request in full where nothing stands in the way: nobody is queued, nothing has to be
    /// evicted, and the pools stay as they are. Most requests end here. Returns the step's number;
    /// none, with nothing changed, where it is not so.
    #[inline]
    pub(crate) fn grant_at_once(&mut self, attempt: &Attempt) -> Option<u64> {
        if attempt.bytes == 0 || !self.queue.is_empty() {
            return None;
        }
        let [on_heap, off_heap] = &mut self.books;
        let books = match attempt.mode {
            MemoryMode::OnHeap => on_heap,
            MemoryMode::OffHeap => off_heap,
        };
        let task = attempt.task();
        let is_new = task.is_some_and(|task| books.execution.count_in(task));
        let decision = self.policy.decide(books, &attempt.request());
        if decision != Decision::Grant(attempt.bytes) {
            if let Some(task) = task.filter(|_| is_new) {
                books.execution.count_out(task);
            }
            return None;
        }
        books.charge(attempt.want, attempt.bytes);
        Some(self.note_grant(attempt.bytes, attempt.bytes))
    }
}
