//! What DataFusion calls its consumers. Nothing else tells what they do, and which belong together.

/// What a consumer does, as far as that makes a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// It buffers for a sort, and fails if its first request is refused.
    Sorter,
    /// It merges what a sorter has buffered, or spilled, and can't spill.
    Merge,
    /// It buffers groups, and merges under the same name what it has spilled.
    Aggregate,
    /// It buffers rows on their way. What it holds leaves as it comes, so nothing is gained by leaving
    /// something to it or by it; and what it spills, it spills by the batch, which can make DataFusion 55
    /// stand still where files have several: one that reads its oldest waits for a batch that is in the next.
    Flow,
    /// Anything else.
    Other,
}

/// The kind of those that buffer rows on their way.
pub(super) const FLOW: &str = "RepartitionExec";
/// The kind of sorters.
pub(super) const SORTER: &str = "ExternalSorter";

impl Role {
    /// That of a consumer with that name.
    pub(super) fn of(name: &str) -> Self {
        match kind(name) {
            SORTER => Self::Sorter,
            "ExternalSorterMerge" => Self::Merge,
            FLOW => Self::Flow,
            kind if kind.ends_with("AggregateStream") => Self::Aggregate,
            _ => Self::Other,
        }
    }
}

/// `ExternalSorter` of `ExternalSorter[3]`: what the partitions of an operator have in common.
pub(super) fn kind(name: &str) -> &str {
    name.split_once('[').map_or(name, |(kind, _)| kind)
}

/// `3]` of `ExternalSorter[3]`; none where an operator has no partitions.
pub(super) fn partition(name: &str) -> Option<&str> {
    name.split_once('[').map(|(_, partition)| partition)
}
