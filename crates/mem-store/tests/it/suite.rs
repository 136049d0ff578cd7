//! The scenarios of Spark's `MemoryStoreSuite`, each under its number.
//!
//! Spark's sizes are sampled; here every element costs what it is said to, 120 bytes, or 280 in a big
//! block. The numbers in between follow from that.

use std::io;
use std::sync::Arc;

use mem_block::MemoryMode;
use mem_pool::{CancelToken, TaskId};
use mem_store::{
    BytesWritten, Costs, MemoryStore, PartiallySerializedBlock, PartiallyUnrolledIterator, Put,
    TaskContext,
};
use mem_sync::atomic::{AtomicU64, Ordering};

use crate::support::{OFF, ON, id, put, sized, store, used};

const SMALL: u64 = 120;
const BIG: u64 = 280;
const TASK: TaskId = TaskId::new(0);

type Values = std::ops::Range<u64>;

fn put_values(
    store: &MemoryStore,
    name: &str,
    mode: MemoryMode,
    cost: u64,
) -> Option<PartiallyUnrolledIterator<u64, Values>> {
    let costs = Costs::new(move |_: &u64| cost);
    let put = store.put_iterator_as_values(&id(name), TaskContext::of(TASK), mode, 0..40, costs);
    match put.expect("nothing fails") {
        Put::Stored { size } => {
            assert_eq!(size, 40 * cost);
            None
        }
        Put::Partial(partial) => Some(partial),
    }
}

fn put_as_bytes(
    store: &MemoryStore,
    name: &str,
    cost: u64,
) -> Option<PartiallySerializedBlock<u64, Values>> {
    let (context, format) = (TaskContext::of(TASK), sized(cost));
    let tracker = BytesWritten::default();
    let put = store.put_iterator_as_bytes(&id(name), context, ON, 0..40, format, tracker);
    match put.expect("nothing fails") {
        Put::Stored { size } => {
            assert_eq!(size, 40 * cost);
            None
        }
        Put::Partial(partial) => Some(partial),
    }
}

fn unrolling(store: &MemoryStore) -> u64 {
    store.current_unroll_for_task(Some(TASK))
}

fn present(store: &MemoryStore, names: &[&str]) -> Vec<bool> {
    names.iter().map(|name| store.contains(&id(name))).collect()
}

#[test]
fn b1_reserving_and_releasing_unroll_memory() {
    let store = store(12000);
    let reserve = |bytes| {
        let reserved = store.reserve_unroll_for_task(&id("test_a"), Some(TASK), ON, bytes);
        (reserved.unwrap(), unrolling(&store))
    };
    let release = |bytes| {
        store.release_unroll_for_task(Some(TASK), ON, bytes);
        unrolling(&store)
    };
    assert_eq!(unrolling(&store), 0);
    assert_eq!(reserve(100), (true, 100));
    assert_eq!(reserve(200), (true, 300));
    assert_eq!(reserve(500), (true, 800));
    assert_eq!(reserve(1_000_000), (false, 800));
    assert_eq!(release(100), 700);
    assert_eq!(release(100), 600);
    assert_eq!(reserve(4400), (true, 5000));
    assert_eq!(reserve(20000), (false, 5000));
    assert_eq!(release(1000), 4000);
    assert_eq!(release(u64::MAX), 0);
    assert_eq!(used(&store), 0);
}

