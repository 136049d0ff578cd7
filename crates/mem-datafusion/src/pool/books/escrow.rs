//! What is given back while a consumer spills.
//!
//! Spilling takes memory: a sort merges what it has, as a consumer that can't spill, in what it has just given
//! back. If others got that meanwhile, the merge would be refused, and the query would fail.

use super::{Asking, Books, minus, plus};

impl Books {
    /// Takes `bytes` of what is kept for spilling, as far as there is something.
    pub(super) fn take_escrow(&mut self, bytes: u64) -> u64 {
        let mut left = bytes.min(self.escrow);
        let taken = left;
        self.escrow = minus(self.escrow, taken);
        let mut accounts = self.accounts.values_mut();
        while left > 0
            && let Some(account) = accounts.next()
        {
            let here = left.min(account.escrow);
            account.escrow = minus(account.escrow, here);
            left = minus(left, here);
        }
        taken
    }

    /// A consumer that may have been spilling comes back, or is done: what was kept meanwhile is nobody's.
    pub(super) fn end_spill(&mut self, id: usize) {
        if self.spiller == Some(id) {
            self.spiller = None;
        }
        if let Some(account) = self.accounts.get_mut(&id) {
            account.spilling = false;
            let kept = std::mem::take(&mut account.escrow);
            self.escrow = minus(self.escrow, kept);
            self.slack = plus(self.slack, kept);
            self.is_freed |= kept > 0;
            self.repay();
        }
    }

    /// The task holds nothing at all: whoever was spilling is done.
    pub(super) fn end_spills(&mut self) {
        let spilling = self.accounts.iter().filter(|(_, account)| account.spilling);
        let spilling: Vec<usize> = spilling.map(|(id, _)| *id).collect();
        spilling.into_iter().for_each(|id| self.end_spill(id));
    }

    /// What a spill has left over, if one has ended just now, to be given back to the ledger.
    pub(in crate::pool) fn left_by_spill(&mut self, slack_max: impl FnOnce() -> u64) -> u64 {
        if std::mem::take(&mut self.is_freed) {
            self.release_slack(slack_max())
        } else {
            0
        }
    }

    /// Bytes that consumer `id` gave back are nobody's; or if it is spilling, or is one of those that can't
    /// spill and somebody else is, they are kept for those that can't: merging, in order to spill, takes
    /// memory, and what others get meanwhile does not come back in time.
    pub(super) fn set_free(&mut self, id: usize, bytes: u64) {
        let spiller = match self.accounts.get(&id) {
            Some(account) if account.spilling => Some(id),
            Some(account) if !account.can_spill => self.spiller,
            _ => None,
        };
        match spiller.and_then(|id| self.accounts.get_mut(&id)) {
            Some(account) => {
                account.escrow = plus(account.escrow, bytes);
                self.escrow = plus(self.escrow, bytes);
            }
            None => self.slack = plus(self.slack, bytes),
        }
    }

    /// Takes what is kept for spilling.
    pub(super) fn raid_escrow(&mut self, asking: &mut Asking) {
        let taken = self.take_escrow(asking.missing);
        asking.from_slack = plus(asking.from_slack, taken);
        asking.missing = minus(asking.missing, taken);
    }
}
