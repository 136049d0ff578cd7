//! Disks that fail, memory that is refused, wrong use.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mem_sort::{ShuffleError, ShuffleExternalSorter, ShuffleOptions, ShuffleWriter};
use task_mem::Wait;

use super::support::{Bench, options, spill_memory};

/// No space left on device.
const ENOSPC: i32 = 28;

#[test]
fn a_full_disk_sends_runs_to_another_directory() {
    let bench = Bench::new(1 << 20, 4 << 10);
    let mut writer = bench.writer(ShuffleOptions {
        force_spill_records: 50,
        ..options(5)
    });
    // The first data file fails after some blocks, with a run in it and half of another.
    let failures = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&failures);
    bench.files.hook(move |access| {
        if access.write && access.file == 2 && access.offset > 2500 {
            counted.fetch_add(1, Ordering::Relaxed);
            return Err(ENOSPC);
        }
        Ok(())
    });
    for number in 0..1000_u32 {
        let record = number.to_be_bytes().repeat(20);
        writer.write(&record, number % 5, &Wait::default()).unwrap();
    }
    let stats = writer.finish(&Wait::default()).unwrap();
    assert_eq!((stats.records, stats.spills), (1000, 19));
    let failures = failures.load(Ordering::Relaxed);
    assert_eq!(failures, 1, "nothing more goes to a file that failed");
    assert!(
        bench
            .partitions()
            .iter()
            .all(|bytes| bytes.len() == 200 * 80)
    );
    bench.check_nothing_left();
}

#[test]
fn where_no_directory_can_take_a_run_the_records_stay_in_memory() {
    let bench = Bench::new(1 << 20, 4 << 10);
    let mut writer = bench.writer(options(5));
    for number in 0..100_u32 {
        writer
            .write(b"record", number % 5, &Wait::default())
            .unwrap();
    }
    bench
        .files
        .hook(|access| if access.write { Err(ENOSPC) } else { Ok(()) });
    let error = writer.spill().unwrap_err();
    assert!(matches!(error, ShuffleError::Spill(_)), "{error:?}");
    assert_eq!(writer.stats().spills, 0);

    bench.files.hook(|_| Ok(()));
    writer.write(b"record", 0, &Wait::default()).unwrap();
    writer.spill().unwrap();
    writer.finish(&Wait::default()).unwrap();
    let lengths: Vec<_> = bench.partitions().iter().map(Vec::len).collect();
    assert_eq!(lengths, [126, 120, 120, 120, 120]);
    bench.check_nothing_left();
}

#[test]
fn a_spill_that_fails_within_a_request_is_reported_as_such() {
    let options = options(5);
    let bench = Bench::new(spill_memory(&options) + 50_000, 4 << 10);
    let mut writer = bench.writer(options);
    bench
        .files
        .hook(|access| if access.write { Err(ENOSPC) } else { Ok(()) });
    let error = loop {
        if let Err(error) = writer.write(&[7; 100], 3, &Wait::default()) {
            break error;
        }
    };
    let ShuffleError::Spill(spill) = &error else {
        panic!("{error:?}")
    };
    assert_eq!(spill.kind(), std::io::ErrorKind::StorageFull);
    drop(writer);
    bench.check_nothing_left();
}

#[test]
fn a_merge_that_fails_leaves_nothing() {
    let bench = Bench::new(1 << 20, 4 << 10);
    let mut writer = bench.writer(options(5));
    for number in 0..100_u32 {
        writer
            .write(b"record", number % 5, &Wait::default())
            .unwrap();
    }
    writer.spill().unwrap();
    bench.files.with_bytes(1, |bytes| bytes[40] ^= 1).unwrap();
    let error = writer.finish(&Wait::default()).unwrap_err();
    assert!(matches!(error, ShuffleError::Spill(_)), "{error:?}");
    assert!(bench.listed().is_empty());
    bench.check_nothing_left();
}

#[test]
fn too_little_memory_to_begin_is_refused() {
    let options = options(5);
    let (needed, array) = (spill_memory(&options), 4096 * 8);
    for (memory, enough) in [
        (needed - 1, false),
        (needed + array - 1, false),
        (needed + array, true),
    ] {
        let bench = Bench::new(memory, 4 << 10);
        let (dirs, wait) = (bench.dirs.clone(), Wait::default());
        let sorter = ShuffleExternalSorter::new(&bench.task, dirs, options.clone(), &wait);
        assert_eq!(sorter.is_ok(), enough, "{memory} bytes");
        match sorter {
            Ok(sorter) => drop(sorter),
            Err(error) => assert!(matches!(error, ShuffleError::Memory(_)), "{error:?}"),
        }
        bench.check_nothing_left();
    }
}

#[test]
fn without_memory_for_a_page_a_record_is_refused_and_the_rest_is_kept() {
    let options = options(5);
    let bench = Bench::new(spill_memory(&options) + 4096 * 8 + 10, 4 << 10);
    let mut writer = bench.writer(options);
    writer.write(b"abcdef", 1, &Wait::default()).unwrap();
    let error = writer
        .write(b"a longer record", 1, &Wait::default())
        .unwrap_err();
    assert!(matches!(error, ShuffleError::Memory(_)), "{error:?}");
    writer.write(b"ghi", 1, &Wait::default()).unwrap();
    assert_eq!(writer.stats().records, 2);
}

#[test]
fn partitions_that_there_are_not_are_refused() {
    let bench = Bench::new(1 << 20, 4 << 10);
    for partitions in [0, (1 << 24) + 1, u32::MAX] {
        let (dirs, wait) = (bench.dirs.clone(), Wait::default());
        let directory = bench.directory().join("not-made");
        let options = options(partitions);
        let refused = ShuffleWriter::create(&directory, &bench.task, dirs, options, &wait);
        let error = refused.unwrap_err();
        assert!(
            matches!(error, ShuffleError::Partitions { .. }),
            "{error:?}"
        );
        assert!(!directory.exists());
    }
    let mut sorter = bench.sorter(options(1 << 24));
    sorter
        .insert(b"x", (1 << 24) - 1, &Wait::default())
        .unwrap();
    let mut sorter = bench.sorter(options(5));
    let error = sorter.insert(b"x", 5, &Wait::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no partition 5: there are 5, counted from 0"
    );
    let error = sorter.insert_long().unwrap().finish(5).unwrap_err();
    assert!(matches!(error, ShuffleError::NoSuchPartition { .. }));
}
