//! `StaticMemoryManagerSuite`: fixed pools, and unrolling that may evict up to a part of storage.

use mem_block::MemoryMode::{OffHeap, OnHeap};
use mem_policy::StaticPolicy;
use mem_pool::raw::{self, RawError};
use mem_pool::{Limit, PoolSizes};

use crate::rig::Rig;

/// As good as unlimited.
const PLENTY: u64 = 1 << 40;

fn fixed(execution: u64, storage: u64) -> Rig {
    let sizes = PoolSizes {
        storage,
        execution,
        storage_region: storage,
        max_unroll: storage / 5 * 2,
    };
    Rig::new(StaticPolicy, OnHeap, sizes)
}

#[test]
fn s1_execution_basic() {
    let rig = fixed(1000, PLENTY);
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
fn s2_storage_basic() {
    let rig = fixed(PLENTY, 1000);
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
fn s3_execution_and_storage_are_isolated() {
    let rig = fixed(200, 1000);
    rig.execution(0, 100, 100);
    rig.execution(0, 1000, 100);
    assert_eq!(rig.used(), (200, 0));
    rig.stores(50);
    assert_eq!(rig.used(), (200, 50));
    rig.release_execution(0, 133);
    assert_eq!(rig.used(), (67, 50));
    rig.release_all_storage();
    assert_eq!(rig.used(), (67, 0));
}

#[test]
fn s4_unrolling_evicts_up_to_its_fraction() {
    let rig = fixed(PLENTY, 1000);
    assert_eq!(rig.unroll(100), (true, None));
    rig.set_unrolling(100);
    assert_eq!(rig.used().1, 100);
    rig.release_storage(40);
    assert_eq!(rig.used().1, 60);
    rig.set_unrolling(60);
    rig.stores(800);
    assert_eq!(rig.used().1, 860);
    // 140 are free; up to 400 less 60 may be unrolled, so 100 are evicted for the rest.
    assert_eq!(rig.unroll(240), (true, Some(100)));
    assert_eq!(rig.used().1, 1000);
    rig.set_unrolling(300);
    // 100 are left to evict of the 400, which is not enough for 150; they are gone all the same.
    assert_eq!(rig.unroll(150), (false, Some(100)));
    assert_eq!(rig.used().1, 900);
    rig.release_storage(1000);
    assert_eq!(rig.used().1, 0);
}

#[test]
fn there_is_no_static_storage_off_the_heap() {
    let sizes = PoolSizes {
        execution: 100,
        ..PoolSizes::default()
    };
    let rig = Rig::new(StaticPolicy, OffHeap, sizes);
    rig.execution(0, 100, 100);
    for bytes in [-1, 0, 10] {
        let storage = raw::acquire_storage_memory(&rig.ledger, None, bytes, OffHeap);
        let unroll = raw::acquire_unroll_memory(&rig.ledger, None, bytes, OffHeap);
        for outcome in [storage, unroll] {
            let Err(RawError::Unsupported(limit)) = outcome else {
                panic!("{bytes}: {outcome:?}");
            };
            assert_eq!(limit, Limit::Unsupported(OffHeap));
        }
    }
}
