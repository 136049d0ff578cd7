//! Disk space of runs, given back while they are merged.

use std::sync::Barrier;

use mem_sort::{MergePart, Merger, Order, Run};
use mem_spill::{Codec, SpillOptions};
use task_mem::Wait;

use crate::support::{Bench, KIB, collect, expected};

const RECORDS: u64 = 24_000;

/// Records of 20 to 220 bytes that do not compress well.
fn records() -> Vec<Vec<u8>> {
    let mut state = 1_u64;
    let mut next = || {
        // Knuth's MMIX constants.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    let mut record = || {
        let words = 5 + next() % 50;
        let words = (0..words).flat_map(|_| next().to_be_bytes().into_iter().skip(4));
        words.collect()
    };
    (0..RECORDS).map(|_| record()).collect()
}

/// A few runs of half a megabyte.
fn runs(bench: &Bench, records: &[Vec<u8>]) -> Vec<Run> {
    let mut sorter = bench.new_sorter(&bench.task(1));
    for record in records {
        sorter.insert(record, &Wait::default()).unwrap();
    }
    sorter.into_runs().unwrap()
}

fn bench(codec: Codec, block: usize) -> Bench {
    let mut bench = Bench::new(8192 * KIB, 1024 * KIB);
    bench.sorter.spill = SpillOptions::new(codec, block).unwrap();
    bench.sorter.force_spill_records = 5000;
    bench.sorter.marks = 32;
    bench
}

type Collected = Vec<Vec<u8>>;

fn merge(part: MergePart) -> Collected {
    let mut records = Vec::new();
    part.merge(collect(&mut records)).unwrap();
    records
}

fn one_after_the_other(parts: Vec<MergePart>) -> Vec<Collected> {
    parts.into_iter().map(merge).collect()
}

fn the_last_first(parts: Vec<MergePart>) -> Vec<Collected> {
    let mut merged: Vec<_> = parts.into_iter().rev().map(merge).collect();
    merged.reverse();
    merged
}

/// Each in a thread, where all have begun before the first goes on.
fn side_by_side(parts: Vec<MergePart>) -> Vec<Collected> {
    let begun = Barrier::new(parts.len());
    mem_sync::thread::scope(|scope| {
        let merge = |mut part: MergePart| {
            part.begin().unwrap();
            begun.wait();
            merge(part)
        };
        let threads: Vec<_> = parts
            .into_iter()
            .map(|part| scope.spawn(move || merge(part)))
            .collect();
        let joined = threads.into_iter().map(|thread| thread.join().unwrap());
        joined.collect()
    })
}

#[test]
fn parts_give_back_what_no_other_part_reads() {
    let records = records();
    let expected = expected(&records, Order::Ascending, false);
    for (codec, block) in [
        (Codec::None, 1 << 10),
        (Codec::None, 16 << 10),
        (Codec::Lz4, 4 << 10),
    ] {
        for in_order in [one_after_the_other, the_last_first, side_by_side] {
            for parts in 1..5 {
                let bench = bench(codec, block);
                let runs = runs(&bench, &records);
                let stored: u64 = runs.iter().map(Run::stored_bytes).sum();
                let options = bench.merge_options();
                let mut merger = Merger::new(&bench.task(2), bench.dirs.clone(), options).unwrap();
                let divided = merger.split(runs, parts, &Wait::default()).unwrap();
                assert_eq!(divided.len(), parts);
                let merged = in_order(divided).concat();
                assert!(merged == expected, "{parts} parts, {codec}, {block}");
                let released = bench.files.released() as u64;
                assert!(released > stored / 2, "{released} of {stored} bytes");
                drop(merger);
                bench.check_nothing_left();
            }
        }
    }
}

#[test]
fn runs_that_are_merged_in_between_are_kept_until_then() {
    let records = records();
    for read_ahead_threads in [0, 1] {
        let mut bench = bench(Codec::None, 16 << 10);
        bench.fan_in_max = Some(3);
        let runs = runs(&bench, &records);
        assert_eq!(runs.len(), 5);
        let stored: u64 = runs.iter().map(Run::stored_bytes).sum();
        let options = mem_sort::MergeOptions {
            read_ahead_threads,
            ..bench.merge_options()
        };
        let merger = Merger::new(&bench.task(2), bench.dirs.clone(), options).unwrap();
        let mut merged = Vec::new();
        let stats = merger
            .merge(runs, &Wait::default(), collect(&mut merged))
            .unwrap();
        assert!(merged == expected(&records, Order::Ascending, false));
        assert_eq!(stats.extra_merges, 1);
        // All is in the last merge, once.
        let released = bench.files.released() as u64;
        assert!((stored / 2..=stored + stored / 20).contains(&released));
        bench.check_nothing_left();
    }
}
