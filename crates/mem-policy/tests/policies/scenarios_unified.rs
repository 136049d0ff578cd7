//! `UnifiedMemoryManagerSuite`: 1000 bytes, of which 500 are the storage region unless said otherwise.

use mem_block::MemoryMode::{OffHeap, OnHeap};
use mem_policy::UnifiedPolicy;
use mem_pool::raw::RawError;
use mem_pool::{PoolSizes, Reason};

use crate::rig::{Blocks, Rig};

fn sizes(region: u64) -> PoolSizes {
    PoolSizes {
        storage: region,
        execution: 1000 - region,
        storage_region: region,
        max_unroll: 0,
    }
}

fn unified() -> Rig {
    Rig::new(UnifiedPolicy, OnHeap, sizes(500))
}

#[test]
fn u1_execution_basic() {
    let rig = unified();
    assert_eq!(rig.used(), (0, 0));
    rig.execution(0, 10, 10);
    rig.execution(0, 100, 100);
    rig.execution(0, 1000, 890);
    assert_eq!(rig.used(), (1000, 0));
    rig.execution(0, 1, 0);
    rig.release_execution(0, 800);
    assert_eq!(rig.used(), (200, 0));
    rig.execution(0, 1, 1);
    assert_eq!(rig.used(), (201, 0));
    rig.release_execution(0, 1000);
    assert_eq!(rig.used(), (0, 0));
}

#[test]
fn u2_storage_basic() {
    let rig = unified();
    rig.stores(10);
    rig.stores(100);
    assert_eq!(rig.used(), (0, 110));
    rig.does_not_store(1001);
    assert_eq!(rig.used(), (0, 110));
    rig.stores_evicting(1000, 110);
    assert_eq!(rig.used(), (0, 1000));
    rig.stores_evicting(1, 1);
    assert_eq!(rig.used(), (0, 1000));
    rig.release_storage(800);
    assert_eq!(rig.used(), (0, 200));
    rig.stores(1);
    assert_eq!(rig.used(), (0, 201));
    rig.release_all_storage();
    rig.stores(1);
    assert_eq!(rig.used(), (0, 1));
    rig.release_storage(100);
    assert_eq!(rig.used(), (0, 0));
}

#[test]
fn u3_execution_evicts_storage() {
    let rig = unified();
    rig.stores(750);
    rig.execution(0, 100, 100);
    assert_eq!(rig.used(), (100, 750));
    rig.execution_evicts(0, 200, 200, 50);
    assert_eq!(rig.used(), (300, 700));
    rig.release_all_storage();
    rig.stores(400);
    // What is below the region stays.
    rig.execution(0, 400, 300);
    assert_eq!(rig.used(), (600, 400));
}

#[test]
fn u4_free_storage_memory_is_not_counted_twice() {
    let rig = unified();
    rig.stores(700);
    rig.execution_evicts(0, 500, 500, 200);
    assert_eq!(rig.used(), (500, 500));
}

#[test]
fn u5_storage_does_not_evict_execution() {
    let rig = unified();
    rig.execution(0, 800, 800);
    rig.stores(100);
    assert_eq!(rig.used(), (800, 100));
    rig.does_not_store(250);
    assert_eq!(rig.used(), (800, 100));
    rig.release_execution(0, 1000);
    rig.release_storage(1000);
    assert_eq!(rig.used(), (0, 0));
    rig.execution(0, 200, 200);
    rig.stores(750);
    assert_eq!(rig.used(), (200, 750));
    rig.does_not_store(850);
    assert_eq!(rig.used(), (200, 750));
}

#[test]
fn u8_a_share_includes_what_can_be_evicted() {
    let rig = Rig::new(UnifiedPolicy, OnHeap, sizes(0));
    rig.execution(0, 100, 100);
    rig.execution(1, 100, 100);
    rig.stores(800);
    rig.execution_evicts(0, 100, 100, 100);
    assert_eq!(rig.used(), (300, 700));
}

#[test]
fn u9_an_eviction_that_throws_leaves_the_pools_whole() {
    let rig = Rig::new(UnifiedPolicy, OnHeap, sizes(0));
    rig.keep(Blocks::Bad);
    rig.stores(1000);
    rig.release_storage(600);
    let error = rig.try_execution(0, 1000).unwrap_err();
    let RawError::Refused(refusal) = &error else {
        panic!("it can't evict: {error}");
    };
    assert!(matches!(refusal.reason(), Reason::Evict(_)));
    assert!(error.to_string().contains("bad memory store"));
    let (storage, execution) = rig.pools();
    assert_eq!(storage + execution, 1000);
    assert_eq!(rig.used(), (0, 400));
}

#[test]
fn u10_off_heap_memory_is_shared_by_the_same_rule() {
    let rig = Rig::new(UnifiedPolicy, OffHeap, sizes(500));
    rig.execution(0, 400, 400);
    rig.does_not_store(700);
    assert_eq!(rig.used(), (400, 0));
    rig.stores(100);
    assert_eq!(rig.used(), (400, 100));
    // 50 bytes of it are borrowed from execution.
    rig.stores(450);
    assert_eq!((rig.used(), rig.pools()), ((400, 550), (550, 450)));
    rig.stores_evicting(100, 50);
    assert_eq!(rig.used(), (400, 600));
}
