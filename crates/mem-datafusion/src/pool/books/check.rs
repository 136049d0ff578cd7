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
        assert_eq!(
            self.kept,
            sum(|account| account.kept),
            "what is kept adds up"
        );
        assert_eq!(
            self.granted + self.overdraft,
            self.used + self.kept + self.slack,
            "what is granted or overdrawn is somewhere"
        );
        assert!(
            self.overdraft == 0 || self.slack == 0,
            "nothing lies about while the task is overdrawn"
        );
    }
}
