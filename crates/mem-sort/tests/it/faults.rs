//! Full disks, broken disks, failing allocators, cancelled waits: the right records or an error, and
//! nothing left behind.

use std::io::ErrorKind;
use std::sync::Arc;

use mem_block::testing::FailingAllocator;
use mem_block::{MemoryAllocator, MemoryMode};
use mem_policy::{MemoryManager, ResolvedMemory};
use mem_pool::Ledger;
use mem_sort::{Order, SortError};
use mem_spill::SpillError;
use task_mem::{CancelToken, ConsumerOptions, Failure, NoSpill, Wait};

use crate::support::{Bench, KIB, expected, manager, numbers};

const ENOSPC: i32 = 28;
const EIO: i32 = 5;

#[test]
fn a_disk_that_fills_up_at_any_moment_fails_the_sort_or_not() {
    let records = numbers(4000);
    let (mut failed, mut sorted) = (0, 0);
    for limit in (0..60_000).step_by(1500) {
        let mut bench = Bench::new(96 * KIB, 4 * KIB);
        bench.fan_in_max = Some(3);
        bench.files.limit_disk(limit);
        match bench.sort(&records) {
            Ok(records_out) => {
                assert!(records_out == expected(&records, Order::Ascending, false));
                sorted += 1;
            }
            Err(SortError::Spill(error)) => {
                assert_eq!(error.kind(), ErrorKind::StorageFull, "{error}");
                failed += 1;
            }
            Err(other) => panic!("{limit}: {other}"),
        }
        bench.check_nothing_left();
    }
    assert!(failed > 3 && sorted > 3, "{failed} failed, {sorted} sorted");
}

#[test]
fn when_one_directory_is_full_runs_go_to_the_other() {
    let records = numbers(6000);
    let mut bench = Bench::new(96 * KIB, 4 * KIB);
    bench.fan_in_max = Some(3);
    // Every file with an odd number can be written for a while only.
    bench.files.hook(|access| match access {
        access if access.write && access.file % 2 == 1 && access.offset > 3000 => Err(ENOSPC),
        _ => Ok(()),
    });
    assert!(bench.sort(&records).unwrap() == expected(&records, Order::Ascending, false));
    bench.check_nothing_left();
}

#[test]
fn directories_that_take_no_file_are_all_named() {
    let bench = Bench::new(96 * KIB, 4 * KIB);
    bench.files.fail_directory("a".as_ref(), EIO);
    bench.files.fail_directory("b".as_ref(), ENOSPC);
    let Err(SortError::Spill(SpillError::NoDirectory { tried })) = bench.sort(&numbers(6000))
    else {
        panic!("nothing can be spilled");
    };
    assert_eq!(tried.len(), 2);
    bench.check_nothing_left();
}

#[test]
fn after_a_failed_spill_the_records_are_still_there() {
    let bench = Bench::new(256 * KIB, 4 * KIB);
    let task = bench.task(1);
    let mut sorter = bench.new_sorter(&task);
    let records = numbers(1000);
    for record in &records {
        sorter.insert(record, &Wait::default()).unwrap();
    }
    bench.files.limit_disk(100);
    assert!(matches!(sorter.spill(), Err(SortError::Spill(_))));
    bench.files.limit_disk(1 << 20);
    let runs = sorter.into_runs().unwrap();
    assert!(bench.merge(runs).unwrap() == expected(&records, Order::Ascending, false));
    drop(task);
    bench.check_nothing_left();
}

#[test]
fn what_can_not_be_read_or_was_changed_is_reported() {
    let records = numbers(3000);
    for damage in 0..3 {
        let bench = Bench::new(128 * KIB, 4 * KIB);
        let task = bench.task(1);
        let mut sorter = bench.new_sorter(&task);
        for record in &records {
            sorter.insert(record, &Wait::default()).unwrap();
        }
        let runs = sorter.into_runs().unwrap();
        drop(task);
        match damage {
            0 => bench
                .files
                .hook(|access| if access.write { Ok(()) } else { Err(EIO) }),
            1 => bench.files.with_bytes(1, |bytes| bytes[700] ^= 4).unwrap(),
            _ => bench
                .files
                .with_bytes(1, |bytes| bytes.truncate(900))
                .unwrap(),
        }
        match (damage, bench.merge(runs)) {
            (0, Err(SortError::Spill(SpillError::Io { action, .. }))) => assert_eq!(action, "read"),
            (1 | 2, Err(SortError::Spill(SpillError::Corrupt { .. }))) => {}
            (_, other) => panic!("{damage}: {:?}", other.map(|records| records.len())),
        }
        bench.check_nothing_left();
    }
}

