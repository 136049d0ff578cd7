//! The scenarios of Spark's `UnsafeExternalSorterSuite` that concern this sorter.

use mem_sort::{ExternalSorter, Sorted};
use task_mem::{ConsumerOptions, NoSpill, Wait};

use crate::support::{Bench, KIB, expected, in_memory, numbers};

fn insert(sorter: &mut ExternalSorter, number: u64) {
    sorter
        .insert(&number.to_be_bytes(), &Wait::default())
        .unwrap();
}

fn sorted_numbers(bench: &Bench, sorter: ExternalSorter) -> Vec<u64> {
    let records = match sorter.finish().unwrap() {
        Sorted::InMemory(pages) => in_memory(&[pages]).unwrap(),
        Sorted::Spilled(runs) => bench.merge(runs).unwrap(),
    };
    let number = |record: Vec<u8>| u64::from_be_bytes(record.try_into().unwrap());
    records.into_iter().map(number).collect()
}

#[test]
fn s1_sorting_with_spills_in_between() {
    let bench = Bench::new(256 * KIB, 4 * KIB);
    let task = bench.task(1);
    let mut sorter = bench.new_sorter(&task);
    for number in [5, 1, 3] {
        insert(&mut sorter, number);
    }
    assert!(sorter.spill().unwrap() > 0);
    insert(&mut sorter, 4);
    sorter.spill().unwrap();
    insert(&mut sorter, 2);
    assert_eq!(sorter.stats().spills, 2);
    assert_eq!(sorted_numbers(&bench, sorter), [1, 2, 3, 4, 5]);
    drop(task);
    bench.check_nothing_left();
}

#[test]
fn s2_empty_records() {
    let bench = Bench::new(256 * KIB, 4 * KIB);
    for spilled in [false, true] {
        let task = bench.task(1);
        let mut sorter = bench.new_sorter(&task);
        for record in [&b""[..], b"", b"x", b""] {
            sorter.insert(record, &Wait::default()).unwrap();
        }
        if spilled {
            sorter.spill().unwrap();
        }
        let records = match sorter.finish().unwrap() {
            Sorted::InMemory(pages) => in_memory(&[pages]).unwrap(),
            Sorted::Spilled(runs) => bench.merge(runs).unwrap(),
        };
        assert_eq!(records, [&b""[..], b"", b"", b"x"]);
    }
    bench.check_nothing_left();
}

#[test]
fn s3_nothing_to_sort_takes_nothing() {
    let bench = Bench::new(256 * KIB, 4 * KIB);
    let task = bench.task(1);
    let sorter = bench.new_sorter(&task);
    assert_eq!(task.memory_consumption(), 0);
    assert_eq!(sorted_numbers(&bench, sorter), []);
    let mut sorter = bench.new_sorter(&task);
    assert_eq!(sorter.spill().unwrap(), 0);
    assert!(sorter.into_runs().unwrap().is_empty());
    assert_eq!(bench.dirs.stats().files_created, 0);
}

/// What another task holds makes a request fail; the sorter spills, and goes on.
#[test]
fn s4_a_refused_request_makes_the_next_insert_spill() {
    let bench = Bench::new(256 * KIB, 64 * KIB);
    let task = bench.task(1);
    let mut sorter = bench.new_sorter(&task);
    (0..1000)
        .rev()
        .for_each(|number| insert(&mut sorter, number));
    // More than a quarter is held, so the next page is not waited for but refused.
    assert!(task.memory_consumption() > 64 * KIB);
    let other = bench.task(2);
    let hog = other.register(ConsumerOptions::named("hog"));
    let held = hog
        .acquire(256 * KIB, &mut NoSpill, &Wait::default())
        .unwrap();
    let free = bench.manager.ledger().snapshot().off_heap;
    assert!(free.total - free.execution_used < 128 * KIB);
    (1000..9000)
        .rev()
        .for_each(|number| insert(&mut sorter, number));
    assert!(sorter.stats().spills > 0);
    drop(held);
    assert!(sorted_numbers(&bench, sorter).into_iter().eq(0..9000));
}

#[test]
fn s5_records_roll_over_to_new_pages() {
    let bench = Bench::new(512 * KIB, 4 * KIB);
    let task = bench.task(1);
    let mut sorter = bench.new_sorter(&task);
    (0..10_000)
        .rev()
        .for_each(|number| insert(&mut sorter, number));
    assert!(!sorter.has_spilled());
    assert!(sorted_numbers(&bench, sorter).into_iter().eq(0..10_000));
}