#[test]
fn b2_safely_unrolling() {
    let store = store(12000);
    assert!(put_values(&store, "unroll", ON, SMALL).is_none());
    assert_eq!((unrolling(&store), used(&store)), (0, 4800));
    let values = store.get_values::<u64>(&id("unroll")).unwrap();
    assert_eq!(*values.expect("it was stored"), (0..40).collect::<Vec<_>>());
    assert!(store.remove(&id("unroll")));

    for name in ["someBlock1", "someBlock2", "unroll"] {
        assert!(put_values(&store, name, ON, SMALL).is_none());
        assert_eq!(unrolling(&store), 0);
    }
    let names = ["someBlock1", "someBlock2", "unroll"];
    assert_eq!(present(&store, &names), [false, true, true]);
    store.remove(&id("unroll"));

    assert!(put_values(&store, "someBlock3", ON, SMALL).is_none());
    let partial = put_values(&store, "unroll", ON, BIG).expect("it is too large");
    assert_eq!((partial.unroll_bytes(), unrolling(&store)), (7140, 7140));
    let names = ["someBlock2", "someBlock3", "unroll"];
    assert_eq!(present(&store, &names), [false, true, false]);
    assert_eq!(partial.collect::<Vec<_>>(), (0..40).collect::<Vec<_>>());
    assert_eq!(unrolling(&store), 0);
}

fn check_values(mode: MemoryMode) {
    let store = store(12000);
    let names = ["b1", "b2", "b3", "b4"];
    for _ in 0..2 {
        store.remove(&id("b1"));
        store.remove(&id("b2"));
        assert!(put_values(&store, "b1", mode, SMALL).is_none());
        assert!(put_values(&store, "b2", mode, SMALL).is_none());
        assert_eq!(present(&store, &names), [true, true, false, false]);
    }
    assert!(put_values(&store, "b3", mode, SMALL).is_none());
    assert_eq!(present(&store, &names), [false, true, true, false]);
    store.remove(&id("b3"));
    assert!(put_values(&store, "b3", mode, SMALL).is_none());
    let partial = put_values(&store, "b4", mode, BIG).expect("it is too large");
    assert_eq!(present(&store, &names), [false, false, true, false]);
    assert_eq!(unrolling(&store), 7140);
    // Spark: close.
    drop(partial);
    assert_eq!(unrolling(&store), 0);
    let snapshot = store.manager().ledger().snapshot();
    assert_eq!(snapshot.of_mode(mode).storage_used, 4800);
}

#[test]
fn b3_putting_values() {
    check_values(ON);
}

#[test]
fn b4_putting_values_off_heap() {
    check_values(OFF);
}

#[test]
fn b5_putting_bytes() {
    let store = store(12000);
    let names = ["b1", "b2", "b3", "b4"];
    assert!(put_as_bytes(&store, "b1", SMALL).is_none());
    assert!(put_as_bytes(&store, "b2", SMALL).is_none());
    assert_eq!(present(&store, &names), [true, true, false, false]);
    assert!(put_as_bytes(&store, "b3", SMALL).is_none());
    assert_eq!(present(&store, &names), [false, true, true, false]);
    assert_eq!(
        store.get_bytes(&id("b3")).unwrap().expect("stored").len(),
        4800
    );
    let partial = put_as_bytes(&store, "b4", BIG).expect("it is too large");
    assert_eq!(present(&store, &names), [false, false, true, false]);
    assert_eq!((partial.unroll_bytes(), unrolling(&store)), (7140, 7140));
    // Spark: discard.
    drop(partial);
    assert_eq!((unrolling(&store), used(&store)), (0, 4800));
    let stats = store.stats();
    assert_eq!((stats.overdrawn_bytes, stats.blocks), (0, 1));
}

/// A block that does not fit beside one that is pinned.
fn partly_serialized(
    store: &Arc<MemoryStore>,
) -> PartiallySerializedBlock<u64, std::ops::Range<u64>> {
    assert!(put_as_bytes(store, "pinned", SMALL).is_none());
    let _pin = store
        .infos()
        .try_lock_for_reading(&id("pinned"), None)
        .expect("it is there");
    let partial = put_as_bytes(store, "big", BIG).expect("it is too large");
    assert!(unrolling(store) > 0);
    partial
}

#[test]
fn b6_a_partly_serialized_block_as_values() {
    let store = store(12000);
    let values = partly_serialized(&store).into_values();
    let values: Vec<u64> = values.collect::<io::Result<_>>().unwrap();
    assert_eq!(values, (0..40).collect::<Vec<_>>());
    assert_eq!((unrolling(&store), used(&store)), (0, 4800));
}

