//! Sorting in memory: pairs by their prefix, packed pointers by their partition.
//!
//! All sort the same data in the same memory, which is filled anew outside the measured part. Ours is
//! lent scratch that has been used before, as a task's pages are; the peers take what they want.

mod peers;

use std::cell::RefCell;

use bytemuck::{Pod, cast_slice_mut};
use mem_block::{
    AllocatorOptions, MemoryAllocator, MemoryBlock, OffHeapAllocator, PackedRecordPointer,
};
use mem_sort::radix::{sort_pairs, sort_words};

use crate::measure::{Run, in_turn, time};
use crate::report::{Report, Row};
use peers::{Pair, Pointer};

/// What is sorted in each case.
const ITEMS: usize = 10_000_000;
/// Runs of each, after one to warm up.
const ROUNDS: usize = 5;
/// Peers in each case.
const PEERS: usize = 4;

/// A peer's name and version, and how it sorts.
type Peer<T> = (&'static str, fn(&mut [T]));

pub(super) fn run(report: &mut Report) {
    pairs(report, "pairs by prefix, 1 thread", 1, &peers::PAIRS);
    pairs(
        report,
        "pairs by prefix, 2 threads",
        2,
        &peers::PAIRS_ON_TWO,
    );
    pointers(report, "pointers by 200 partitions", 200);
    pointers(report, "pointers by 100000 partitions", 100_000);
}

fn pairs(report: &mut Report, case: &str, threads: usize, peers: &[Peer<Pair>; PEERS]) {
    if !report.wants(case) {
        return;
    }
    let mut next = random(7);
    let original: Vec<u64> = (0..2 * ITEMS).map(|_| next()).collect();
    let mut scratch = memory(original.len());
    let mut ours = |data: &mut [u64]| {
        let scratch = cast_slice_mut(scratch.as_mut_words());
        sort_pairs(cast_slice_mut(data), Some(scratch), threads);
    };
    compare(report, case, &original, &mut ours, peers);
}

fn pointers(report: &mut Report, case: &str, partitions: u64) {
    if !report.wants(case) {
        return;
    }
    let mut next = random(8);
    let shift = PackedRecordPointer::PARTITION_SHIFT;
    let pointer = |random: u64| (random % partitions) << shift | random >> (u64::BITS - shift);
    let original: Vec<u64> = (0..ITEMS).map(|_| pointer(next())).collect();
    let mut scratch = memory(original.len());
    let mut ours = |data: &mut [u64]| {
        sort_words(data, scratch.as_mut_words(), shift..u64::BITS, 1);
    };
    compare::<Pointer>(report, case, &original, &mut ours, &peers::POINTERS);
}

/// Adds the row of ours beside the fastest of `peers`.
fn compare<T: Pod>(
    report: &mut Report,
    case: &str,
    original: &[u64],
    ours: &mut dyn FnMut(&mut [u64]),
    peers: &[Peer<T>; PEERS],
) {
    let data = RefCell::new(memory(original.len()));
    let measure = |sort: &mut dyn FnMut(&mut [u64])| {
        let mut data = data.borrow_mut();
        data.as_mut_words().copy_from_slice(original);
        time(|| sort(data.as_mut_words()))
    };
    let mut ours = || measure(ours);
    let [mut first, mut second, mut third, mut fourth] =
        peers.map(|(_, sort)| move || measure(&mut |data| sort(cast_slice_mut(data))));
    let runs: [Run<'_>; _] = [&mut ours, &mut first, &mut second, &mut third, &mut fourth];
    let [ours, theirs @ ..] = in_turn(ROUNDS, runs);
    for ((name, _), time) in peers.iter().zip(theirs) {
        report.say(&format!("{case}: {name} {} ms", time.as_millis()));
    }
    let fastest = peers.iter().zip(theirs).min_by_key(|(_, time)| *time);
    let ((name, _), theirs) = fastest.expect("there are peers");
    // Each sorts all items once.
    report.add(&Row::new(
        "keys",
        case,
        ours,
        (name, theirs),
        1.0,
        Some(1.0),
    ));
}

/// Memory as a task's large pages are, touched.
fn memory(words: usize) -> MemoryBlock {
    let allocator = OffHeapAllocator::new(AllocatorOptions::limited(u64::MAX));
    let bytes = words as u64 * 8;
    let mut block = allocator
        .allocate(bytes)
        .expect("the benchmark fits the machine's memory");
    block.fill(0);
    block
}

/// SplitMix64.
fn random(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed;
    move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
