//! Where Spark's rules decide poorly: the two policies do as Spark does, and a better one will not.

use mem_block::MemoryMode::OnHeap;
use mem_policy::UnifiedPolicy;
use mem_pool::raw::{self, RawError};
use mem_pool::{
    Ask, CancelToken, Ledger, LedgerOptions, PoolSizes, Reason, Step, TaskId, Ticket, Wait,
};
use std::sync::Arc;
use std::task::Waker;

use crate::rig::{Blocks, Rig};

fn rig(execution: u64, storage: u64, storage_region: u64) -> Rig {
    let sizes = PoolSizes {
        storage,
        execution,
        storage_region,
        max_unroll: 0,
    };
    Rig::new(UnifiedPolicy, OnHeap, sizes)
}

fn blocks(rig: &Rig, sizes: &[u64]) {
    for bytes in sizes {
        rig.stores(i64::try_from(*bytes).unwrap());
    }
    rig.keep(Blocks::Sizes(sizes.iter().copied().collect()));
}

#[test]
fn d1_evicts_all_of_it_for_a_grant_of_nothing() {
    let rig = rig(1000, 0, 0);
    rig.execution(0, 500, 500);
    rig.execution(1, 1, 1);
    blocks(&rig, &[100, 100, 100, 100, 99]);
    // A share is 500, which the first task has already.
    rig.execution_evicts(0, 500, 0, 499);
    assert_eq!((rig.pools(), rig.used()), ((0, 1000), (501, 0)));
}

#[test]
fn d2_evicts_whole_blocks_and_shrinks_storage_below_its_region() {
    let rig = rig(500, 500, 500);
    blocks(&rig, &[400, 300]);
    assert_eq!(rig.pools(), (700, 300));
    // 150 are missing, and 200 are above the region; the oldest block has 400.
    rig.execution_evicts(0, 450, 450, 150);
    assert_eq!((rig.pools(), rig.used()), ((300, 700), (450, 300)));
}

#[test]
fn d3_evicts_in_order_where_one_block_would_do() {
    let rig = rig(1000, 0, 0);
    blocks(&rig, &[100, 600]);
    rig.execution_evicts(0, 500, 500, 200);
    assert_eq!((rig.pools(), rig.used()), ((0, 1000), (500, 0)));
}

#[test]
fn d4_evicts_nothing_where_it_can_not_evict_enough() {
    let rig = rig(500, 500, 500);
    rig.stores(900);
    // All of it is being read.
    rig.keep(Blocks::Sizes([].into()));
    rig.execution_evicts(0, 500, 100, 400);
    assert_eq!(rig.used(), (100, 900));
}

#[test]
fn d5_waits_for_a_share_that_can_not_exist_unless_that_is_noticed() {
    let lonely = rig(500, 500, 500);
    lonely.ledger.set_unmanaged(OnHeap, 600);
    // The cap is 400 and the minimum, half of what execution has, 500.
    let error = lonely.try_execution(0, 1000).unwrap_err();
    let RawError::Refused(refusal) = error else {
        panic!("it would have waited: {error}");
    };
    assert!(
        matches!(refusal.reason(), Reason::Cancelled),
        "as in Spark, it waits"
    );

    let sizes = PoolSizes {
        storage: 500,
        execution: 500,
        storage_region: 500,
        max_unroll: 0,
    };
    let options = LedgerOptions {
        on_heap: sizes,
        wait_timeout: None,
        ..LedgerOptions::default()
    };
    let ledger = Ledger::new(options, Arc::new(UnifiedPolicy));
    ledger.set_unmanaged(OnHeap, 600);
    let ask = Ask::execution(TaskId::new(0), OnHeap, 1000);
    let refusal = ledger.acquire(ask, &Wait::default()).unwrap_err();
    assert!(
        matches!(refusal.reason(), Reason::Deadlock),
        "nobody holds what it waits for"
    );
}

#[test]
fn d6_asking_for_nothing_is_no_error_but_where_it_is_spelt_as_in_spark() {
    let rig = rig(500, 500, 500);
    let token = CancelToken::new();
    let wait = Wait {
        cancel: Some(&token),
        deadline: None,
    };
    let nothing = Ask::execution(TaskId::new(0), OnHeap, 0);
    assert_eq!(rig.ledger.acquire(nothing, &wait).unwrap().bytes(), 0);
    assert_eq!(rig.ledger.snapshot().on_heap.active_tasks, 0);
    assert!(matches!(
        rig.try_execution(0, 0),
        Err(RawError::InvalidBytes(0))
    ));
}

#[test]
fn d7_does_not_look_at_waiters_when_a_block_is_dropped() {
    let rig = rig(500, 500, 500);
    rig.stores(500);
    rig.execution(0, 450, 450);
    // Less than half of its half is free, and blocks within the region stay where they are.
    let ask = Ask::execution(TaskId::new(1), OnHeap, 250);
    let mut waiting = rig.ledger.ticket(ask);
    let parked = |ticket: &mut Ticket| matches!(ticket.step(Some(Waker::noop())), Step::Parked);
    assert!(parked(&mut waiting));
    raw::release_storage_memory(&rig.ledger, 500, OnHeap);
    assert!(parked(&mut waiting), "nobody has told it");
    rig.ledger.notify_all();
    assert!(matches!(
        waiting.step(None),
        Step::Granted(granted) if granted.bytes() == 250
    ));
}
