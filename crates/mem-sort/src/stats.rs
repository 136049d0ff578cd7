//! What a sorter and a merger did.

use std::ops::AddAssign;

/// What an [`ExternalSorter`](crate::ExternalSorter) did. Sums add up over sorters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SortStats {
    /// Records inserted.
    pub records: u64,
    /// Their bytes.
    pub record_bytes: u64,
    /// Runs written, those of single long records included.
    pub spills: u64,
    /// Bytes of the records in them.
    pub spilled_bytes: u64,
    /// Bytes of these runs on disk.
    pub stored_bytes: u64,
}

impl AddAssign for SortStats {
    /// Saturates at 2^64.
    fn add_assign(&mut self, other: Self) {
        let add = |sum: &mut u64, more: u64| *sum = sum.saturating_add(more);
        add(&mut self.records, other.records);
        add(&mut self.record_bytes, other.record_bytes);
        add(&mut self.spills, other.spills);
        add(&mut self.spilled_bytes, other.spilled_bytes);
        add(&mut self.stored_bytes, other.stored_bytes);
    }
}

/// What a [`Merger`](crate::Merger) did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MergeStats {
    /// Runs it was given.
    pub runs: u64,
    /// Merges into a run in between: 0 where all runs were merged at once.
    pub extra_merges: u64,
    /// The most runs that were merged at once.
    pub fan_in: u64,
    /// Bytes of the runs in between on disk.
    pub stored_bytes: u64,
    /// Records passed on.
    pub records: u64,
    /// Their bytes.
    pub record_bytes: u64,
}
