//! Why an allocator gave no block.

use crate::MemoryMode;
use std::io;
use thiserror::Error;

/// An allocation that failed. Nothing is held or counted for it.
///
/// Spark has one form for all of these, `OutOfMemoryError`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AllocError {
    /// The operating system has no memory left for this process, also after all kept blocks were
    /// given back.
    #[error("the system refused {size} bytes of {mode} memory: {kind}")]
    Refused {
        /// Kind of memory asked for.
        mode: MemoryMode,
        /// Bytes asked for.
        size: u64,
        /// What the system said.
        kind: io::ErrorKind,
    },
    /// The blocks in use and this one would pass the allocator's limit, with nothing kept.
    #[error("{size} bytes of {mode} memory are not free: {live} of at most {limit} are in use")]
    Limit {
        /// Kind of memory asked for.
        mode: MemoryMode,
        /// Bytes asked for.
        size: u64,
        /// Bytes of all blocks in use.
        live: u64,
        /// The allocator's limit in bytes.
        limit: u64,
    },
    /// No block can be as large as this, whatever is free.
    #[error("{size} bytes are too large for a block of {mode} memory: at most {max}")]
    TooLarge {
        /// Kind of memory asked for.
        mode: MemoryMode,
        /// Bytes asked for.
        size: u64,
        /// Largest block in bytes.
        max: u64,
    },
}
