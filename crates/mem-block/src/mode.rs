//! The two kinds of memory that everything above counts apart.

use std::fmt;

/// Which of the two budgets a piece of memory belongs to (Spark: `MemoryMode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MemoryMode {
    /// Memory of the process's global allocator, the counterpart of the Java heap.
    OnHeap,
    /// Memory outside it: anonymous mappings.
    OffHeap,
}

impl fmt::Display for MemoryMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::OnHeap => "on-heap",
            Self::OffHeap => "off-heap",
        })
    }
}
