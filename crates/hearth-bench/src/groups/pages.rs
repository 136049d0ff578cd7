//! Pages of off-heap memory: take one, touch every 4 KiB of it, give it back.
//!
//! *Warm*, the allocator hands on what it kept, and the peer touches memory that it has mapped all the time.
//! *Cold*, a fresh allocator has nothing, and the peer maps, touches and unmaps; both times contain everything
//! up to the memory's return to the system. Beside the cold cases of one page stand mappings with huge pages: what
//! the system takes for the same without an allocator.

use std::sync::Arc;

use mem_block::{AllocatorOptions, MemoryAllocator, OffHeapAllocator};
use mem_policy::{ManagerOptions, MemoryConfig, memory_manager};
use task_mem::{ConsumerOptions, MemoryConsumer, NoSpill, TaskId, TaskMemoryManager};

use crate::measure::{in_turn, time};
use crate::report::{Report, Row};
use crate::threads::together;
use crate::touched::{Pages, huge_pages, mapped, touch, zeroed};

const GROUP: &str = "pages";
const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

const WARM_BAR: f64 = 1.15;
const COLD_BAR: f64 = 0.15;

/// Bytes of pages in one run, warm and cold; at least one page.
const WARM_RUN: u64 = 256 * MIB;
const COLD_RUN: u64 = 16 * MIB;

pub(super) fn run(report: &mut Report) {
    for size in [4 * MIB, 64 * MIB] {
        let memory = allocator(size);
        let case = format!("warm, {} MiB", size / MIB);
        warm(report, case, size, Some(WARM_BAR), &mut || {
            let block = memory.allocate(size);
            touch(block.expect("it fits exactly").as_mut_slice());
        });
    }
    let consumer = consumer(4 * MIB);
    let case = "warm, 4 MiB, as a page of a task".to_owned();
    warm(report, case, 4 * MIB, None, &mut || {
        let page = consumer.try_allocate_page(4 * MIB, &mut NoSpill);
        touch(page.expect("nobody else asks").as_mut_slice());
    });
    for size in [4 * MIB, 64 * MIB] {
        let case = format!("cold, {} MiB", size / MIB);
        if huge_pages() {
            cold(report, case, size, 1, Some(COLD_BAR));
        } else if report.wants(&case) {
            report.say(&format!("{case}: skipped, huge pages are turned off here"));
        }
    }
    for (name, size) in [("64 KiB", 64 * KIB), ("1 MiB", MIB)] {
        let case = format!("cold, 16 MiB in pages of {name}");
        cold(report, case, size, 16 * MIB / size, None);
    }
    for threads in [1, 2] {
        hand_over(report, threads);
    }
}

fn allocator(limit: u64) -> Arc<OffHeapAllocator> {
    OffHeapAllocator::new(AllocatorOptions::limited(limit))
}

/// A consumer of pages of `size` bytes, in a task that has the memory for itself.
fn consumer(size: u64) -> MemoryConsumer {
    let config = MemoryConfig::new()
        .with("spark.memory.offHeap.enabled", true)
        .and_then(|config| config.with("spark.memory.offHeap.size", 4 * size))
        .and_then(|config| config.with("spark.buffer.pageSize", size))
        .and_then(|config| config.resolve(1))
        .expect("these settings are valid");
    let manager = memory_manager(config, &ManagerOptions::default());
    TaskMemoryManager::new(manager, TaskId::new(1)).register(ConsumerOptions::named("pages"))
}