#[test]
fn whoever_takes_the_records_may_fail() {
    let bench = Bench::new(128 * KIB, 4 * KIB);
    let task = bench.task(1);
    let mut sorter = bench.new_sorter(&task);
    for record in numbers(3000) {
        sorter.insert(&record, &Wait::default()).unwrap();
    }
    let runs = sorter.into_runs().unwrap();
    drop(task);
    let merger =
        mem_sort::Merger::new(&bench.task(2), bench.dirs.clone(), bench.merge_options()).unwrap();
    let mut left = 1000;
    let error = merger.merge(runs, &Wait::default(), |_| {
        left -= 1;
        if left == 0 {
            Err(ErrorKind::BrokenPipe.into())
        } else {
            Ok(())
        }
    });
    assert!(matches!(error, Err(SortError::Sink(error)) if error.kind() == ErrorKind::BrokenPipe));
    bench.check_nothing_left();
}

/// A manager whose off-heap blocks come from an allocator that fails on demand.
#[derive(Debug)]
struct Failing {
    manager: Arc<dyn MemoryManager>,
    allocator: Arc<dyn MemoryAllocator>,
}

impl MemoryManager for Failing {
    fn ledger(&self) -> &Arc<Ledger> {
        self.manager.ledger()
    }

    fn allocator(&self, mode: MemoryMode) -> &Arc<dyn MemoryAllocator> {
        match mode {
            MemoryMode::OffHeap => &self.allocator,
            MemoryMode::OnHeap => self.manager.allocator(mode),
        }
    }

    fn tungsten_memory_mode(&self) -> MemoryMode {
        self.manager.tungsten_memory_mode()
    }

    fn page_size_bytes(&self) -> u64 {
        self.manager.page_size_bytes()
    }

    fn resolved(&self) -> &ResolvedMemory {
        self.manager.resolved()
    }
}

#[test]
fn an_allocator_that_fails_now_and_then_fails_the_sort_or_not() {
    let records = numbers(5000);
    let (mut failed, mut sorted) = (0, 0);
    for seed in 0..40 {
        let inner = manager(128 * KIB);
        let allocator = FailingAllocator::new(Arc::clone(inner.allocator(MemoryMode::OffHeap)));
        let failing: Arc<dyn MemoryAllocator> = Arc::<FailingAllocator>::clone(&allocator);
        let bench = Bench::with_manager(
            Arc::new(Failing {
                manager: inner,
                allocator: failing,
            }),
            4 * KIB,
        );
        allocator.fail_at_random(seed, 40);
        match bench.sort(&records) {
            Ok(out) => {
                assert!(
                    out == expected(&records, Order::Ascending, false),
                    "seed {seed}"
                );
                sorted += 1;
            }
            Err(SortError::Memory(_)) => failed += 1,
            Err(other) => panic!("seed {seed}: {other}"),
        }
        bench.check_nothing_left();
    }
    assert!(failed > 3 && sorted > 3, "{failed} failed, {sorted} sorted");
}

#[test]
fn a_cancelled_wait_ends_the_insert_and_nothing_is_lost() {
    let bench = Bench::new(128 * KIB, 4 * KIB);
    let other = bench.task(2);
    let hog = other.register(ConsumerOptions::named("hog"));
    let held = hog
        .acquire(128 * KIB, &mut NoSpill, &Wait::default())
        .unwrap();
    let task = bench.task(1);
    let mut sorter = bench.new_sorter(&task);
    let cancel = CancelToken::new();
    let wait = Wait {
        cancel: Some(&cancel),
        ..Wait::default()
    };
    let error = mem_sync::thread::scope(|scope| {
        let inserting = scope.spawn(|| sorter.insert(b"waits", &wait));
        while !bench.manager.ledger().is_waiting(task.task()) {
            mem_sync::thread::yield_now();
        }
        cancel.cancel();
        inserting.join().unwrap().unwrap_err()
    });
    let SortError::Memory(error) = error else {
        panic!("{error}");
    };
    assert!(matches!(error.failure(), Failure::Refused(refusal)
        if matches!(refusal.reason(), mem_pool::Reason::Cancelled)));
    drop(held);
    sorter.insert(b"goes on", &Wait::default()).unwrap();
    assert_eq!(sorter.stats().records, 1);
    drop(sorter);
    drop((task, hog, other));
    bench.check_nothing_left();
}