#[test]
fn b7_a_partly_serialized_block_as_a_stream() {
    let store = store(12000);
    let mut stream = Vec::new();
    let written = partly_serialized(&store)
        .finish_writing_to(&mut stream)
        .unwrap();
    assert_eq!((written, stream.len()), (40 * BIG, 11200));
    assert_eq!((unrolling(&store), used(&store)), (0, 4800));
    let (mut input, format) = (&stream[..], sized(BIG));
    for value in 0..40 {
        assert_eq!(format.read(&mut input).unwrap(), Some(value));
    }
    assert_eq!(format.read(&mut input).unwrap(), None);
}

#[test]
fn b8_several_blocks_unrolled_by_one_task() {
    let store = store(12000);
    let mut pins = Vec::new();
    for name in ["b1", "b2"] {
        assert!(put_values(&store, name, ON, SMALL).is_none());
        pins.push(store.infos().try_lock_for_reading(&id(name), None));
    }
    assert_eq!(unrolling(&store), 0);
    let mut partials = Vec::new();
    let mut held = Vec::new();
    for name in ["b3", "b4", "b5", "b6", "b7"] {
        partials.push(put_values(&store, name, ON, BIG).expect("nothing can be evicted"));
        held.push(unrolling(&store));
    }
    assert_eq!(held, [512, 1024, 1536, 2048, 2048]);
    assert_eq!(
        partials
            .iter()
            .map(|partial| partial.unroll_bytes())
            .sum::<u64>(),
        2048
    );
    assert_eq!(used(&store), 9600 + 2048);
}

#[test]
fn b9_bytes_that_do_not_fit_are_never_asked_for() {
    let store = store(12000);
    let put = store.put_bytes(&id("b1"), ON, 13000, |_| panic!("never asked for"));
    assert!(!put.unwrap());
    assert!(store.infos().is_empty());
}

#[test]
fn b10_bytes_that_fit() {
    let store = store(12000);
    assert!(put(&store, "b1", 10000, 7));
    assert_eq!(store.get_size(&id("b1")), Some(10000));
    assert_eq!(used(&store), 10000);
}

/// Counts how many were closed.
struct Closeable(Arc<AtomicU64>);

impl Drop for Closeable {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn b12_values_are_closed_when_they_leave() {
    let (store, closed) = (store(12000), Arc::new(AtomicU64::new(0)));
    let put = |name: &str, count: usize| {
        let values: Vec<_> = (0..count).map(|_| Closeable(closed.clone())).collect();
        let costs = Costs::new(|_: &Closeable| 10);
        let context = TaskContext::default();
        let put = store.put_iterator_as_values(&id(name), context, ON, values, costs);
        assert!(matches!(put, Ok(Put::Stored { .. })));
    };
    let count = || closed.load(Ordering::Relaxed);
    put("b1", 3);
    put("b2", 4);
    assert_eq!(count(), 0);
    assert!(store.remove(&id("b1")));
    assert_eq!(count(), 3);
    assert!(store.remove(&id("b2")));
    assert_eq!(count(), 7);
    put("b1", 5);
    put("b2", 6);
    store.clear();
    assert_eq!(count(), 18);
    assert_eq!(used(&store), 0);
}

#[test]
fn a_cancelled_task_stops_unrolling_even_after_the_last_element() {
    let (store, token) = (store(12000), CancelToken::new());
    let cancelling = (0..40).inspect(|value| {
        if *value == 39 {
            token.cancel();
        }
    });
    let context = TaskContext {
        task: Some(TASK),
        cancel: Some(&token),
    };
    let costs = Costs::new(|_: &u64| SMALL);
    let put = store.put_iterator_as_values(&id("b1"), context, ON, cancelling, costs);
    let Ok(Put::Partial(partial)) = put else {
        panic!("it was cancelled");
    };
    assert_eq!(partial.count(), 40);
    assert_eq!(unrolling(&store), 0);
    assert!(store.infos().is_empty());
}
