//! The sorts beside those of the standard library.

use super::pieces::{FAR_BYTES, length};
use super::*;
use crate::shuffle::testing::random;

/// The names of the shapes of keys.
const SHAPES: [&str; 11] = [
    "random",
    "few distinct",
    "one far above",
    "mostly one",
    "narrow",
    "steep",
    "text",
    "equal",
    "ascending",
    "descending",
    "alternating",
];

/// Keys of a shape.
fn keys(shape: &str, count: usize) -> Vec<u64> {
    let mut next = random(count as u64 + 1);
    let mut random = || (0..count).map(|_| next()).collect::<Vec<u64>>().into_iter();
    let numbers = (0..count as u64).map(|n| n << 3);
    match shape {
        "random" => random().collect(),
        "few distinct" => random().map(|n| n % 3 * 0x1000_0001).collect(),
        "one far above" => random()
            .map(|n| if n % 50 == 0 { n } else { n >> 50 })
            .collect(),
        "mostly one" => random()
            .map(|n| if n % 8 == 0 { n } else { 1 << 40 })
            .collect(),
        "narrow" => random().map(|n| n >> 44 | 0xab << 56).collect(),
        "steep" => random().map(|n| u64::MAX >> (n % 64)).collect(),
        "text" => random()
            .map(|n| n & 0x0707_0307_0707_0700 | 0x6060_6060_6060_6008)
            .collect(),
        "equal" => vec![42; count],
        "ascending" => numbers.collect(),
        "descending" => numbers.rev().collect(),
        "alternating" => numbers.map(|n| n << 40 | n).collect(),
        _ => unreachable!("no such shape"),
    }
}

fn check_pairs(name: &str, keys: &[u64], threads: usize) {
    let pairs: Vec<[u64; 2]> = (0..).zip(keys).map(|(at, key)| [*key, at]).collect();
    let mut expected = pairs.clone();
    expected.sort_unstable();
    let mut scratch = vec![[7; 2]; keys.len()];
    for scratch in [None, Some(scratch.as_mut_slice())] {
        let by_radix = scratch.is_some();
        let mut sorted = pairs.clone();
        sort_pairs(&mut sorted, scratch, threads);
        assert!(sorted.is_sorted_by_key(|pair| pair[0]), "{name} {by_radix}");
        sorted.sort_unstable();
        assert!(
            sorted == expected,
            "{name}, {}: others come out",
            keys.len()
        );
    }
}

fn check_words(name: &str, words: &[u64], bits: Range<u32>, threads: usize) {
    let shifted = |word: &u64| match bits.len() {
        0 => 0,
        length => *word << (64 - bits.end) >> (64 - length),
    };
    let mut expected = words.to_vec();
    // Stable, as the other is to be.
    expected.sort_by_key(shifted);
    let (mut sorted, mut scratch) = (words.to_vec(), vec![7; words.len() + 1]);
    sort_words(&mut sorted, &mut scratch, bits.clone(), threads);
    assert!(
        sorted == expected,
        "{name}, {}, {bits:?}, {threads}",
        words.len()
    );
}

#[test]
fn pairs_of_every_length_below_2000_are_sorted() {
    for count in 0..2000 {
        let shape = SHAPES[count % SHAPES.len()];
        check_pairs(shape, &keys(shape, count), 1);
    }
}

#[test]
fn words_of_every_length_below_2000_are_sorted_and_equal_ones_keep_their_order() {
    for count in 0..2000 {
        let shape = SHAPES[count % SHAPES.len()];
        let bits = [40..64, 3..9][count % 2].clone();
        check_words(shape, &keys(shape, count), bits, 1);
    }
}

#[test]
fn pairs_of_several_pieces_are_sorted_by_one_to_three_threads() {
    let piece = length::<[u64; 2]>();
    for (threads, count) in [(1, piece), (1, piece + 1), (2, 2 * piece), (3, 100_000)] {
        for shape in SHAPES {
            check_pairs(shape, &keys(shape, count), threads);
        }
    }
}

#[test]
fn words_of_several_pieces_are_sorted_by_one_to_three_threads() {
    let piece = length::<u64>();
    for (threads, count) in [(1, piece), (1, piece + 1), (3, 2 * piece + 17)] {
        for shape in SHAPES {
            let words = keys(shape, count);
            for bits in [40..64, 13..26] {
                check_words(shape, &words, bits, threads);
            }
        }
    }
}

#[test]
fn more_than_the_caches_hold_is_sorted() {
    let pairs = keys("random", FAR_BYTES / size_of::<[u64; 2]>() + 1);
    check_pairs("random", &pairs, 2);
    let words = keys("few distinct", FAR_BYTES / size_of::<u64>());
    check_words("few distinct", &words, 28..36, 1);
}

#[test]
fn radix_sort_10000_longs_fixed_seed_and_bytes_2_to_4_only() {
    let mut next = random(123);
    let words: Vec<u64> = (0..10_000).map(|_| next()).collect();
    check_pairs("10000", &words, 1);
    check_words("10000", &words, 16..40, 1);
}

#[test]
fn radix_sort_10000_longs_fuzzed_bit_masks() {
    let mut next = random(456);
    for _ in 0..20 {
        let mask = next() & next();
        let words: Vec<u64> = (0..10_000).map(|_| next() & mask).collect();
        check_pairs("masked", &words, 1);
        check_words("masked", &words, 40..64, 1);
    }
}

#[test]
fn a_bit_that_the_sample_does_not_show_is_found_all_the_same() {
    let mut next = random(9);
    let mut keys: Vec<u64> = (0..100_000).map(|_| next() >> 20).collect();
    keys[4711] = u64::MAX;
    check_pairs("one above", &keys, 2);
    check_words("one above", &keys, 40..64, 2);
}

#[test]
fn scratch_that_is_too_short_is_left_alone() {
    let mut pairs = [[2, 0], [1, 0], [3, 0]];
    let mut scratch = [[7; 2]; 2];
    sort_pairs(&mut pairs, Some(&mut scratch), 1);
    assert_eq!((pairs, scratch), ([[1, 0], [2, 0], [3, 0]], [[7; 2]; 2]));
}

#[test]
#[should_panic(expected = "more than 24 bits")]
fn more_bits_than_are_kept_in_order_are_refused() {
    sort_words(&mut [], &mut [], 0..25, 1);
}
