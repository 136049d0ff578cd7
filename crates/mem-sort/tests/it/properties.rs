//! Random records under random small budgets, against the standard library's sort.

use mem_sort::Order;
use mem_spill::{Codec, SpillOptions};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};
use task_mem::Wait;

use crate::support::{Bench, KIB, expected};

/// Random cases that are the same in every run.
fn cases(count: u32) -> Config {
    Config {
        cases: count,
        rng_seed: RngSeed::Fixed(20_260_417),
        failure_persistence: None,
        ..Config::default()
    }
}

/// Records with much in common, with nothing in common, empty, longer than a page.
fn record() -> impl Strategy<Value = Vec<u8>> {
    let few = prop::collection::vec(prop::sample::select(vec![0, b'a', 0xff]), 0..16);
    let prefixed = |prefix: &'static [u8]| {
        prop::collection::vec(any::<u8>(), 0..20).prop_map(move |tail| [prefix, &tail].concat())
    };
    prop_oneof![
        8 => few,
        4 => prefixed(b"https://example.com/a/long/path/"),
        4 => prop::collection::vec(any::<u8>(), 0..80),
        2 => prefixed(b"2024-11-21T"),
        1 => (1_usize..12_000, any::<u8>()).prop_map(|(length, byte)| vec![byte; length]),
    ]
}

#[derive(Debug, Clone)]
struct Case {
    budget: u64,
    page: u64,
    block: usize,
    codec: Codec,
    order: Order,
    unique: bool,
    fan_in_max: Option<usize>,
    force_spill_records: u64,
    page_runs_max: usize,
    marks: usize,
    parts: usize,
    records: Vec<Vec<u8>>,
}

fn case() -> impl Strategy<Value = Case> {
    let codec = prop::sample::select(vec![Codec::None, Codec::Lz4]);
    let order = prop::sample::select(vec![Order::Ascending, Order::Descending]);
    let sizes = (96 * KIB..300 * KIB, 64..9000_u64, 1024..5000_usize);
    let limits = (
        prop::option::of(2_usize..6),
        prop_oneof![Just(u64::MAX), 1..500_u64],
    );
    let records = prop::collection::vec(record(), 0..700);
    let parts = (0_usize..30, 0_usize..9, 1_usize..6);
    (sizes, limits, parts, codec, order, any::<bool>(), records).prop_map(
        |(
            (budget, page, block),
            (fan_in_max, force_spill_records),
            (page_runs_max, marks, parts),
            codec,
            order,
            unique,
            records,
        )| {
            Case {
                budget,
                page,
                block,
                codec,
                order,
                unique,
                fan_in_max,
                force_spill_records,
                page_runs_max,
                marks,
                parts,
                records,
            }
        },
    )
}

fn bench(case: &Case) -> Bench {
    let mut bench = Bench::new(case.budget, case.page);
    bench.sorter.spill = SpillOptions::new(case.codec, case.block).unwrap();
    bench.sorter.order = case.order;
    bench.sorter.unique = case.unique;
    bench.sorter.force_spill_records = case.force_spill_records;
    bench.sorter.page_runs_max = case.page_runs_max;
    bench.sorter.marks = case.marks;
    bench.fan_in_max = case.fan_in_max;
    bench.parts = case.parts;
    bench
}

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn one_task_sorts_as_the_standard_library_does(case in case()) {
        let bench = bench(&case);
        let sorted = bench.sort(&case.records).unwrap();
        prop_assert!(sorted == expected(&case.records, case.order, case.unique));
        bench.check_nothing_left();
    }

    #[test]
    fn several_tasks_share_a_manager(mut case in case(), tasks in 2_usize..5) {
        // Half of a task's part is all that it is sure to get while others have the rest: it has to be
        // enough for what a sorter needs to spill, and a page.
        case.budget = case.budget.max(u64::try_from(tasks).unwrap() * 112 * KIB);
        let bench = bench(&case);
        let sort_part = |(number, part): (usize, &[Vec<u8>])| {
            let task = bench.task(i64::try_from(number).unwrap());
            let mut sorter = bench.new_sorter(&task);
            for record in part {
                sorter.insert(record, &Wait::default()).unwrap();
            }
            sorter.into_runs().unwrap()
        };
        let part = case.records.len().div_ceil(tasks).max(1);
        let runs: Vec<_> = mem_sync::thread::scope(|scope| {
            let parts = case.records.chunks(part).enumerate();
            let threads: Vec<_> =
                parts.map(|part| scope.spawn(move || sort_part(part))).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        let sorted = bench.merge(runs).unwrap();
        prop_assert!(sorted == expected(&case.records, case.order, case.unique));
        bench.check_nothing_left();
    }
}
