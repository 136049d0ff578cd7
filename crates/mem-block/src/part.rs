//! Parts of a block that have owners of their own.
//!
//! Thousands of small buffers that are used together, as those of a merge, are better off in one large
//! block: it has huge pages, and they stay in the few entries that a processor has for those.
#![expect(
    unsafe_code,
    reason = "ranges of one block that are borrowed apart by owners that are apart have no safe form in std"
)]

use std::fmt;
use std::ptr::NonNull;
use std::slice;
use std::sync::Arc;

use crate::MemoryBlock;

/// A range of a [`MemoryBlock`], with an owner of its own. With the last part of a block the block is
/// freed, and then what was kept beside it is dropped: what pays for it, say.
pub struct BlockPart<K = ()> {
    start: NonNull<u8>,
    len: usize,
    /// Keeps the range alive, and is not looked at.
    _whole: Arc<Whole<K>>,
}

/// In the order in which they are dropped.
struct Whole<K> {
    block: MemoryBlock,
    _beside: K,
}

// SAFETY: a part is the only one that reads or writes its range, as a `Box<[u8]>`. The rest is an `Arc` of
// a block, which any thread may drop, and of what is beside it, which is dropped by any of the owners.
unsafe impl<K: Send + Sync> Send for BlockPart<K> {}
// SAFETY: shared borrows of a part only read its range, and give no access to anything else.
unsafe impl<K: Send + Sync> Sync for BlockPart<K> {}

impl MemoryBlock {
    /// Cuts the block into parts of so many bytes each, one behind the other from its beginning, which keep
    /// `beside`. What is left over is nobody's until the block is freed; where there is no part, that is
    /// at once.
    ///
    /// # Panics
    /// Where the block has fewer bytes.
    pub fn into_parts<K>(
        self,
        lens: impl IntoIterator<Item = u64>,
        beside: K,
    ) -> Vec<BlockPart<K>> {
        let mut whole = Arc::new(Whole {
            block: self,
            _beside: beside,
        });
        let block = &mut Arc::get_mut(&mut whole).expect("it is new").block;
        let bytes = NonNull::from(block.as_mut_slice());
        let (mut start, mut left) = (bytes.cast::<u8>(), bytes.len());
        let mut parts = Vec::new();
        for len in lens {
            let len = usize::try_from(len).unwrap_or(usize::MAX);
            left = left
                .checked_sub(len)
                .expect("the parts have no more bytes than the block");
            let _whole = Arc::clone(&whole);
            parts.push(BlockPart { start, len, _whole });
            // SAFETY: the sum of the lengths so far is at most that of the block.
            start = unsafe { start.add(len) };
        }
        parts
    }
}

impl<K> AsRef<[u8]> for BlockPart<K> {
    #[inline]
    fn as_ref(&self) -> &[u8] {
        // SAFETY: the range is within the block, which lives as long as the part and whose bytes are always
        // initialised. No other part has a byte of it, and nobody goes to the block itself before
        // all parts are gone.
        unsafe { slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl<K> AsMut<[u8]> for BlockPart<K> {
    #[inline]
    fn as_mut(&mut self) -> &mut [u8] {
        // SAFETY: as for `as_ref`; and whoever borrows the part mutably is alone with it.
        unsafe { slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

impl<K> fmt::Debug for BlockPart<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockPart")
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(mem_loom)))]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::{AllocatorOptions, HeapAllocator, MemoryAllocator, OffHeapAllocator};

    struct Beside<'a>(&'a dyn MemoryAllocator, &'a AtomicBool);

    impl Drop for Beside<'_> {
        fn drop(&mut self) {
            assert_eq!(self.0.stats().live, 0, "the block is freed first");
            self.1.store(true, Ordering::Relaxed);
        }
    }

    #[test]
    fn parts_are_written_apart_and_the_last_frees_all() {
        let options = AllocatorOptions::limited(1 << 20);
        let allocators: [Arc<dyn MemoryAllocator>; 2] =
            [HeapAllocator::new(options), OffHeapAllocator::new(options)];
        for allocator in allocators {
            let is_gone = AtomicBool::new(false);
            let block = allocator.allocate(100_000).unwrap();
            let lens = [1, 0, 50_000, 40_000];
            let mut parts = block.into_parts(lens, Beside(&*allocator, &is_gone));
            std::thread::scope(|scope| {
                for (number, part) in (1_u8..).zip(&mut parts) {
                    scope.spawn(move || part.as_mut().fill(number));
                }
            });
            for ((number, part), len) in (1_u8..).zip(&parts).zip(lens) {
                assert_eq!(part.as_ref(), vec![number; usize::try_from(len).unwrap()]);
            }
            while let Some(part) = parts.pop() {
                assert_eq!(allocator.stats().live, 100_000);
                assert!(!is_gone.load(Ordering::Relaxed));
                drop(part);
            }
            assert!(is_gone.load(Ordering::Relaxed));
        }
    }

    #[test]
    #[should_panic(expected = "the parts have no more bytes than the block")]
    fn parts_are_no_larger_than_the_block() {
        let allocator = HeapAllocator::new(AllocatorOptions::limited(1 << 20));
        let block = allocator.allocate(100).unwrap();
        block.into_parts([60, 41], ());
    }
}
