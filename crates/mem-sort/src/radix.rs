//! Sorting in memory by radix: pairs of a key and something, and words by some of their bits.
//!
//! Both sorts take scratch as long as the data; whose memory that is and what it is charged to is the
//! caller's business. They work in three steps, each of them within the processor's cache:
//!
//! 1. Pieces of the data that fit the cache are spread by the highest bits that differ, in the cache,
//!    and then written to the scratch one after the other.
//! 2. What falls in one bucket is gathered from all pieces, and spread by the next bits.
//! 3. By then next to nothing is out of order; what is, is inserted where it belongs.
//!
//! Nothing is ever stored all over memory: where lines of memory come into the cache, they come in
//! order: the pieces of a bucket are asked for in time, and what is read much later goes past the cache.
//! The steps are shared out between threads, by pieces and then by buckets.
//!
//! Spark's counterpart: `RadixSort`, which goes byte by byte from the lowest to the highest, through
//! all of the memory each time.

mod bucket;
mod item;
mod pieces;

use std::ops::Range;

use item::{Item, Span};

/// Most bits that [`sort_words`] sorts by.
pub const WORD_BITS: u32 = 24;

/// Sorts pairs by their first word, as unsigned numbers, ascending; equal ones come in any order.
///
/// With `scratch`, of which as much as `data` is long is overwritten, it sorts by radix, on up to
/// `threads` threads: this one and others that end before it returns. It takes heap for two bytes per
/// bucket and piece and little else, less than a hundredth of the data. Without scratch, or where that is too short,
/// it sorts by comparison on this thread, in place.
///
/// Spark's counterpart: `RadixSort.sortKeyPrefixArray`.
///
/// # Panics
///
/// If the system has no thread left.
///
/// # Example
///
/// ```
/// let mut pairs = [[3, 0], [1, 1], [2, 2]];
/// mem_sort::radix::sort_pairs(&mut pairs, Some(&mut [[0; 2]; 3]), 1);
/// assert_eq!(pairs, [[1, 1], [2, 2], [3, 0]]);
/// ```
pub fn sort_pairs(data: &mut [[u64; 2]], scratch: Option<&mut [[u64; 2]]>, threads: usize) {
    let (length, span) = (data.len(), Span::new(0..u64::BITS));
    match scratch.and_then(|scratch| scratch.get_mut(..length)) {
        Some(scratch) => sort(data, scratch, span, threads),
        None => item::compare(data, span),
    }
}

/// Sorts words by the `bits` of them, of which 0 is the lowest, as unsigned numbers, ascending; equal
/// ones stay in the order in which they were. As much of `scratch` as `data` is long is overwritten.
/// Threads and heap are as with [`sort_pairs`].
///
/// Spark's counterpart: `RadixSort.sort`.
///
/// # Panics
///
/// If `scratch` is shorter than `data`; if `bits` go beyond a word or are more than [`WORD_BITS`]; if
/// the system has no thread left.
///
/// # Example
///
/// ```
/// let mut words = [0x2_07, 0x1_09, 0x2_03];
/// mem_sort::radix::sort_words(&mut words, &mut [0; 3], 8..16, 1);
/// assert_eq!(words, [0x1_09, 0x2_07, 0x2_03]);
/// ```
pub fn sort_words(data: &mut [u64], scratch: &mut [u64], bits: Range<u32>, threads: usize) {
    assert!(
        bits.len() <= WORD_BITS as usize,
        "more than {WORD_BITS} bits to sort by"
    );
    let scratch = &mut scratch[..data.len()];
    sort(data, scratch, Span::new(bits), threads);
}

fn sort<T: Item>(data: &mut [T], scratch: &mut [T], span: Span, threads: usize) {
    if data.is_sorted_by_key(|item| span.key(*item)) {
        return;
    }
    match data.len() <= pieces::length::<T>() {
        true => bucket::sort_whole(data, scratch, span),
        false => pieces::sort(data, scratch, span, threads.max(1)),
    }
}

#[cfg(test)]
mod tests;
