//! The part of one mode's memory that cached and unrolling blocks use.

use crate::sum::{add, sub};

/// Counts storage memory, in bytes. Spark's class of the same name, without the eviction: that is
/// an [`Evictor`](crate::Evictor)'s, and no lock is held while it runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StorageMemoryPool {
    pool_size: u64,
    used: u64,
    escrow: u64,
    frozen: u64,
}

impl StorageMemoryPool {
    pub(crate) fn new(pool_size: u64) -> Self {
        Self {
            pool_size,
            ..Self::default()
        }
    }

    /// Bytes that the pool has.
    #[must_use]
    #[inline]
    pub fn pool_size(&self) -> u64 {
        self.pool_size
    }

    /// Bytes that blocks hold, unroll memory included.
    #[must_use]
    #[inline]
    pub fn used(&self) -> u64 {
        self.used
    }

    /// Bytes that a request may take now: not used, not kept for a request whose eviction runs, not
    /// owed to a lowered limit.
    #[must_use]
    #[inline]
    pub fn free(&self) -> u64 {
        self.pool_size
            .saturating_sub(self.used)
            .saturating_sub(self.escrow)
            .saturating_sub(self.frozen)
    }

    /// Takes `bytes` for a block. The caller has seen that they are free.
    pub(crate) fn take(&mut self, bytes: u64) {
        assert!(bytes <= self.free(), "storage grants only what is free");
        self.used = add(self.used, bytes);
    }

    /// Gives back at most what is used; returns how much that was.
    pub(crate) fn release(&mut self, bytes: u64) -> u64 {
        let released = bytes.min(self.used);
        self.used = sub(self.used, released);
        released
    }

    /// Bytes that are kept for requests whose evictions run.
    pub(crate) fn kept(&self) -> u64 {
        self.escrow
    }

    pub(crate) fn hold(&mut self, bytes: u64) {
        assert!(
            bytes <= self.free(),
            "only free bytes can be kept for a request"
        );
        self.escrow = add(self.escrow, bytes);
    }

    pub(crate) fn unhold(&mut self, bytes: u64) {
        self.escrow = sub(self.escrow, bytes);
    }

    /// Makes exactly `bytes` of what is free unavailable; returns how many were so far.
    pub(crate) fn freeze(&mut self, bytes: u64) -> u64 {
        std::mem::replace(&mut self.frozen, bytes)
    }

    pub(crate) fn grow(&mut self, bytes: u64) {
        self.pool_size = add(self.pool_size, bytes);
    }

    /// Shrinks the pool by bytes that are free.
    pub(crate) fn shrink(&mut self, bytes: u64) {
        assert!(bytes <= self.free(), "a pool shrinks by free bytes only");
        self.pool_size = sub(self.pool_size, bytes);
    }
}
