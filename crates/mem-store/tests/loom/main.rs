//! Models of gets beside evictions, and of blocks that take over from others, run by loom in every
//! interleaving.
//!
//! Each model says which lines of the source it protects: those are marked there with its name, and
//! `cargo xtask loom --mutants` takes them away one by one and expects the model to fail.
#![cfg(mem_loom)]
#![expect(clippy::unwrap_used, reason = "a model fails by panicking")]

use mem_block::MemoryMode;
use mem_policy::config::{Collector, Environment, PolicyKind, SparkConf, resolve};
use mem_policy::{ManagerOptions, memory_manager};
use mem_pool::{Ask, TaskId};
use mem_store::{BlockId, MemoryStore, StoreOptions};
use mem_sync::thread::spawn;
use std::sync::Arc;

/// Bytes of a block, and of all memory: each block takes the place of the one before.
const SIZE: u64 = 64;
const A: BlockId = BlockId::broadcast(1);
const B: BlockId = BlockId::broadcast(2);
const C: BlockId = BlockId::broadcast(3);
const D: BlockId = BlockId::broadcast(4);

/// Runs `body` in every interleaving with at most so many preemptions as the environment says, or 3.
fn model(body: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound.get_or_insert(3);
    builder.max_branches = 50_000;
    builder.check(body);
}

/// A store that holds `A` and has no room for another.
fn full() -> Arc<MemoryStore> {
    let store = with_room_for(1);
    assert!(put(&store, &A));
    store
}

/// A store that holds these blocks, has no room for another, and whose ledger has said so: the next
/// one takes over from the first.
fn known_to_be_full(blocks: &[BlockId]) -> Arc<MemoryStore> {
    let store = with_room_for(blocks.len() as u64);
    assert!(
        (10..)
            .take(blocks.len())
            .all(|before| put(&store, &BlockId::broadcast(before)))
    );
    assert!(blocks.iter().all(|block| put(&store, block)));
    store
}

fn with_room_for(blocks: u64) -> Arc<MemoryStore> {
    let memory = (SIZE * blocks).to_string();
    let conf = SparkConf::from_iter([
        ("spark.testing.memory", memory.as_str()),
        ("spark.testing.reservedMemory", "0"),
        ("spark.memory.fraction", "1.0"),
    ]);
    let environment = Environment {
        cores: 1,
        is_driver: false,
        collector: Collector::Parallel,
        max_heap: 0,
    };
    let resolved = resolve(&conf, PolicyKind::Unified, &environment).unwrap();
    let manager = memory_manager(resolved, &ManagerOptions::default());
    MemoryStore::new(manager, StoreOptions::default()).unwrap()
}

fn put(store: &MemoryStore, id: &BlockId) -> bool {
    let bytes = [7; SIZE as usize];
    let put = store.put_bytes(id, MemoryMode::OnHeap, SIZE, |out| {
        std::io::Write::write_all(out, &bytes)
    });
    put.unwrap()
}

fn used(store: &MemoryStore) -> u64 {
    let ledger = store.manager().ledger();
    ledger.check();
    ledger.snapshot().on_heap.storage_used
}

/// Protects: that a block which somebody has got is not evicted; and that one which was passed over for
/// that reason can be evicted once they are done.
#[test]
fn got_beside_an_eviction() {
    model(|| {
        let store = full();
        let getting = spawn({
            let store = Arc::clone(&store);
            move || {
                let Some(bytes) = store.get_bytes(&A).unwrap() else {
                    return;
                };
                assert!(store.contains(&A), "what is read stays");
                assert_eq!(used(&store), SIZE, "and counts");
                assert_eq!(bytes.len(), SIZE);
            }
        });
        let stored = put(&store, &B);
        getting.join().unwrap();
        assert!(stored || put(&store, &B), "nobody reads any more");
        assert!(store.contains(&B) && !store.contains(&A));
        assert_eq!(used(&store), SIZE);
    });
}

/// Somebody leaves while an eviction looks at what they read. Protects: that one of the two sees the other.
#[test]
fn left_beside_an_eviction() {
    model(|| {
        let store = full();
        let reading = store.get_bytes(&A).unwrap().unwrap();
        let leaving = spawn(move || drop(reading));
        let stored = put(&store, &B);
        leaving.join().unwrap();
        assert!(stored || put(&store, &B), "nobody reads any more");
        assert_eq!(used(&store), SIZE);
    });
}

/// A block is removed while another is put into a full store, without a word to the ledger. Protects:
/// that the ledger is asked again once there is room.
#[test]
fn room_beside_an_exchange() {
    model(|| {
        let store = known_to_be_full(&[A, B]);
        let removing = spawn({
            let store = Arc::clone(&store);
            move || assert!(store.remove(&B))
        });
        assert!(put(&store, &C));
        removing.join().unwrap();
        // In the place of A, after which there is room; or of B, and then A is the next to go.
        assert!(put(&store, &D));
        assert!(store.contains(&C) && store.contains(&D));
        assert_eq!(used(&store), 2 * SIZE);
    });
}

/// What somebody has got is not taken over.
#[test]
fn got_beside_an_exchange() {
    model(|| {
        let store = known_to_be_full(&[A]);
        let getting = spawn({
            let store = Arc::clone(&store);
            move || {
                let Some(bytes) = store.get_bytes(&A).unwrap() else {
                    return;
                };
                assert!(store.contains(&A), "what is read stays");
                assert_eq!(bytes.to_vec(), [7; SIZE as usize]);
            }
        });
        let stored = put(&store, &B);
        getting.join().unwrap();
        assert!(stored || put(&store, &B), "nobody reads any more");
        assert_eq!(used(&store), SIZE);
    });
}

/// Two blocks are put where there is room for one, so that one comes up in the queue while it is being
/// written. Protects: that it is in the queue again when it is complete.
#[test]
fn put_beside_a_put() {
    model(|| {
        let store = known_to_be_full(&[A]);
        let putting = spawn({
            let store = Arc::clone(&store);
            move || put(&store, &B)
        });
        let stored = put(&store, &C);
        assert!(putting.join().unwrap() || stored, "one of them fits");
        assert!(put(&store, &D), "and can go");
        assert_eq!(used(&store), SIZE);
    });
}

/// Execution memory is asked for while a block takes over from another: no byte is granted twice.
#[test]
fn acquired_beside_an_exchange() {
    model(|| {
        let store = known_to_be_full(&[A]);
        let acquiring = spawn({
            let ledger = Arc::clone(store.manager().ledger());
            move || {
                let ask = Ask::execution(TaskId::new(1), MemoryMode::OnHeap, SIZE);
                let granted = ledger.try_acquire(ask);
                ledger.check();
                granted.map_or(0, |granted| granted.leave())
            }
        });
        let stored = put(&store, &B);
        let granted = acquiring.join().unwrap();
        assert_eq!(used(&store) + granted, SIZE);
        assert_eq!(store.contains(&B), stored && granted == 0);
    });
}
