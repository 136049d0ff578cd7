//! Passes, fan-in, and what is not sorted by one sorter.

use mem_sort::{Merger, Order, Run, Sorted, SortedPages};
use mem_spill::{Codec, SpillOptions};
use task_mem::Wait;

use crate::support::{Bench, KIB, collect, expected, numbers};

/// Runs of ten records each.
fn runs(bench: &Bench, records: &[Vec<u8>]) -> Vec<Run> {
    let task = bench.task(1);
    let mut sorter = bench.new_sorter(&task);
    for ten in records.chunks(10) {
        for record in ten {
            sorter.insert(record, &Wait::default()).unwrap();
        }
        sorter.spill().unwrap();
    }
    sorter.into_runs().unwrap()
}

#[test]
fn the_fan_in_is_what_memory_allows() {
    let records = numbers(2000);
    for (budget, one_pass) in [(64 * KIB, false), (1024 * KIB, true)] {
        let bench = Bench::new(budget, 4 * KIB);
        let runs = runs(&bench, &records);
        assert_eq!(runs.len(), 200);
        let task = bench.task(2);
        let mut merged = Vec::new();
        let merger = Merger::new(&task, bench.dirs.clone(), bench.merge_options()).unwrap();
        let stats = merger
            .merge(runs, &Wait::default(), collect(&mut merged))
            .unwrap();
        assert!(merged == expected(&records, Order::Ascending, false));
        assert_eq!((stats.runs, stats.records), (200, 2000));
        assert_eq!(stats.extra_merges == 0, one_pass, "{stats:?}");
        assert_eq!(stats.fan_in == 200, one_pass, "{stats:?}");
        // A block and a record, for each of them.
        assert!(task.peak_execution_memory(mem_block::MemoryMode::OffHeap) <= budget);
        drop(task);
        bench.check_nothing_left();
    }
}

#[test]
fn a_limited_fan_in_takes_the_passes_that_it_has_to() {
    let records = numbers(170);
    let mut bench = Bench::new(512 * KIB, 4 * KIB);
    for (fan_in, extra) in [(2, 15), (3, 7), (4, 5), (5, 3), (16, 1), (17, 0), (1, 15)] {
        bench.fan_in_max = Some(fan_in);
        let runs = runs(&bench, &records);
        let merger =
            Merger::new(&bench.task(2), bench.dirs.clone(), bench.merge_options()).unwrap();
        let mut merged = Vec::new();
        let stats = merger
            .merge(runs, &Wait::default(), collect(&mut merged))
            .unwrap();
        assert!(merged == expected(&records, Order::Ascending, false));
        assert_eq!(stats.extra_merges, extra, "{fan_in} at once");
    }
    bench.check_nothing_left();
}

#[test]
fn repetitions_are_left_out_across_runs_pages_and_passes() {
    let records = numbers(900);
    for order in [Order::Ascending, Order::Descending] {
        let mut bench = Bench::new(256 * KIB, 512);
        bench.sorter.unique = true;
        bench.sorter.order = order;
        bench.fan_in_max = Some(4);
        let runs = runs(&bench, &records);
        assert!(bench.merge(runs).unwrap() == expected(&records, order, true));
    }
}

#[test]
fn pages_of_several_sorters_are_merged_where_they_are() {
    let bench = Bench::new(1024 * KIB, 4 * KIB);
    let records = numbers(3000);
    let tasks: Vec<_> = (1..4).map(|number| bench.task(number)).collect();
    let mut pages = Vec::new();
    for (task, part) in tasks.iter().zip(records.chunks(1000)) {
        let mut sorter = bench.new_sorter(task);
        for record in part {
            sorter.insert(record, &Wait::default()).unwrap();
        }
        match sorter.finish().unwrap() {
            Sorted::InMemory(sorted) => pages.push(sorted),
            Sorted::Spilled(_) => unreachable!("all of it fits"),
        }
    }
    let mut merged = Vec::new();
    SortedPages::merge(&pages, collect(&mut merged)).unwrap();
    assert!(merged == expected(&records, Order::Ascending, false));
    // The rest of what the sorters held has been given back by now.
    let pages_held = bench.manager.ledger().snapshot().off_heap.execution_used;
    assert_eq!(pages_held % (4 * KIB), 0);
    drop(pages);
    assert_eq!(bench.manager.ledger().snapshot().off_heap.execution_used, 0);
}

