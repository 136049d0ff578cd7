//! What the processor's caches are told: what is not read soon, and what is.
//!
//! A plain store to memory that is not in the cache first reads what it overwrites, so copying moves half
//! as much again as it has to. A streaming store reads nothing, if whole lines are written one after the
//! other. And where short pieces are read from all over memory, the processor does not foresee the next
//! one. On other processors than x86-64, and in Miri, copies are plain and nothing is foretold.

/// Has the processor bring the line of an address into its cache, where it knows how to.
pub(crate) use lines::fetch;

/// Copies `pieces` to `to` one after the other, past the cache where the processor can.
///
/// That pays where `to` is not in the cache and is out of it again by when it is read: for megabytes. The
/// pieces themselves are best in the cache, or long. What is behind the last piece in `to` stays as it was.
///
/// # Panics
///
/// If `to` is shorter than the pieces are together.
///
/// # Example
///
/// ```
/// let mut to = [0; 5];
/// mem_block::copy_past_cache([&[1, 2][..], &[3, 4]], &mut to);
/// assert_eq!(to, [1, 2, 3, 4, 0]);
/// ```
pub fn copy_past_cache<'a>(pieces: impl IntoIterator<Item = &'a [u64]>, to: &mut [u64]) {
    let settled = lines::Settled;
    let mut rest = to;
    for piece in pieces {
        let (this, behind) = rest.split_at_mut(piece.len());
        lines::copy(piece, this, &settled);
        rest = behind;
    }
}

#[cfg(all(target_arch = "x86_64", not(miri)))]
mod lines {
    #![expect(
        unsafe_code,
        reason = "std has no safe form of streaming stores and of the fence behind them"
    )]

    use std::arch::x86_64::{
        __m128i, _MM_HINT_T0, _mm_prefetch, _mm_set_epi64x, _mm_sfence, _mm_stream_si128,
    };

    /// Words in a line.
    const WORDS: usize = 8;

    /// What the cache and memory exchange at once.
    #[repr(C, align(64))]
    struct Line([__m128i; 4]);

    /// Copies `from` to `to`, which is as long; the whole lines of it by streaming stores, which are there
    /// for all to read once the [`Settled`] is dropped: while `to` is still borrowed.
    pub(super) fn copy(from: &[u64], to: &mut [u64], _dropped_behind: &Settled) {
        // SAFETY: any bits are a `Line`, and any bits of a `Line` are words.
        let (head, lines, tail) = unsafe { to.align_to_mut::<Line>() };
        let (from_head, from) = from.split_at(head.len());
        let (from, from_tail) = from.as_chunks::<WORDS>();
        head.copy_from_slice(from_head);
        for (line, words) in lines.iter_mut().zip(from) {
            // SAFETY: every x86-64 processor has SSE2.
            unsafe { store(line, words) };
        }
        tail.copy_from_slice(from_tail);
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn store(line: &mut Line, words: &[u64; WORDS]) {
        for (place, [low, high]) in line.0.iter_mut().zip(words.as_chunks().0) {
            let value = _mm_set_epi64x(high.cast_signed(), low.cast_signed());
            // SAFETY: a reference is valid for writing, and one to a `__m128i` is aligned as this needs
            // it. The one caller of `copy` drops `Settled` while it still borrows what is written, so
            // nobody reads it before.
            unsafe { _mm_stream_si128(place, value) };
        }
    }

    #[inline]
    pub(crate) fn fetch(address: usize) {
        // SAFETY: the instruction is a hint: it reads nothing that a program could see, and an address
        // where nothing is mapped is no fault.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::without_provenance(address)) };
    }

    /// When it is dropped, what was copied is there for all to read, on other threads too.
    pub(super) struct Settled;

    impl Drop for Settled {
        fn drop(&mut self) {
            // SAFETY: every x86-64 processor has the instruction, and it touches no memory of ours.
            unsafe { _mm_sfence() };
        }
    }
}

#[cfg(not(all(target_arch = "x86_64", not(miri))))]
mod lines {
    pub(crate) fn fetch(_address: usize) {}

    pub(super) fn copy(from: &[u64], to: &mut [u64], _plain: &Settled) {
        to.copy_from_slice(from);
    }

    pub(super) struct Settled;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_any_length_at_any_place_are_copied_and_nothing_else() {
        let from: Vec<u64> = (1..200).collect();
        for start in 0..9 {
            for length in 0..40 {
                let mut to = vec![0; 200];
                let pieces = [&from[..length], &[], &from[length..2 * length + 3]];
                let copied = 2 * length + 3;
                copy_past_cache(pieces, &mut to[start..]);
                assert_eq!(to[start..start + copied], from[..copied]);
                assert!(
                    to[..start]
                        .iter()
                        .chain(&to[start + copied..])
                        .all(|word| *word == 0)
                );
            }
        }
    }

    #[test]
    fn another_thread_reads_what_was_copied() {
        let from: Vec<u64> = (0..10_000).collect();
        let mut to = vec![0; from.len()];
        copy_past_cache(from.chunks(77), &mut to);
        let seen = std::thread::scope(|scope| scope.spawn(|| to == from).join());
        assert!(seen.unwrap());
    }

    #[test]
    #[should_panic(expected = "mid > len")]
    fn pieces_longer_than_the_memory_are_refused() {
        copy_past_cache([&[1, 2][..]], &mut [0]);
    }
}
