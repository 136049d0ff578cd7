//! Whether a task's books agree with themselves.

use super::{Account, Books};

impl Books {
    /// Checks the sums; for tests.
    ///
    /// # Panics
    /// Where they do not agree, or where a request is on its way.
    pub(in crate::pool) fn check(&self) {
        let sum = |of: fn(&Account) -> u64| self.accounts.values().map(of).sum::<u64>();
        assert_eq!(
            self.used,
            sum(|account| account.held),
            "what is used is held"
        );
        assert_eq!(self.credit, sum(|account| account.credit), "credits add up");
        assert_eq!(self.escrow, sum(|account| account.escrow), "escrow adds up");
        assert_eq!(
            self.granted + self.overdraft,
            self.used + self.credit + self.escrow + self.slack,
            "what is granted or overdrawn is somewhere"
        );
        assert!(
            self.overdraft == 0 || self.slack == 0,
            "nothing lies about while the task is overdrawn"
        );
        let spillable = |account: &&Account| account.can_spill && account.held > 0;
        let spillable = self.accounts.values().filter(spillable).count();
        assert_eq!(u64::try_from(spillable), Ok(self.spillable));
        let dormant = |account: &&Account| !account.can_spill && account.held == 0;
        let dormant = self.accounts.values().filter(dormant).count();
        assert_eq!(u64::try_from(dormant), Ok(self.dormant));
    }
}
