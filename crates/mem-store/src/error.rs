//! What can go wrong in the store.

use std::io;
use std::time::Duration;

use mem_block::AllocError;
use mem_policy::ResolveError;
use mem_pool::{Limit, Refusal};
use mem_spill::SpillError;

use crate::block_id::BlockId;
use crate::drop_handler::DropError;
use crate::storage_level::StorageLevel;

/// The form that a block is kept in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    /// As bytes.
    Serialized,
    /// As values.
    Deserialized,
}

/// Why the store could not do what it was asked. A lack of memory is not among them: puts say "not
/// stored" then.
///
/// `Display` does not repeat [`source`](std::error::Error::source); print both.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A block of that name is there, or is being put. Spark: `IllegalArgumentException`.
    #[error("block {block} is already present in the store")]
    AlreadyPresent {
        /// The block.
        block: BlockId,
    },
    /// The block is kept in the other form. It counts as used all the same. Spark 4.3:
    /// `INTERNAL_ERROR_STORAGE`; 2.4: `IllegalArgumentException`.
    #[error("block {block} is not {wanted:?}")]
    WrongForm {
        /// The block.
        block: BlockId,
        /// The form that was asked for.
        wanted: Form,
    },
    /// The block's values are of another type.
    #[error("block {block} holds values of {stored}, not of {wanted}")]
    WrongType {
        /// The block.
        block: BlockId,
        /// The type that it holds.
        stored: &'static str,
        /// The type that was asked for.
        wanted: &'static str,
    },
    /// A supplier wrote fewer bytes than it had promised. Spark fails an assertion.
    #[error("block {block} was to have {promised} bytes, its supplier wrote {written}")]
    TooShort {
        /// The block.
        block: BlockId,
        /// Bytes promised.
        promised: u64,
        /// Bytes written.
        written: u64,
    },
    /// The supplier of a block's bytes failed.
    #[error("the bytes of block {block} could not be had")]
    Supplier {
        /// The block.
        block: BlockId,
        /// Why.
        source: io::Error,
    },
    /// A block's values could not be written as bytes, or read from them.
    #[error("the values of block {block} could not be converted")]
    Format {
        /// The block.
        block: BlockId,
        /// Why.
        source: io::Error,
    },
    /// A number of bytes that makes no sense; Spark fails an assertion.
    #[error("invalid number of bytes requested: {0}")]
    InvalidBytes(i64),
    /// `spark.storage.unrollMemoryCheckPeriod` is 0; Spark divides by it.
    #[error("spark.storage.unrollMemoryCheckPeriod is 0")]
    NoCheckPeriod,
    /// A setting that is read only when a block is put.
    #[error("a setting of the block store is wrong")]
    Setting(#[source] ResolveError),
    /// The policy has no such memory; Spark's static manager throws `IllegalArgumentException`.
    #[error("{0}")]
    Unsupported(Limit),
    /// Turning a finished block's unroll memory into storage memory failed, which only
    /// [`release_then_acquire`](crate::StoreOptions::release_then_acquire) can. Spark fails the
    /// assertion "transferring unroll memory to storage memory failed".
    #[error("transferring {bytes} bytes of unroll memory of block {block} to storage failed")]
    Transfer {
        /// The block.
        block: BlockId,
        /// Bytes of the finished block.
        bytes: u64,
    },
    /// Making room failed: other blocks could not be dropped.
    #[error("could not make room for block {block}")]
    Evict {
        /// The block that needed room.
        block: BlockId,
        /// The refusal, with what went wrong.
        source: Refusal,
    },
    /// The allocator gave no memory though it was granted.
    #[error("no memory for block {block}")]
    Alloc {
        /// The block.
        block: BlockId,
        /// What the allocator said.
        source: AllocError,
    },
    /// A block could not be written to disk, or read from it.
    #[error("block {block} could not be written to disk or read back")]
    Disk {
        /// The block.
        block: BlockId,
        /// What went wrong, and where.
        source: SpillError,
    },
    /// A block could not be dropped from memory.
    #[error("block {block} could not be dropped from memory")]
    Drop {
        /// The block.
        block: BlockId,
        /// Why.
        source: DropError,
    },
    /// The workspace of the disk tier could not be had.
    #[error("the workspace for writing blocks to disk could not be had: {bytes} bytes")]
    Workspace {
        /// Bytes that it needs.
        bytes: u64,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The level is not valid, or the store has no disk for it.
    #[error("block {block} can't be put at level {level}: {why}")]
    Level {
        /// The block.
        block: BlockId,
        /// The level.
        level: StorageLevel,
        /// Why not.
        why: &'static str,
    },
    /// Somebody held the block's lock for too long.
    #[error("waited {waited:?} for the lock of block {block}")]
    LockTimeout {
        /// The block.
        block: BlockId,
        /// How long.
        waited: Duration,
    },
    /// The block was removed while it was being put, or its task's locks were released.
    #[error("block {block} was removed while it was being put")]
    Removed {
        /// The block.
        block: BlockId,
    },
    /// The memory manager has a store already.
    #[error("the memory manager has a block store already")]
    SecondStore,
}
