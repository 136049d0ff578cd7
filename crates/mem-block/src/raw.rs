//! The one module that handles raw memory; everything outside it is safe code.
#![expect(
    unsafe_code,
    reason = "zeroed memory without a first write, and words seen as bytes, have no safe form in std"
)]

use std::alloc::{self, Layout};
use std::{ptr, slice};

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

/// Shortens a mapping to `len` bytes and says whether the system did it.
#[cfg(target_os = "linux")]
pub(crate) fn shrink_mapping(map: &mut memmap2::MmapMut, len: usize) -> bool {
    let in_place = memmap2::RemapOptions::new().may_move(false);
    // SAFETY: the mapping is anonymous, so there is no file whose end it could pass, and it only
    // gets shorter; the unique borrow proves that no slice of it is in use.
    len <= map.len() && unsafe { map.remap(len, in_place) }.is_ok()
}

/// Elsewhere a mapping stays as long as it is.
#[cfg(not(target_os = "linux"))]
pub(crate) fn shrink_mapping(_map: &mut memmap2::MmapMut, _len: usize) -> bool {
    false
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
}
