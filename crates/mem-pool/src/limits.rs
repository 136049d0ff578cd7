//! Limits that change at run time.

use std::sync::Arc;

use mem_block::MemoryMode;

use crate::evictor::EvictError;
use crate::ledger::Ledger;
use crate::policy::Cause;
use crate::probe::{Event, Kind};
use crate::step::{Action, ActionOutcome};

/// What came of a changed limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitChange {
    /// The mode's total from now on, in bytes.
    pub total: u64,
    /// Bytes still held above it. They are taken away as they are released; until then tasks above
    /// their new share are granted nothing, and so spill.
    pub outstanding: u64,
}

impl Ledger {
    /// Sets the total of `mode` to `total` bytes. Growing takes effect at once. Shrinking takes
    /// free memory, then evicts blocks (on the caller's thread, without a lock); what tasks hold
    /// beyond that is taken as they release it.
    ///
    /// # Errors
    /// [`EvictError`] where evicting failed; the new limit stands, and `outstanding` shrinks later.
    pub fn set_limit(
        self: &Arc<Self>,
        mode: MemoryMode,
        total: u64,
    ) -> Result<LimitChange, EvictError> {
        let need = self.commit(Action::SetLimit { mode, total }, |state| {
            state.recall_mode(mode);
            let policy = Arc::clone(self.policy());
            let books = state.books_mut(mode);
            let resize = policy.resize(books, total);
            books.set_total(total, resize);
            let need = books.evictable_debt();
            // mutant(notify-limit-changed by raised_limit_wakes @ set_limit): delete
            state.reexamine(Cause::LimitChanged, u64::MAX);
            (need, ActionOutcome::Done)
        });
        if need > 0 {
            self.evict_for_limit(mode, need)?;
        }
        let outstanding = self.with_books(mode, |books| books.debt);
        Ok(LimitChange { total, outstanding })
    }

    fn evict_for_limit(&self, mode: MemoryMode, need: u64) -> Result<(), EvictError> {
        let plan = self
            .evictor()
            .and_then(|evictor| evictor.select(need, mode, None));
        let result = plan.map_or(Ok(0), |plan| plan.run());
        let freed = match &result {
            Ok(freed) => *freed,
            Err(error) => error.freed,
        };
        if freed == 0 {
            return result.map(|_| ());
        }
        let action = Action::Release {
            task: None,
            mode,
            kind: Kind::Storage,
            bytes: freed,
        };
        let (freed, sequence) = self.commit(action, |state| {
            let (freed, sequence) = state.release_storage(mode, freed);
            ((freed, sequence), ActionOutcome::Released(freed))
        });
        self.tell(Some(sequence), Event::Evict { mode, need, freed });
        result.map(|_| ())
    }
}
