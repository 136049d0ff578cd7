//! What is kept for one that spills, or merges.
//!
//! Spilling takes memory: a sort merges what it has, as a consumer that can't spill, in what it has just given
//! back; and then it asks again for what it was refused. If others got that meanwhile, the query would fail.

use super::account::{Account, Pair};
use super::{Asking, Books, minus, plus};

impl Books {
    /// For whom it is kept what `id` gives back: a sort's two consumers keep together.
    pub(super) fn keeper(&self, id: usize) -> usize {
        match self.accounts.get(&id).and_then(|account| account.pair) {
            Some(Pair::Merge { sorter }) => sorter,
            Some(Pair::Sorter { .. }) | None => id,
        }
    }

    /// The account that keeps for `id`. A sort's merge may begin before its sorter has one.
    fn keeper_of(&mut self, id: usize) -> Option<&mut Account> {
        let keeper = self.keeper(id);
        self.accounts.get_mut(&keeper)
    }

    /// Takes at most `bytes` of what is kept for `id`.
    pub(super) fn take_kept(&mut self, id: usize, bytes: u64) -> u64 {
        let Some(account) = self.keeper_of(id) else {
            return 0;
        };
        let taken = bytes.min(account.kept);
        account.kept = minus(account.kept, taken);
        self.kept = minus(self.kept, taken);
        taken
    }

    /// Puts back what was [taken](Self::take_kept).
    pub(super) fn put_back(&mut self, id: usize, bytes: u64) {
        match self.keeper_of(id) {
            Some(account) => {
                account.kept = plus(account.kept, bytes);
                self.kept = plus(self.kept, bytes);
            }
            None => self.slack = plus(self.slack, bytes),
        }
    }

    /// Consumer `id` was refused `asked` bytes. One that has nothing to spill does not come back.
    pub(super) fn begin_spill(&mut self, id: usize, asked: u64) {
        let merge = self.held_by_merge(id);
        if let Some(account) = self.accounts.get_mut(&id)
            && account.can_spill
            && account.held > 0
            && !account.is_spilling()
        {
            account.wanted = asked;
            account.returned = false;
            account.to_keep = plus(asked, merge);
        }
    }

    /// It has come back, or is done: what is kept is anybody's.
    pub(super) fn end_spill(&mut self, id: usize) {
        if let Some(account) = self.accounts.get_mut(&id) {
            account.wanted = 0;
            account.returned = false;
            account.to_keep = 0;
            account.merging = false;
            self.let_go(id, 0);
        }
    }

    /// What is kept for a sort, or another, is anybody's, but for `but` bytes.
    fn let_go(&mut self, id: usize, but: u64) {
        if let Some(account) = self.accounts.get_mut(&id) {
            let kept = account.kept.saturating_sub(but);
            account.kept = minus(account.kept, kept);
            self.kept = minus(self.kept, kept);
            self.slack = plus(self.slack, kept);
            self.is_freed |= kept > 0;
            self.repay();
        }
    }

    /// Consumer `id` gave `bytes` back out of a reservation that has `here` left: they are kept, as far as
    /// it or its merge needs them, and nobody's otherwise.
    pub(super) fn set_free(&mut self, id: usize, here: u64, bytes: u64) {
        let keeper = self.keeper(id);
        let is_own = keeper == id;
        let account = self.accounts.get_mut(&keeper);
        let keep = account.map_or(0, |account| account.keeps(is_own, here, bytes));
        self.slack = plus(self.slack, minus(bytes, keep));
        if let Some(account) = self.accounts.get_mut(&keeper) {
            account.kept = plus(account.kept, keep);
            self.kept = plus(self.kept, keep);
            // The merge has all runs that it merges, and from now on needs less and less.
            if !is_own && account.merging {
                account.merging = false;
                let to_keep = account.to_keep;
                self.let_go(keeper, to_keep);
            }
        }
    }

    /// What is kept for those that spill, in bytes.
    pub(in crate::pool) fn kept(&self) -> u64 {
        self.kept
    }

    /// Takes at most `bytes` of what is kept for others.
    pub(in crate::pool) fn raid(&mut self, asking: &mut Asking, bytes: u64) {
        let mut wanted = bytes.min(asking.missing).min(self.kept);
        if wanted == 0 {
            return;
        }
        for account in self.accounts.values_mut() {
            let taken = wanted.min(account.kept);
            account.kept = minus(account.kept, taken);
            self.kept = minus(self.kept, taken);
            asking.from_slack = plus(asking.from_slack, taken);
            asking.missing = minus(asking.missing, taken);
            wanted = minus(wanted, taken);
        }
    }
}
