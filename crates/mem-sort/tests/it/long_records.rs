//! Records that come in pieces, and records longer than memory.

use mem_sort::{SortError, Sorted};
use task_mem::Wait;

use crate::support::{Bench, KIB};

#[test]
fn pieces_make_a_record_that_sorts_among_the_others() {
    let bench = Bench::new(256 * KIB, 4 * KIB);
    let task = bench.task(1);
    let wait = Wait::default();
    let mut sorter = bench.new_sorter(&task);
    sorter.insert(b"zebra", &wait).unwrap();
    let mut long = sorter.insert_long(&wait).unwrap();
    for _ in 0..1000 {
        long.append(b"middle ").unwrap();
    }
    assert_eq!(long.length(), 7000);
    long.finish().unwrap();
    sorter.insert_long(&wait).unwrap().finish().unwrap();
    sorter.insert(b"apple", &wait).unwrap();
    assert_eq!(
        (sorter.stats().records, sorter.stats().record_bytes),
        (4, 7010)
    );
    let Sorted::Spilled(runs) = sorter.finish().unwrap() else {
        unreachable!("a long record goes to a run");
    };
    let sorted = bench.merge(runs).unwrap();
    assert_eq!(
        sorted,
        [&b""[..], b"apple", &b"middle ".repeat(1000), b"zebra"]
    );
    drop(task);
    bench.check_nothing_left();
}

#[test]
fn a_long_record_that_is_not_finished_was_never_there() {
    let bench = Bench::new(256 * KIB, 4 * KIB);
    let task = bench.task(1);
    let wait = Wait::default();
    let mut sorter = bench.new_sorter(&task);
    let mut long = sorter.insert_long(&wait).unwrap();
    long.append(&[1; 100_000]).unwrap();
    drop(long);
    assert_eq!(sorter.stats().records, 0);
    sorter.insert(b"only", &wait).unwrap();
    assert!(!sorter.has_spilled());
    sorter.spill().unwrap();
    let runs = sorter.into_runs().unwrap();
    assert_eq!(bench.merge(runs).unwrap(), [b"only"]);
}

#[test]
fn a_record_that_no_memory_holds_is_named_when_it_is_merged() {
    let bench = Bench::new(256 * KIB, 4 * KIB);
    let task = bench.task(1);
    let wait = Wait::default();
    let mut sorter = bench.new_sorter(&task);
    let mut long = sorter.insert_long(&wait).unwrap();
    for _ in 0..300 {
        long.append(&[b'x'; 1024]).unwrap();
    }
    long.finish().unwrap();
    sorter.insert(b"short", &wait).unwrap();
    let runs = sorter.into_runs().unwrap();
    drop(task);
    let error = bench.merge(runs).unwrap_err();
    assert!(
        matches!(
            error,
            SortError::RecordTooLong {
                length: 307_200,
                ..
            }
        ),
        "{error:?}"
    );
    assert_eq!(
        error.to_string(),
        "a record of 307200 bytes does not fit in memory"
    );
    bench.check_nothing_left();
}

/// As many long records as all memory holds once or more: they are merged in several passes.
#[test]
fn many_records_of_a_third_of_the_memory_are_merged_two_by_two() {
    let bench = Bench::new(256 * KIB, 4 * KIB);
    let records: Vec<Vec<u8>> = (0..10).map(|n| vec![b'a' + n * 7 % 10; 80_000]).collect();
    let sorted = bench.sort(&records).unwrap();
    assert!(sorted.is_sorted() && sorted.len() == 10);
    bench.check_nothing_left();
}

#[test]
fn long_records_that_differ_far_behind_are_told_apart() {
    let mut bench = Bench::new(1024 * KIB, 4 * KIB);
    for unique in [false, true] {
        bench.sorter.unique = unique;
        let record = |tail: &str| [&[b'p'; 60_000], tail.as_bytes()].concat();
        let tails = ["b", "", "ab", "a", "b", "", "abc"];
        let records: Vec<_> = tails.iter().map(|tail| record(tail)).collect();
        let mut expected = records.clone();
        expected.sort();
        if unique {
            expected.dedup();
        }
        assert!(bench.sort(&records).unwrap() == expected);
    }
}
