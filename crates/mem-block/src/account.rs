//! The four sums of an allocator and how bytes move between them. Pure: no lock, no memory.

use crate::AllocatorStats;

const COUNTED: &str = "bytes leave a sum only after they entered it";

/// | sum | what is in it | enters | leaves |
/// | --- | --- | --- | --- |
/// | live | lengths of blocks in use | [`admit`](Self::admit), [`reuse`](Self::reuse) | [`keep`](Self::keep), [`forget`](Self::forget) |
/// | rounding | what those blocks have beyond their lengths | with live | with live |
/// | kept | freed blocks, rests of slabs | [`keep`](Self::keep), [`arrived`](Self::arrived) | [`reuse`](Self::reuse), [`cut`](Self::cut), [`evict`](Self::evict) |
/// | releasing | on the way to the system or from it | [`evict`](Self::evict), [`reuse`](Self::reuse), [`await_rest`](Self::await_rest) | [`released`](Self::released), [`arrived`](Self::arrived) |
///
/// `live <= limit` unless the limit was lowered. While anything is kept, all four together are
/// `<= limit`. They pass it only by rounding, when blocks of odd sizes fill the whole limit.
#[derive(Debug, Default)]
pub(crate) struct Account(AllocatorStats);

impl Account {
    pub(crate) fn new(limit: u64) -> Self {
        Self(AllocatorStats {
            limit,
            ..AllocatorStats::default()
        })
    }

    pub(crate) const fn stats(&self) -> AllocatorStats {
        self.0
    }

    pub(crate) const fn set_limit(&mut self, limit: u64) {
        self.0.limit = limit;
    }

    /// Whether a block of `size` bytes may exist beside those in use.
    pub(crate) fn allows(&self, size: u64) -> bool {
        let live = self.0.live.checked_add(size);
        live.is_some_and(|live| live <= self.0.limit)
    }

    /// Bytes that have to leave before `more` can come.
    pub(crate) const fn over(&self, more: u64) -> u64 {
        let held = self.0.held().saturating_add(more);
        held.saturating_sub(self.0.limit)
    }

    /// A block of `size` bytes is about to be made from `capacity` bytes of fresh memory.
    pub(crate) fn admit(&mut self, size: u64, capacity: u64) {
        self.0.live += size; // `allows` was asked: at most the limit
        self.0.rounding += capacity - size; // less than a page a block
        self.0.fresh += 1;
        self.0.peak = self.0.peak.max(self.0.held());
    }

    /// Reverts [`admit`](Self::admit): the system had none.
    pub(crate) fn revoke(&mut self, size: u64, capacity: u64) {
        self.forget(size, capacity);
        self.0.fresh -= 1;
    }

    /// A block of `size` bytes is made of a kept one of `had`; what is beyond `capacity` goes back
    /// to the system.
    pub(crate) fn reuse(&mut self, size: u64, capacity: u64, had: u64) {
        Self::take(&mut self.0.kept, had);
        self.0.live += size; // moves from kept, so the whole doesn't grow
        self.0.rounding += capacity - size;
        self.0.releasing += had - capacity;
        self.0.reused += 1;
    }

    /// A block of `size` bytes is made of `capacity` bytes that are cut off a rest of a slab: the first
    /// use of them.
    pub(crate) fn cut(&mut self, size: u64, capacity: u64) {
        Self::take(&mut self.0.kept, capacity);
        self.0.live += size; // moves from kept, so the whole doesn't grow
        self.0.rounding += capacity - size;
        self.0.fresh += 1;
    }

    /// `bytes` are about to be obtained together with a block.
    pub(crate) fn await_rest(&mut self, bytes: u64) {
        self.0.releasing += bytes; // `over` was asked: at most the limit
        self.0.peak = self.0.peak.max(self.0.held());
    }

    /// They are there.
    pub(crate) fn arrived(&mut self, bytes: u64) {
        Self::take(&mut self.0.releasing, bytes);
        self.0.kept += bytes;
    }

    /// The system did not take `bytes` of a block in use, so they stay with it.
    pub(crate) fn stayed(&mut self, bytes: u64) {
        Self::take(&mut self.0.releasing, bytes);
        self.0.rounding += bytes;
    }

    /// A block was freed and its memory is kept.
    pub(crate) fn keep(&mut self, size: u64, capacity: u64) {
        self.forget(size, capacity);
        self.0.kept += capacity;
    }

    /// A block was freed and its memory is already with the system.
    pub(crate) fn forget(&mut self, size: u64, capacity: u64) {
        Self::take(&mut self.0.live, size);
        Self::take(&mut self.0.rounding, capacity - size);
    }

    /// A kept block starts on its way back.
    pub(crate) fn evict(&mut self, capacity: u64) {
        Self::take(&mut self.0.kept, capacity);
        self.0.releasing += capacity;
    }

    /// The system has `bytes` back.
    pub(crate) fn released(&mut self, bytes: u64) {
        Self::take(&mut self.0.releasing, bytes);
    }

    fn take(sum: &mut u64, bytes: u64) {
        *sum = sum.checked_sub(bytes).expect(COUNTED);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_move_and_the_whole_is_kept() {
        let mut account = Account::new(100);
        account.admit(61, 64);
        assert_eq!(account.stats().held(), 64);
        account.keep(61, 64);
        assert_eq!((account.stats().kept, account.stats().live), (64, 0));
        account.reuse(45, 48, 64);
        let stats = account.stats();
        assert_eq!((stats.live, stats.rounding, stats.releasing), (45, 3, 16));
        assert_eq!((stats.held(), stats.peak), (64, 64));
        account.stayed(16);
        account.forget(45, 64);
        assert_eq!(account.stats().held(), 0);
    }

    #[test]
    fn a_slab_is_counted_before_it_is_there() {
        let mut account = Account::new(100);
        account.admit(14, 16);
        account.await_rest(48);
        let stats = account.stats();
        assert_eq!((stats.releasing, stats.held(), stats.peak), (48, 64, 64));
        account.arrived(48);
        account.cut(15, 16);
        let stats = account.stats();
        assert_eq!((stats.live, stats.rounding, stats.kept), (29, 3, 32));
        assert_eq!((stats.fresh, stats.reused, stats.held()), (2, 0, 64));
    }

    #[test]
    fn the_limit_counts_what_was_asked_for_and_room_counts_everything() {
        let mut account = Account::new(100);
        account.admit(97, 104);
        assert!(account.allows(3));
        assert!(!account.allows(4));
        assert!(!account.allows(u64::MAX));
        assert_eq!(account.over(0), 4);
        assert_eq!(account.over(8), 12);
    }

    #[test]
    #[should_panic(expected = "bytes leave a sum")]
    fn more_than_entered_is_noticed() {
        Account::new(100).released(1);
    }
}
