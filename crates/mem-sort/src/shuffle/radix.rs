//! Sorting words by some of their bytes, the least significant first.

use std::ops::RangeInclusive;

/// Values of a byte.
const VALUES: usize = 256;

/// Sorts `data` by the `bytes` of each word, of which 0 is the least significant and 7 the highest; as
/// unsigned numbers, ascending, equal ones in the order in which they were. `scratch` is as long as
/// `data`. A byte that is the same in all words costs one look at them.
///
/// Returns whether the result lies in `scratch`. Spark's counterpart: `RadixSort.sort`, which returns
/// the offset of the result.
///
/// # Panics
///
/// If `scratch` has another length than `data`.
pub(crate) fn sort_by_bytes(
    data: &mut [u64],
    scratch: &mut [u64],
    bytes: RangeInclusive<usize>,
) -> bool {
    assert_eq!(
        data.len(),
        scratch.len(),
        "each pass goes from one to the other"
    );
    let (mut from, mut to) = (data, scratch);
    let mut in_scratch = false;
    for byte in bytes {
        if let Some(mut next) = starts(from, byte) {
            for word in from.iter() {
                // Each place is taken once, so it is below the length.
                let place = &mut next[value(*word, byte)];
                to[*place] = *word;
                *place += 1;
            }
            std::mem::swap(&mut from, &mut to);
            in_scratch = !in_scratch;
        }
    }
    in_scratch
}

/// Where the words with each value of the byte begin; nothing if it is the same in all words.
fn starts(words: &[u64], byte: usize) -> Option<[usize; VALUES]> {
    let mut counts = [0; VALUES];
    for word in words {
        counts[value(*word, byte)] += 1;
    }
    if counts.contains(&words.len()) {
        return None;
    }
    let mut start = 0;
    Some(counts.map(|count| {
        let this = start;
        start += count;
        this
    }))
}

fn value(word: u64, byte: usize) -> usize {
    usize::from(word.to_le_bytes()[byte])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shuffle::testing::random;

    fn check(words: &[u64], bytes: RangeInclusive<usize>) {
        let mut expected = words.to_vec();
        // Stable, as the other is to be; the bytes above and below are shifted out.
        let above = 8 * (7 - bytes.end());
        expected.sort_by_key(|word| word << above >> (above + 8 * bytes.start()));
        let (mut data, mut scratch) = (words.to_vec(), vec![0; words.len()]);
        let in_scratch = sort_by_bytes(&mut data, &mut scratch, bytes.clone());
        let sorted = if in_scratch { scratch } else { data };
        assert!(sorted == expected, "bytes {bytes:?}");
    }

    fn words(seed: u64, mask: u64) -> Vec<u64> {
        let mut random = random(seed);
        (0..10_000).map(|_| random() & mask).collect()
    }

    #[test]
    fn radix_sort_10000_longs_fixed_seed() {
        check(&words(123, u64::MAX), 0..=7);
    }

    #[test]
    fn radix_sort_bytes_2_to_4_only() {
        check(&words(123, u64::MAX), 2..=4);
    }

    #[test]
    fn radix_sort_10000_longs_fuzzed_bit_masks() {
        let mut random = random(456);
        for _ in 0..20 {
            let mask = random() & random();
            check(&words(random(), mask), 0..=7);
            check(&words(random(), mask), 5..=7);
        }
    }

    #[test]
    fn bytes_that_are_the_same_everywhere_are_skipped() {
        let mut data = [7 << 40, 7 << 40];
        assert!(!sort_by_bytes(&mut data, &mut [0; 2], 5..=7));
        assert!(!sort_by_bytes(&mut [], &mut [], 0..=7));
        let mut scratch = [0; 2];
        assert!(sort_by_bytes(&mut [2 << 8, 1 << 8], &mut scratch, 0..=7));
        assert_eq!(scratch, [1 << 8, 2 << 8]);
    }
}