#[test]
fn a_merge_is_divided_into_parts_of_about_the_same_size() {
    let records = numbers(20_000);
    for order in [Order::Ascending, Order::Descending] {
        let mut bench = Bench::new(2048 * KIB, 64 * KIB);
        bench.sorter.order = order;
        bench.sorter.marks = 16;
        bench.sorter.page_runs_max = 1000;
        bench.sorter.force_spill_records = 3000;
        let task = bench.task(1);
        let mut sorter = bench.new_sorter(&task);
        for record in &records {
            sorter.insert(record, &Wait::default()).unwrap();
        }
        let runs = sorter.into_runs().unwrap();
        let options = bench.merge_options();
        let mut merger = Merger::new(&task, bench.dirs.clone(), options).unwrap();
        let parts = merger.split(runs, 4, &Wait::default()).unwrap();
        assert_eq!(parts.len(), 4);
        let mut merged = Vec::new();
        // In any order: each is a merge of its own.
        for mut part in parts.into_iter().rev() {
            let before = part.begin().unwrap();
            let mut of_part = Vec::new();
            part.merge(collect(&mut of_part)).unwrap();
            assert!((2000..8000).contains(&of_part.len()), "{}", of_part.len());
            assert_eq!(
                before.0,
                (records.len() - merged.len() - of_part.len()) as u64
            );
            of_part.append(&mut merged);
            merged = of_part;
        }
        assert!(merged == expected(&records, order, false));
        drop(merger);
        drop(task);
        bench.check_nothing_left();
    }
}

#[test]
fn a_merge_is_not_divided_where_memory_is_short_or_a_run_has_no_marks() {
    let records = numbers(2000);
    for (budget, marks, divided) in [(2048, 4, true), (300, 4, false), (2048, 0, false)] {
        let mut bench = Bench::new(budget * KIB, 4 * KIB);
        bench.sorter.marks = marks;
        let runs = runs(&bench, &records);
        let task = bench.task(2);
        let options = bench.merge_options();
        let mut merger = Merger::new(&task, bench.dirs.clone(), options).unwrap();
        let parts = merger.split(runs, 2, &Wait::default()).unwrap();
        assert_eq!(parts.len() == 2, divided, "{budget} KiB, {marks} marks");
        let mut merged = Vec::new();
        for part in parts {
            part.merge(collect(&mut merged)).unwrap();
        }
        assert!(merged == expected(&records, Order::Ascending, false));
    }
}

#[test]
fn nothing_is_merged_to_nothing() {
    let bench = Bench::new(64 * KIB, 4 * KIB);
    assert!(bench.merge(Vec::new()).unwrap().is_empty());
    SortedPages::merge(&[], |_| unreachable!("there is no record")).unwrap();
    bench.check_nothing_left();
}

#[test]
fn every_codec_and_block_size_comes_back() {
    let records = numbers(3000);
    for codec in [Codec::None, Codec::Lz4, Codec::Zstd { level: 1 }] {
        for block in [1024, 1025, 4096, 60_000] {
            let mut bench = Bench::new(2048 * KIB, 4 * KIB);
            bench.sorter.spill = SpillOptions::new(codec, block).unwrap();
            bench.sorter.force_spill_records = 500;
            let sorted = bench.sort(&records).unwrap();
            assert!(
                sorted == expected(&records, Order::Ascending, false),
                "{codec} {block}"
            );
            bench.check_nothing_left();
        }
    }
}
