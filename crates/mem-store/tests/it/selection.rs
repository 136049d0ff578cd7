//! Choosing victims costs the number of victims, not of blocks: counted in steps, not in time.

use std::sync::Arc;

use mem_pool::Dataset;
use mem_store::{BlockId, Costs, MemoryStore, Put, ReadGuard, TaskContext};

use crate::support::{ON, store};

/// Puts a block of values that costs one byte.
fn put(store: &MemoryStore, id: &BlockId) -> bool {
    let one = Costs::new(|_: &u8| 1);
    let put = store.put_iterator_as_values(id, TaskContext::default(), ON, [0_u8], one);
    matches!(put.expect("nothing fails"), Put::Stored { .. })
}

fn block(dataset: i64, partition: u64) -> BlockId {
    BlockId::rdd(Dataset::new(dataset), partition)
}

/// A store that is full: `of_one` blocks of dataset 1 after `others` of dataset 2.
fn full(others: u64, of_one: u64) -> Arc<MemoryStore> {
    let store = store(others + of_one + 511);
    (0..others).for_each(|partition| assert!(put(&store, &block(2, partition))));
    (0..of_one).for_each(|partition| assert!(put(&store, &block(1, partition))));
    store
}

/// How many blocks were looked at in `work`.
fn steps(store: &MemoryStore, work: impl FnOnce()) -> u64 {
    let before = store.stats().selection_steps;
    work();
    store.stats().selection_steps - before
}

/// Takes `bytes` of storage memory for dataset 1.
fn want(store: &MemoryStore, bytes: i64) -> bool {
    let block = block(1, u64::MAX);
    let wanted = store.reserve_unroll_for_task(&block, None, ON, bytes);
    wanted.expect("nothing fails")
}

#[test]
fn the_askers_own_blocks_are_not_looked_at_however_many_they_are() {
    let store = full(0, 100_000);
    let looked = steps(&store, || assert!(!want(&store, 600)));
    assert_eq!(looked, 0, "there are only its own");
    assert!(want(&store, 500));
    for number in 0..11 {
        assert!(crate::support::put(&store, &format!("test_{number}"), 1, 0));
    }
    let looked = steps(&store, || assert!(want(&store, 5)));
    assert_eq!(looked, 5, "others stand behind them");
    assert_eq!(store.stats().blocks, 100_000 + 6);
}

#[test]
fn nothing_is_looked_at_where_all_others_together_are_too_little() {
    let store = full(1000, 2000);
    let looked = steps(&store, || assert!(!want(&store, 1600)));
    assert_eq!(looked, 0);
    assert_eq!(store.stats().blocks, 3000);
}

#[test]
fn pinned_blocks_are_not_looked_at_however_old_they_are() {
    let store = full(20_000, 0);
    assert!(want(&store, 511));
    let pin = |partition| {
        store
            .infos()
            .try_lock_for_reading(&block(2, partition), None)
    };
    let pins: Vec<ReadGuard> = (0..10_000).filter_map(pin).collect();
    assert_eq!(pins.len(), 10_000);
    let looked = steps(&store, || assert!(want(&store, 7)));
    assert_eq!(looked, 7);
    let gone: Vec<bool> = (9_999..10_008)
        .map(|n| store.contains(&block(2, n)))
        .collect();
    assert_eq!(
        gone,
        [true, false, false, false, false, false, false, false, true]
    );
    // Let go of, they are the oldest again.
    drop(pins);
    let looked = steps(&store, || assert!(want(&store, 3)));
    assert_eq!(looked, 3);
    assert!(!store.contains(&block(2, 2)) && store.contains(&block(2, 3)));
}

#[test]
fn blocks_that_were_got_are_put_in_their_place_once() {
    let store = full(1000, 0);
    assert!(want(&store, 511));
    for partition in 0..900 {
        assert!(store.get_size(&block(2, partition)).is_some());
    }
    let looked = steps(&store, || assert!(want(&store, 1)));
    assert_eq!(looked, 901, "one for each get, and the victim");
    assert!(!store.contains(&block(2, 900)));
    let looked = steps(&store, || assert!(want(&store, 1)));
    assert_eq!(looked, 1);
}