#[test]
fn s6_records_larger_than_a_page() {
    let bench = Bench::new(512 * KIB, 256);
    let records: Vec<Vec<u8>> = [5, 40_000, 256, 240, 241, 100_000, 1000, 0, 300_000, 300_000]
        .into_iter()
        .map(|length| vec![u8::try_from(length % 251).unwrap(); length])
        .collect();
    let sorted = bench.sort(&records);
    // Two of the longest can't be in memory at once.
    let error = sorted.unwrap_err();
    assert!(
        matches!(
            error,
            mem_sort::SortError::RecordTooLong {
                length: 300_000,
                ..
            }
        ),
        "{error}"
    );
    let sorted = bench.sort(&records[..9]).unwrap();
    assert!(sorted == expected(&records[..9], bench.sorter.order, false));
    bench.check_nothing_left();
}

#[test]
fn s7_forced_spills_by_count_and_by_size() {
    let mut bench = Bench::new(512 * KIB, 4 * KIB);
    bench.sorter.force_spill_records = 100;
    let task = bench.task(1);
    let mut sorter = bench.new_sorter(&task);
    (0..1000).for_each(|number| insert(&mut sorter, number));
    assert_eq!(sorter.stats().spills, 9);
    assert!(sorted_numbers(&bench, sorter).into_iter().eq(0..1000));

    bench.sorter.force_spill_records = u64::MAX;
    bench.sorter.force_spill_bytes = 16 * KIB;
    let mut sorter = bench.new_sorter(&task);
    (0..1000).for_each(|number| insert(&mut sorter, number));
    // 24 bytes each: 4 pages hold 680.
    assert_eq!(sorter.stats().spills, 1);
    assert!(sorted_numbers(&bench, sorter).into_iter().eq(0..1000));
}

#[test]
fn s8_the_statistics_say_what_was_spilled() {
    let bench = Bench::new(256 * KIB, 4 * KIB);
    let task = bench.task(1);
    let mut sorter = bench.new_sorter(&task);
    for record in numbers(2000) {
        sorter.insert(&record, &Wait::default()).unwrap();
    }
    assert_eq!(
        (sorter.stats().spills, sorter.stats().spilled_bytes),
        (0, 0)
    );
    sorter.spill().unwrap();
    let stats = sorter.stats();
    assert_eq!((stats.records, stats.record_bytes), (2000, 26_000));
    assert_eq!((stats.spills, stats.spilled_bytes), (1, 26_000));
    let written = bench.dirs.stats();
    assert_eq!(stats.stored_bytes, written.stored_bytes_written);
    // Sorted numbers have most of their digits in common.
    assert!(written.bytes_written < 26_000 / 2);
}

#[test]
fn s9_memory_grows_by_pages_and_spilling_gives_all_of_them_back() {
    let bench = Bench::new(512 * KIB, 4 * KIB);
    let task = bench.task(1);
    let mut sorter = bench.new_sorter(&task);
    insert(&mut sorter, 0);
    let first = task.memory_consumption();
    // 8 bytes and 16 for the entry: 170 fit a page.
    (1..170).for_each(|number| insert(&mut sorter, number));
    assert_eq!(task.memory_consumption(), first);
    insert(&mut sorter, 170);
    assert_eq!(task.memory_consumption(), first + 4 * KIB);
    assert_eq!(sorter.spill().unwrap(), 8 * KIB);
    assert_eq!(task.memory_consumption(), first - 4 * KIB);
    assert_eq!(sorter.spill().unwrap(), 0);
    let peak = task.peak_execution_memory(mem_block::MemoryMode::OffHeap);
    assert_eq!(peak, first + 4 * KIB);
    drop(sorter);
    assert_eq!(task.memory_consumption(), 0);
}

/// Spilling takes no memory, so it works while there is none; and so does inserting afterwards.
#[test]
fn s10_spilling_works_while_everything_is_refused() {
    let bench = Bench::new(256 * KIB, 4 * KIB);
    let task = bench.task(1);
    let mut sorter = bench.new_sorter(&task);
    (0..500)
        .rev()
        .for_each(|number| insert(&mut sorter, number));
    let hog = task.register(ConsumerOptions::named("hog"));
    let mut held = hog.nothing_held();
    while let Ok(more) = hog.try_reserve(KIB, &mut NoSpill) {
        held.merge(more).unwrap();
    }
    assert!(sorter.spill().unwrap() > 0);
    drop(held);
    (500..1000)
        .rev()
        .for_each(|number| insert(&mut sorter, number));
    assert!(sorted_numbers(&bench, sorter).into_iter().eq(0..1000));
}
