//! One consumer's standing in its task.

use std::sync::Arc;

use mem_block::MemoryMode;
use mem_pool::LocalUse;

use crate::charge::Account;
use crate::spill::Spillable;

/// One consumer's standing.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) name: Arc<str>,
    pub(crate) mode: MemoryMode,
    pub(crate) spill: Spillable,
    /// Bytes by [`Account`].
    pub(crate) bytes: [u64; Account::COUNT],
    /// What it meters itself, beside `bytes`.
    pub(crate) meters: Vec<LocalUse>,
    /// Regions that are no pages.
    pub(crate) regions: u64,
    /// Its requests that are on their way. While there are any, it is nobody else's victim: whoever
    /// asks may hold the consumer's own lock.
    pub(crate) asking: u32,
    /// The consumer has gone; the record stays for what it left.
    pub(crate) gone: bool,
}

impl Record {
    pub(crate) fn new(name: Arc<str>, mode: MemoryMode, spill: Spillable) -> Self {
        Self {
            name,
            mode,
            spill,
            bytes: [0; Account::COUNT],
            meters: Vec::new(),
            regions: 0,
            asking: 0,
            gone: false,
        }
    }

    pub(crate) fn count(&self, account: Account) -> u64 {
        self.bytes[account.index()]
    }

    pub(crate) fn used(&self) -> u64 {
        self.count(Account::Used).saturating_add(self.metered())
    }

    fn metered(&self) -> u64 {
        let used = self.meters.iter().map(LocalUse::bytes);
        used.fold(0, u64::saturating_add)
    }

    /// All that is charged for it.
    pub(crate) fn charged(&self) -> u64 {
        self.bytes
            .iter()
            .fold(self.metered(), |sum, bytes| sum.saturating_add(*bytes))
    }

    pub(crate) fn is_over(&self) -> bool {
        self.gone && self.asking == 0 && self.meters.is_empty() && self.charged() == 0
    }
}
