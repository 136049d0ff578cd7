//! A block of memory that somebody owns.

use crate::{MemoryLocation, MemoryMode, ObjectId, raw, region::Region};
use std::{fmt, mem, sync::Arc};

/// Where a block's memory goes when the block ends.
pub(crate) trait Home: Send + Sync {
    /// Takes back the memory of a block of `len` bytes. Holds no lock while it touches or unmaps.
    fn take_back(&self, region: Region, len: u64);

    /// A block is as new without having been given back.
    fn renew(&self, region: &mut Region);
}

/// A contiguous piece of memory with one owner (Spark: `MemoryBlock`).
///
/// It gives its memory back to its allocator when dropped. It can't be copied, so it can't be freed
/// twice, freed to another allocator, or used after it was freed, all of which Spark tries to
/// notice by special page numbers:
///
/// ```compile_fail,E0382
/// # use mem_block::{AllocatorOptions, HeapAllocator, MemoryAllocator};
/// let heap = HeapAllocator::new(AllocatorOptions::limited(1024));
/// let block = heap.allocate(512).unwrap();
/// block.free();
/// block.as_slice(); // the block is gone
/// ```
///
/// The bytes are always initialised: zero in fresh memory, whatever was there before in memory that
/// is used again. Use [`MemoryAllocator::allocate_zeroed`](crate::MemoryAllocator::allocate_zeroed)
/// where zeros matter.
pub struct MemoryBlock {
    region: Region,
    len: usize,
    mode: MemoryMode,
    home: Arc<dyn Home>,
}

impl MemoryBlock {
    /// The first `len` bytes of `region`, which has at least as many.
    pub(crate) fn new(region: Region, len: u64, mode: MemoryMode, home: Arc<dyn Home>) -> Self {
        let len = usize::try_from(len).expect("memory of this length is allocated");
        assert!(len <= region.bytes().len(), "the region holds the block");
        Self {
            region,
            len,
            mode,
            home,
        }
    }

    /// Length in bytes, exactly as asked for (Spark: `size`).
    #[expect(
        clippy::len_without_is_empty,
        reason = "an empty block is of no use; nobody asks"
    )]
    pub const fn len(&self) -> u64 {
        self.len as u64
    }

    /// Bytes of real memory behind the block: its length rounded up to whole words or pages.
    pub fn capacity(&self) -> u64 {
        self.region.capacity()
    }

    /// Which kind of memory this is.
    pub const fn mode(&self) -> MemoryMode {
        self.mode
    }

    /// Where the block starts. Meaningful while the block lives.
    pub fn location(&self) -> MemoryLocation {
        let address = self.region.address();
        match self.mode {
            MemoryMode::OnHeap => MemoryLocation::on_heap(ObjectId::new(address)),
            MemoryMode::OffHeap => MemoryLocation::off_heap(address),
        }
    }

    /// The block's bytes. They start at a multiple of 8.
    pub fn as_slice(&self) -> &[u8] {
        &self.region.bytes()[..self.len]
    }

    /// The block's bytes, for writing.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        &mut self.region.bytes_mut()[..self.len]
    }

    /// The block's whole 8-byte words, in the machine's byte order (Spark: `LongArray`); up to
    /// seven bytes at the end belong to none.
    pub fn as_words(&self) -> &[u64] {
        raw::words_of(self.as_slice())
    }

    /// The block's whole 8-byte words, for writing.
    pub fn as_mut_words(&mut self) -> &mut [u64] {
        raw::words_of_mut(self.as_mut_slice())
    }

    /// Overwrites every byte with `byte` (Spark: `fill`).
    pub fn fill(&mut self, byte: u8) {
        self.as_mut_slice().fill(byte);
    }

    /// As if it had been given back and allocated again, in the same place: its contents are of no
    /// particular value any more. Spares the way to the allocator where one user follows another.
    pub fn renew(&mut self) {
        self.home.renew(&mut self.region);
    }

    /// Gives the memory back to the allocator it came from (Spark: `MemoryAllocator.free`). The same
    /// as dropping the block, for places where that should be seen.
    pub fn free(self) {}
}

impl Drop for MemoryBlock {
    fn drop(&mut self) {
        let region = mem::take(&mut self.region);
        self.home.take_back(region, self.len as u64);
    }
}

impl fmt::Debug for MemoryBlock {
    /// Without the contents.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryBlock")
            .field("mode", &self.mode)
            .field("len", &self.len)
            .field("location", &self.location())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_can_move_between_threads_and_be_read_from_several() {
        const fn both<T: Send + Sync>() {}
        both::<MemoryBlock>();
    }
}
