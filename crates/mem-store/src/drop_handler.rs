//! What happens to a block that is evicted from memory.

use std::error::Error;
use std::fmt::Debug;
use std::io::{self, Write};

use crate::block_id::BlockId;
use crate::content::Content;
use crate::disk::DiskCopy;
use crate::storage_level::StorageLevel;

/// Why a block could not be dropped.
pub type DropError = Box<dyn Error + Send + Sync>;

/// Is told of every block that leaves memory, and may keep it on disk. Spark's counterpart:
/// `BlockEvictionHandler`.
///
/// No mutex of Hearth's is held while a method is called, and readers may read the block meanwhile.
/// The implementor must not use the store: it is in the middle of making room.
pub trait DropHandler: Debug + Send + Sync {
    /// The block leaves memory: what to keep of it. `None` where nothing is to be kept; the block is
    /// gone then, unless a copy was on disk before. Should somebody have begun to read the block when
    /// this returns, it stays in memory all the same, with the copy.
    ///
    /// # Errors
    /// Where it can't be dropped. It and those that were to follow stay, and the request that wanted
    /// room fails.
    fn drop_from_memory(&self, block: &LeavingBlock<'_>) -> Result<Option<DiskCopy>, DropError>;

    /// Whether blocks just go: nothing of them is kept, that takes no time, and it can't fail. A block
    /// may then give its memory to another of the same size without the ledger knowing that it is on
    /// its way, and without [`drop_from_memory`](Self::drop_from_memory) being asked: only
    /// [`dropped`](Self::dropped) is told. `false` is always right.
    fn only_forgets(&self) -> bool {
        false
    }

    /// The block has left. For observers.
    fn dropped(&self, _block: &BlockId) {}
}

/// A block on its way out of memory.
#[derive(Debug)]
pub struct LeavingBlock<'a> {
    id: &'a BlockId,
    level: StorageLevel,
    content: &'a Content,
    is_on_disk: bool,
}

impl<'a> LeavingBlock<'a> {
    pub(crate) fn new(
        id: &'a BlockId,
        level: StorageLevel,
        content: &'a Content,
        is_on_disk: bool,
    ) -> Self {
        Self {
            id,
            level,
            content,
            is_on_disk,
        }
    }

    /// Which block.
    #[must_use]
    pub fn id(&self) -> &BlockId {
        self.id
    }

    /// Where it may be.
    #[must_use]
    pub fn level(&self) -> StorageLevel {
        self.level
    }

    /// Bytes of memory that it holds.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        self.content.size
    }

    /// Whether a copy is on disk already.
    #[must_use]
    pub fn is_on_disk(&self) -> bool {
        self.is_on_disk
    }

    /// Writes the block's bytes, or its values in their format.
    ///
    /// # Errors
    /// Those of `out` and of the format; values that were put without a format can't be written.
    pub fn write_to(&self, out: &mut dyn Write) -> io::Result<()> {
        self.content.data.write_to(out)
    }
}

/// Keeps nothing: Spark's way with memory-only blocks.
#[derive(Debug, Clone, Copy, Default)]
pub struct Forget;

impl DropHandler for Forget {
    fn drop_from_memory(&self, _block: &LeavingBlock<'_>) -> Result<Option<DiskCopy>, DropError> {
        Ok(None)
    }

    fn only_forgets(&self) -> bool {
        true
    }
}
