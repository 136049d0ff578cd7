//! The one module that handles raw memory; everything outside it is safe code.
#![expect(
    unsafe_code,
    reason = "zeroed memory without a first write, mappings, and words seen as bytes have no safe form in std"
)]

use rustix::mm::{self, MapFlags, ProtFlags};
use std::alloc::{self, Layout};
use std::mem::ManuallyDrop;
use std::ptr::{self, NonNull};
use std::{io, slice};

/// `count` zeroed words of the global allocator, or none if it has no more.
///
/// Fresh memory is not written to: pages of the system that are never touched cost nothing.
pub(crate) fn zeroed_words(count: usize) -> Option<Box<[u64]>> {
    if count == 0 {
        return Some(Box::default());
    }
    let layout = Layout::array::<u64>(count).ok()?;
    // SAFETY: `count` is not 0, so the layout's size is not 0.
    let start = unsafe { alloc::alloc_zeroed(layout) };
    if start.is_null() {
        return None;
    }
    let words = ptr::slice_from_raw_parts_mut(as_words(start), count);
    // SAFETY: `words` was allocated by the global allocator with the layout of `[u64; count]`,
    // nobody else has it, and zero bytes are valid `u64`s.
    Some(unsafe { Box::from_raw(words) })
}

/// The first `count` words; the rest goes back to the global allocator. If it can't take a part
/// back, the words come back as they were.
pub(crate) fn shrink_words(words: Box<[u64]>, count: usize) -> Box<[u64]> {
    if count == 0 || count >= words.len() {
        return words;
    }
    let layout = Layout::for_value::<[u64]>(&words);
    let size = count * size_of::<u64>(); // below the layout's size, so it can't overflow
    let old: *mut [u64] = Box::into_raw(words);
    // SAFETY: `old` comes from a non-empty box, which allocates with exactly this layout; the new
    // size is not 0 and smaller than the old one.
    let start = unsafe { alloc::realloc(old.cast::<u8>(), layout, size) };
    let kept = if start.is_null() {
        old
    } else {
        ptr::slice_from_raw_parts_mut(as_words(start), count)
    };
    // SAFETY: if realloc failed, `old` is still allocated and was given up by `into_raw`; else
    // `kept` has the layout of `[u64; count]` and its words are the initialised first ones.
    unsafe { Box::from_raw(kept) }
}

/// The bytes of `words`, in the machine's byte order.
pub(crate) fn bytes_of(words: &[u64]) -> &[u8] {
    // SAFETY: `u8` has no alignment and every byte of a `u64` is initialised; length and lifetime
    // are those of `words`.
    unsafe { slice::from_raw_parts(words.as_ptr().cast::<u8>(), size_of_val(words)) }
}

/// As [`bytes_of`], for writing.
pub(crate) fn bytes_of_mut(words: &mut [u64]) -> &mut [u8] {
    let size = size_of_val(words);
    // SAFETY: as in `bytes_of`; the borrow is unique and every byte pattern is a valid `u64`.
    unsafe { slice::from_raw_parts_mut(words.as_mut_ptr().cast::<u8>(), size) }
}

/// The whole words of `bytes`, which start at a multiple of 8; a shorter tail is left out.
pub(crate) fn words_of(bytes: &[u8]) -> &[u64] {
    // SAFETY: every byte pattern is a valid `u64`.
    let (before, words, _tail) = unsafe { bytes.align_to::<u64>() };
    assert!(before.is_empty(), "blocks start at a multiple of 8");
    words
}

/// As [`words_of`], for writing.
pub(crate) fn words_of_mut(bytes: &mut [u8]) -> &mut [u64] {
    // SAFETY: every byte pattern is a valid `u64`, and every `u64` is valid bytes.
    let (before, words, _tail) = unsafe { bytes.align_to_mut::<u64>() };
    assert!(before.is_empty(), "blocks start at a multiple of 8");
    words
}

/// Anonymous memory of the system in whole pages: zeroed, private, unmapped when dropped.
///
/// The system unmaps any range of it, so a range can be cut in two, and two that adjoin can be joined,
/// at no cost.
#[derive(Debug)]
pub(crate) struct Pages {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: the range has one owner and depends on no thread, as a `Box<[u8]>`.
unsafe impl Send for Pages {}
// SAFETY: shared borrows of the range only read it.
unsafe impl Sync for Pages {}

impl Pages {
    /// Every length and every cut is a multiple of this many bytes.
    ///
    /// The x86 page. Other processors have pages of up to 64 KiB, chosen when the kernel is built; a
    /// multiple of the largest is a multiple of any.
    pub(crate) const UNIT: usize = if cfg!(any(target_arch = "x86", target_arch = "x86_64")) {
        4 << 10
    } else {
        64 << 10
    };

    /// Maps `len` bytes.
    pub(crate) fn map(len: usize) -> io::Result<Self> {
        assert!(len.is_multiple_of(Self::UNIT), "whole pages are mapped");
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: without an address of ours the system chooses one where nothing is mapped.
        let start = unsafe { mm::mmap_anonymous(ptr::null_mut(), len, access, MapFlags::PRIVATE) }?;
        let start = NonNull::new(start.cast::<u8>()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { start, len })
    }

