//! What puts, gets and removals do in memory.

use std::io::{self, Write};
use std::sync::Arc;

use mem_block::AllocError;
use mem_block::testing::FailingAllocator;
use mem_policy::{ManagerOptions, MemoryManager};
use mem_pool::{Ask, Dataset, TaskId};
use mem_store::{BlockId, Costs, Form, MemoryStore, Put, StoreError, StoreOptions, TaskContext};

use crate::support::{
    OFF, ON, check_books, fill_with, id, manager, manager_with, put, store, used, watched,
};

#[test]
fn gets_touch_and_looking_does_not() {
    let (store, dropped) = watched(100);
    for name in ["a", "b", "c", "d", "e"] {
        assert!(put(&store, name, 20, 1));
    }
    assert!(store.get_bytes(&id("a")).unwrap().is_some());
    assert_eq!(store.get_size(&id("b")), Some(20));
    // In the wrong form it counts all the same.
    let wrong = store.get_values::<u8>(&id("c")).unwrap_err();
    assert!(matches!(
        wrong,
        StoreError::WrongForm {
            wanted: Form::Deserialized,
            ..
        }
    ));
    assert!(store.contains(&id("d")));
    drop(store.infos().try_lock_for_reading(&id("e"), None));
    assert!(put(&store, "f", 20, 1));
    assert!(put(&store, "g", 20, 1));
    assert_eq!(dropped.take(), ["d", "e"]);
    assert!(put(&store, "h", 60, 1));
    assert_eq!(dropped.take(), ["a", "b", "c"]);
}

#[test]
fn values_of_known_cost_take_exactly_that_in_either_mode() {
    let (store, dropped) = watched(100);
    assert!(put(&store, "a", 60, 1));
    let put_sized = |name, mode, size| store.put_sized_values(&id(name), mode, size, vec![7_u8]);
    assert!(put_sized("b", ON, 40).unwrap());
    assert_eq!((used(&store), dropped.take().len()), (100, 0));
    assert!(put_sized("c", OFF, 12_000).unwrap());
    assert_eq!(*store.get_values::<u8>(&id("c")).unwrap().unwrap(), [7]);
    assert!(put_sized("d", ON, 50).unwrap());
    assert_eq!(dropped.take(), ["a"]);
    assert!(!put_sized("e", ON, 101).unwrap());
    let again = put_sized("b", ON, 1);
    assert!(matches!(again, Err(StoreError::AlreadyPresent { .. })));
    check_books(&store, 0);
    store.clear();
    check_books(&store, 0);
    assert_eq!(used(&store), 0);
}

#[test]
fn a_failed_put_of_a_block_that_is_there_touches_nothing() {
    let (store, dropped) = watched(100);
    assert!(put(&store, "a", 50, 1));
    assert!(put(&store, "b", 50, 1));
    let again = store.put_bytes(&id("a"), ON, 1000, |_| panic!("never asked for"));
    assert!(matches!(again, Err(StoreError::AlreadyPresent { .. })));
    assert!(put(&store, "c", 50, 1));
    assert_eq!(dropped.take(), ["a"]);
}

#[test]
fn blocks_of_the_same_dataset_other_modes_and_pinned_ones_are_spared() {
    let (store, dropped) = watched(100);
    let rdd = |dataset, partition| BlockId::rdd(Dataset::new(dataset), partition).to_string();
    assert!(put(&store, &rdd(1, 0), 30, 1));
    assert!(put(&store, &rdd(2, 0), 30, 1));
    assert!(put(&store, &rdd(1, 1), 30, 1));
    assert!(
        store
            .put_bytes(&id("off"), OFF, 30, |out| fill_with(out, 30, 1))
            .unwrap()
    );
    assert!(put(&store, &rdd(1, 2), 40, 1));
    assert_eq!(dropped.take(), ["rdd_2_0"]);
    assert!(!put(&store, &rdd(1, 3), 1, 1), "the rest is its own");
    let pin = store.infos().try_lock_for_reading(&id("rdd_1_0"), None);
    assert!(put(&store, &rdd(3, 0), 20, 1));
    assert_eq!(dropped.take(), ["rdd_1_1"]);
    drop(pin);
    // Execution has no dataset: it takes from all, but not what the region keeps.
    let ask = Ask::execution(TaskId::new(1), ON, 60);
    let granted = store.manager().ledger().try_acquire(ask).unwrap();
    assert_eq!(granted.bytes(), 60);
    assert_eq!(dropped.take(), ["rdd_1_0", "rdd_1_2"]);
    assert!(store.contains(&id("off")));
    check_books(&store, 0);
}

