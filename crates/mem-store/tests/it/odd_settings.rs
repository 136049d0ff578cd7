//! Settings that Spark accepts and perhaps should not: it does the same with them.

use std::sync::Arc;

use mem_policy::config::{Collector, Environment, PolicyKind, SparkConf, resolve};
use mem_policy::{ManagerOptions, memory_manager};
use mem_pool::TaskId;
use mem_store::{Costs, MemoryStore, Put, StoreError, StoreOptions, TaskContext};

use crate::support::{OFF, ON, id, manager_with, used};

const TASK: TaskId = TaskId::new(1);
const THRESHOLD: &str = "spark.storage.unrollMemoryThreshold";
const PERIOD: &str = "spark.storage.unrollMemoryCheckPeriod";
const FACTOR: &str = "spark.storage.unrollMemoryGrowthFactor";

/// Puts 40 values of 100 bytes each; the size, or what is held for the rest.
fn put(settings: &[(&str, &str)]) -> (Result<Result<u64, u64>, StoreError>, Arc<MemoryStore>) {
    let manager = manager_with(100_000, settings, &ManagerOptions::default());
    let store = MemoryStore::new(manager, StoreOptions::default()).expect("nothing fails");
    let costs = Costs::new(|_: &u64| 100);
    let context = TaskContext::of(TASK);
    let put = store.put_iterator_as_values(&id("a"), context, ON, 0..40, costs);
    let put = put.map(|put| match put {
        Put::Stored { size } => Ok(size),
        Put::Partial(partial) => Err(partial.unroll_bytes()),
    });
    (put, store)
}

#[test]
fn a_factor_that_makes_a_request_negative_leaves_the_rest_with_the_task() {
    let (put, store) = put(&[(FACTOR, "0.1")]);
    // After 16 elements more: 1700 × 0.1 − 512.
    assert!(matches!(put, Err(StoreError::InvalidBytes(-342))));
    assert_eq!(store.current_unroll_for_task(Some(TASK)), 512);
    assert!(store.infos().is_empty());
}

#[test]
fn a_factor_that_is_no_number_asks_for_nothing_until_the_end() {
    let (put, store) = put(&[(FACTOR, "NaN")]);
    assert_eq!(put.unwrap(), Ok(4000));
    assert_eq!(used(&store), 4000);
}

#[test]
fn requests_are_cut_off_not_rounded() {
    let manager = manager_with(3000, &[(FACTOR, "1.1")], &ManagerOptions::default());
    let store = MemoryStore::new(manager, StoreOptions::default()).unwrap();
    let costs = Costs::new(|_: &u64| 101);
    let context = TaskContext::of(TASK);
    let put = store.put_iterator_as_values(&id("a"), context, ON, 0..40, costs);
    let Ok(Put::Partial(partial)) = put else {
        panic!("it does not fit");
    };
    // After 17 elements 1717 × 1.1 − 512 = 1376.7 were asked for.
    assert_eq!(partial.unroll_bytes(), 512 + 1376);
}

#[test]
fn a_negative_threshold_fails_at_once() {
    let (put, store) = put(&[(THRESHOLD, "-1")]);
    assert!(matches!(put, Err(StoreError::InvalidBytes(-1))));
    assert_eq!(used(&store), 0);
}

#[test]
fn a_threshold_of_nothing_is_fine() {
    let (put, store) = put(&[(THRESHOLD, "0")]);
    assert_eq!(put.unwrap(), Ok(4000));
    assert_eq!((used(&store), store.current_unroll_memory()), (4000, 0));
}

#[test]
fn a_negative_period_is_its_size_and_none_divides_by_zero() {
    let (negative, _) = put(&[(PERIOD, "-4")]);
    assert_eq!(negative.unwrap(), Ok(4000));
    let (none, store) = put(&[(PERIOD, "0")]);
    assert!(matches!(none, Err(StoreError::NoCheckPeriod)));
    assert_eq!(store.current_unroll_for_task(Some(TASK)), 512);
}

#[test]
fn a_setting_that_does_not_parse_fails_the_put_before_it_reserves() {
    for (key, value) in [(PERIOD, "x"), (FACTOR, "x")] {
        let (put, store) = put(&[(key, value)]);
        let Err(StoreError::Setting(error)) = put else {
            panic!("{put:?}");
        };
        assert_eq!(error.key, key);
        assert_eq!(used(&store), 0);
    }
}

#[test]
fn the_static_manager_has_no_off_heap_storage() {
    let conf = SparkConf::from_iter([("spark.testing.memory", "64000000")]);
    let environment = Environment {
        cores: 1,
        is_driver: false,
        collector: Collector::Parallel,
        max_heap: 0,
    };
    let resolved = resolve(&conf, PolicyKind::Static, &environment).unwrap();
    let manager = memory_manager(resolved, &ManagerOptions::default());
    let store = MemoryStore::new(manager, StoreOptions::default()).unwrap();
    let put = store.put_bytes(&id("a"), OFF, 10, |_| panic!("never asked for"));
    assert!(matches!(put, Err(StoreError::Unsupported(_))));
    // Before the sign is looked at.
    let negative = store.reserve_unroll_for_task(&id("a"), None, OFF, -5);
    assert!(matches!(negative, Err(StoreError::Unsupported(_))));
    let negative = store.reserve_unroll_for_task(&id("a"), None, ON, -5);
    assert!(matches!(negative, Err(StoreError::InvalidBytes(-5))));
    assert!(store.infos().is_empty());
}
