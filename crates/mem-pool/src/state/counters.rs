//! What has happened so far, in numbers.

/// Counts of what happened, since the ledger was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Requests granted, in full or in part.
    pub grants: u64,
    /// Requests granted in part.
    pub short_grants: u64,
    /// Requests that waited.
    pub waits: u64,
    /// Requests that were told that they are not granted.
    pub refusals: u64,
    /// Evictions that freed something.
    pub evictions: u64,
    /// Bytes that evictions freed.
    pub evicted_bytes: u64,
}