#[test]
fn a_block_of_no_bytes_goes_where_it_stands_in_line() {
    let (store, dropped) = watched(100);
    assert!(put(&store, "a", 0, 1));
    assert!(put(&store, "b", 60, 1));
    assert!(put(&store, "c", 0, 1));
    assert!(put(&store, "d", 40, 1));
    assert!(put(&store, "e", 0, 1), "it needs no room");
    assert_eq!(dropped.take(), [""; 0]);
    assert!(put(&store, "f", 60, 1));
    assert_eq!(dropped.take(), ["a", "b"], "what comes after enough stays");
    let bytes = store.get_bytes(&id("c")).unwrap().expect("it is there");
    assert!(bytes.is_empty() && bytes.chunks().next().is_none());
}

#[test]
fn what_is_removed_while_it_is_read_is_held_until_it_is_not() {
    let store = store(100);
    assert!(put(&store, "a", 60, 7));
    let reading = store.get_bytes(&id("a")).unwrap().expect("it is there");
    assert!(store.remove(&id("a")));
    assert!(!store.remove(&id("a")));
    assert_eq!((store.contains(&id("a")), used(&store)), (false, 60));
    assert!(put(&store, "a", 40, 8), "a new block of the name");
    assert!(!put(&store, "b", 50, 9), "the memory is not free yet");
    assert_eq!(reading.to_vec(), [7; 60]);
    drop(reading);
    assert!(store.contains(&id("a")));
    assert!(put(&store, "b", 60, 9));
    assert_eq!(
        store.get_bytes(&id("a")).unwrap().expect("still").to_vec(),
        [8; 40]
    );
    store.clear();
    assert_eq!(used(&store), 0);
}

#[test]
fn suppliers_that_fail_or_write_too_little_leave_nothing() {
    let store = store(1000);
    let fail = store.put_bytes(&id("a"), ON, 100, |_| Err(io::Error::other("no luck")));
    assert_eq!(
        fail.unwrap_err().to_string(),
        "the bytes of block a could not be had"
    );
    let short = store.put_bytes(&id("a"), ON, 100, |out| out.write_all(&[1; 99]));
    assert_eq!(
        short.unwrap_err().to_string(),
        "block a was to have 100 bytes, its supplier wrote 99"
    );
    let long = store.put_bytes(&id("a"), ON, 100, |out| out.write_all(&[1; 101]));
    assert!(matches!(long, Err(StoreError::Supplier { .. })));
    assert_eq!(used(&store), 0);
    assert!(store.infos().is_empty());
    let costs = Costs::new(|_: &u8| 100);
    let panicking = (0..9_u8).inspect(|value| assert!(*value < 5, "its source gave up"));
    let context = TaskContext::of(TaskId::new(1));
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        drop(store.put_iterator_as_values(&id("a"), context, ON, panicking, costs));
    }));
    assert!(caught.is_err());
    assert_eq!(used(&store), 0, "what was unrolled is released");
    assert!(store.infos().is_empty());
}