/// `ours` takes, touches and gives back a page of `size` bytes. The peer is the faster of two mappings, with
/// huge pages and without.
fn warm(
    report: &mut Report,
    case: String,
    size: u64,
    bar: Option<f64>,
    mut ours: &mut dyn FnMut(),
) {
    if !report.wants(&case) {
        return;
    }
    let mut small = mapped(size, Pages::Small);
    let mut huge = mapped(size, Pages::Huge);
    let repeats = WARM_RUN / size;
    let repeated = |work: &mut dyn FnMut()| time(|| (0..repeats).for_each(|_| work()));
    let [ours, small, huge] = in_turn(
        101,
        [
            &mut || repeated(&mut ours),
            &mut || repeated(&mut || touch(&mut small)),
            &mut || repeated(&mut || touch(&mut huge)),
        ],
    );
    let peer = if small < huge {
        ("memory already mapped", small)
    } else {
        ("memory already mapped, huge pages", huge)
    };
    add(report, case, (ours, peer), repeats, bar);
}

/// `count` pages of `size` bytes, there at the same time, beside as many mappings.
fn cold(report: &mut Report, case: String, size: u64, count: u64, bar: Option<f64>) {
    if !report.wants(&case) {
        return;
    }
    let ours = || {
        let memory = allocator(size * count);
        let pages = (0..count).map(|_| {
            let mut block = memory.allocate(size).expect("all of them fit exactly");
            touch(block.as_mut_slice());
            block
        });
        drop(pages.collect::<Vec<_>>());
    };
    let theirs = || {
        let maps = (0..count).map(|_| mapped(size, Pages::Small));
        drop(maps.collect::<Vec<_>>());
    };
    let bare = || {
        let maps = (0..count).map(|_| mapped(size, Pages::Huge));
        drop(maps.collect::<Vec<_>>());
    };
    let repeats = (COLD_RUN / (size * count)).max(1);
    let repeated = |work: &dyn Fn()| time(|| (0..repeats).for_each(|_| work()));
    // The system has huge pages sooner at hand when the last to give memory back had some: all come after small ones.
    let after_small = |work: &dyn Fn()| {
        theirs();
        repeated(work)
    };
    let [ours, theirs, bare, zeroing] = in_turn(
        41,
        [
            &mut || after_small(&ours),
            &mut || after_small(&theirs),
            &mut || after_small(&bare),
            &mut || after_small(&|| drop(zeroed(size * count))),
        ],
    );
    let peer = ("fresh mmap, 4 KiB pages", theirs);
    add(report, case.clone(), (ours, peer), repeats, bar);
    if count == 1 {
        let share = zeroing.as_secs_f64() / theirs.as_secs_f64();
        report.say(&format!(
            "{case}: to map, zero and unmap huge pages takes the system {share:.3} of the peer's time"
        ));
        let peer = ("fresh mmap, huge pages", bare);
        add(report, format!("{case}, bare"), (ours, peer), repeats, None);
    }
}

/// Pages of 1 MiB, kept and handed on, of which nobody touches anything, on `threads` threads.
fn hand_over(report: &mut Report, threads: u64) {
    const EACH: u64 = 20_000;
    let case = format!("warm, 1 MiB, not touched, {threads} threads");
    if !report.wants(&case) {
        return;
    }
    let memory = allocator(threads * MIB);
    let on_all = |work: &(dyn Fn() + Sync)| {
        let mut numbers: Vec<_> = (0..threads).collect();
        together(&mut numbers, |_| (0..EACH).for_each(|_| work()))
    };
    let [ours, theirs] = in_turn(
        31,
        [
            &mut || on_all(&|| memory.allocate(MIB).expect("one for each").free()),
            &mut || on_all(&|| drop(std::hint::black_box(Vec::<u8>::with_capacity(1 << 20)))),
        ],
    );
    let peer = ("malloc and free", theirs);
    add(report, case, (ours, peer), EACH * threads, None);
}

fn add(
    report: &mut Report,
    case: String,
    (ours, peer): (std::time::Duration, (&str, std::time::Duration)),
    repeats: u64,
    bar: Option<f64>,
) {
    let operations = u32::try_from(repeats).map_or(f64::INFINITY, f64::from);
    report.add(&Row::new(GROUP, case, ours, peer, operations, bar));
}