    /// Advises huge pages. The system may have none; the memory is the same.
    #[cfg(target_os = "linux")]
    pub(crate) fn advise_huge(&self) {
        let start = self.start.as_ptr().cast();
        // SAFETY: the range is mapped and ours; the advice changes none of its contents.
        unsafe { mm::madvise(start, self.len, mm::Advice::LinuxHugepage) }.ok();
    }

    /// Writes a zero to fresh memory, where there is one already: the system has to put memory there.
    #[cfg(target_os = "linux")]
    pub(crate) fn fault_in(&mut self, at: usize) {
        let byte = std::ptr::from_mut(&mut self.bytes_mut()[at]);
        // SAFETY: the byte is borrowed from the mapping for this moment. Volatile, as nobody reads it.
        unsafe { byte.write_volatile(0) };
    }

    pub(crate) fn start(&self) -> NonNull<u8> {
        self.start
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Keeps the first `at` bytes and returns the others.
    pub(crate) fn split_off(&mut self, at: usize) -> Self {
        assert!(at.is_multiple_of(Self::UNIT), "pages are not cut");
        let len = self.len.checked_sub(at).expect("the cut is in the range");
        // SAFETY: `at` is at most `len`, so the result is in the mapping or at its end.
        let start = unsafe { self.start.add(at) };
        self.len = at;
        Self { start, len }
    }

    /// Appends `next` if it starts where this ends; else returns it.
    pub(crate) fn join(&mut self, next: Self) -> Option<Self> {
        if self.start.addr().get() + self.len != next.start.addr().get() {
            return Some(next);
        }
        let next = ManuallyDrop::new(next);
        self.len += next.len; // both are mapped, so their sum is below the address space
        None
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: the range is mapped, readable and initialised (by the system, with zeros) for as
        // long as `self` lives, and only a unique borrow writes to it.
        unsafe { slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`; the borrow is unique.
        unsafe { slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        if self.len == 0 {
            return;
        }
        let start = self.start.as_ptr().cast();
        // SAFETY: the range is mapped by `map`, nobody else has it, and no borrow of it lives on. It
        // is made of whole pages, so nothing beside it is unmapped.
        let unmapped = unsafe { mm::munmap(start, self.len) };
        // A hole needs one more entry in the system's list of mappings, which may be full. Then the
        // addresses are lost, but not the memory.
        #[cfg(target_os = "linux")]
        if unmapped.is_err() {
            // SAFETY: as above; nobody reads again what becomes zero.
            unsafe { mm::madvise(start, self.len, mm::Advice::LinuxDontNeed) }.ok();
        }
        #[cfg(not(target_os = "linux"))]
        unmapped.ok();
    }
}

#[expect(
    clippy::cast_ptr_alignment,
    reason = "the memory was allocated with the layout of u64s"
)]
fn as_words(start: *mut u8) -> *mut u64 {
    start.cast::<u64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_zero_and_shrink_in_place_of_their_contents() {
        let mut words = zeroed_words(100).unwrap();
        assert!(words.iter().all(|&word| word == 0));
        for (at, word) in words.iter_mut().enumerate() {
            *word = at as u64;
        }
        let words = shrink_words(words, 40);
        assert_eq!(words.len(), 40);
        assert!(
            words
                .iter()
                .enumerate()
                .all(|(at, &word)| word == at as u64)
        );
        assert_eq!(shrink_words(words, 41).len(), 40);
    }

    #[test]
    fn no_words_need_no_memory() {
        assert!(zeroed_words(0).unwrap().is_empty());
        assert_eq!(shrink_words(Box::default(), 0).len(), 0);
    }

    #[test]
    fn a_count_beyond_the_address_space_is_none() {
        assert!(zeroed_words(usize::MAX / 8).is_none());
    }

    #[test]
    fn bytes_and_words_are_two_views() {
        let mut words = vec![0_u64; 2];
        bytes_of_mut(&mut words)[8] = 0xff;
        assert_eq!(words[1].to_ne_bytes()[0], 0xff);
        assert_eq!(bytes_of(&words).len(), 16);
        assert_eq!(words_of(&bytes_of(&words)[..15]).len(), 1);
        words_of_mut(&mut bytes_of_mut(&mut words)[..9])[0] = 7;
        assert_eq!(words[0], 7);
    }

    #[test]
    fn pages_are_cut_and_joined() {
        const PAGE: usize = 64 << 10; // whole pages, however large the system's are
        let mut front = Pages::map(4 * PAGE).unwrap();
        assert!(front.bytes().iter().all(|&byte| byte == 0));
        front.bytes_mut()[3 * PAGE] = 7;
        let mut back = front.split_off(PAGE);
        let last = back.split_off(2 * PAGE);
        assert_eq!(
            [&front, &back, &last].map(|pages| pages.bytes().len() / PAGE),
            [1, 2, 1]
        );
        assert_eq!(last.bytes()[0], 7);

        let last = front.join(last).expect("there is a gap");
        assert!(front.join(back).is_none());
        assert!(front.join(last).is_none());
        assert_eq!(
            (front.bytes().len(), front.bytes()[3 * PAGE]),
            (4 * PAGE, 7)
        );
        drop(front.split_off(PAGE));
        front.bytes_mut().fill(1);
    }

    #[test]
    fn an_empty_cut_is_no_range() {
        let mut pages = Pages::map(64 << 10).unwrap();
        assert!(pages.split_off(64 << 10).bytes().is_empty());
        assert!(Pages::map(0).is_err());
    }
}