#[test]
fn an_allocator_without_memory_is_told_from_a_ledger_without() {
    let manager = manager(10_000);
    let on_heap = FailingAllocator::new(Arc::clone(manager.allocator(ON)));
    let options = StoreOptions {
        allocators: Some([on_heap.clone(), Arc::clone(manager.allocator(OFF))]),
        ..StoreOptions::default()
    };
    let store = MemoryStore::new(manager, options).unwrap();
    on_heap.fail_next(1);
    let refused = store.put_bytes(&id("a"), ON, 100, |_| panic!("never asked for"));
    let Err(StoreError::Alloc { source, .. }) = refused else {
        panic!("{refused:?}");
    };
    assert!(matches!(source, AllocError::Refused { size: 100, .. }));
    assert_eq!(used(&store), 0);

    // In the middle of a value: it comes back whole.
    let (context, format) = (TaskContext::default(), crate::support::sized(200));
    let values = (0..40).inspect(|value| {
        if *value == 20 {
            on_heap.fail_always(true);
        }
    });
    let tracker = mem_store::BytesWritten::default();
    let put = store.put_iterator_as_bytes(&id("a"), context, ON, values, format, tracker);
    let Ok(Put::Partial(partial)) = put else {
        panic!("there was no memory");
    };
    assert!(partial.unroll_bytes() > 0);
    let values: Vec<u64> = partial.into_values().collect::<io::Result<_>>().unwrap();
    assert_eq!(values, (0..40).collect::<Vec<_>>());
    check_books(&store, 0);
    assert_eq!(used(&store), 0);
}

#[test]
fn a_lower_limit_evicts_the_oldest() {
    let (store, dropped) = watched(100);
    for name in ["a", "b", "c", "d"] {
        assert!(put(&store, name, 20, 1));
    }
    let ledger = store.manager().ledger();
    let change = ledger.set_limit(ON, 50).unwrap();
    assert_eq!((change.total, change.outstanding), (50, 0));
    assert_eq!(dropped.take(), ["a", "b"]);
    check_books(&store, 0);
}

#[test]
fn one_manager_has_one_store() {
    let manager = manager(100);
    let first = MemoryStore::new(manager.clone(), StoreOptions::default());
    let second = MemoryStore::new(manager, StoreOptions::default());
    assert!(first.is_ok());
    assert_eq!(
        second.unwrap_err().to_string(),
        "the memory manager has a block store already"
    );
}

/// A block of 5850 bytes, unrolled in pieces of which each is under a limit of 5000.
fn unroll_under_unmanaged(release_then_acquire: bool) -> (Result<u64, StoreError>, u64) {
    let settings = [("spark.memory.unmanagedMemoryPollingInterval", "1s")];
    let manager: Arc<dyn MemoryManager> =
        manager_with(10_000, &settings, &ManagerOptions::default());
    manager.ledger().set_unmanaged(ON, 5000);
    let options = StoreOptions {
        release_then_acquire,
        ..StoreOptions::default()
    };
    let store = MemoryStore::new(manager, options).expect("nothing fails");
    let costs = Costs::new(|_: &u64| 150);
    let context = TaskContext::of(TaskId::new(1));
    let put = store.put_iterator_as_values(&id("a"), context, ON, 0..39, costs);
    let size = put.map(|put| match put {
        Put::Stored { size } => size,
        Put::Partial(partial) => panic!("{partial:?}"),
    });
    check_books(&store, 0);
    assert_eq!(store.current_unroll_memory(), 0);
    (size, used(&store))
}

#[test]
fn a_whole_block_is_not_refused_for_unmanaged_memory_unless_sparks_way_is_asked_for() {
    let (size, used) = unroll_under_unmanaged(false);
    assert_eq!((size.unwrap(), used), (5850, 5850));
    let (size, used) = unroll_under_unmanaged(true);
    assert!(matches!(
        size,
        Err(StoreError::Transfer { bytes: 5850, .. })
    ));
    assert_eq!(used, 0, "the unroll memory is released all the same");
}

#[test]
fn values_of_another_type_are_not_taken_for_it() {
    let store = store(10_000);
    let costs = Costs::new(|_: &u64| 8);
    let put = store.put_iterator_as_values(&id("a"), TaskContext::default(), ON, 0..3_u64, costs);
    assert!(put.is_ok());
    let wrong = store.get_values::<i64>(&id("a")).unwrap_err();
    assert_eq!(wrong.to_string(), "block a holds values of u64, not of i64");
    let wrong = store.get_bytes(&id("a")).unwrap_err();
    assert!(matches!(
        wrong,
        StoreError::WrongForm {
            wanted: Form::Serialized,
            ..
        }
    ));
    let right = store
        .get_values::<u64>(&id("a"))
        .unwrap()
        .expect("it is there");
    assert_eq!((&*right, right.memory_bytes()), (&[0, 1, 2][..], 24));
}
