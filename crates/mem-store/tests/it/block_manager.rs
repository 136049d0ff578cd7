//! Puts by level, gets from wherever a block is, and where it is then.

use std::io;
use std::sync::Arc;

use mem_pool::{Dataset, TaskId};
use mem_store::{
    BlockBytes, BlockId, BlockManager, BlockPut, BlockStatus, BlockValues, BytesPut, LockKind,
    StorageLevel, StoreError, StoreOptions, TaskContext, Unstored,
};

use crate::support::{WORKSPACE, blocks, check_books, fill_with, id, manager, sized, used};

const CONTEXT: TaskContext<'static> = TaskContext {
    task: None,
    cancel: None,
};

const LEVELS: [StorageLevel; 7] = [
    StorageLevel::DISK_ONLY,
    StorageLevel::MEMORY_ONLY,
    StorageLevel::MEMORY_ONLY_SER,
    StorageLevel::MEMORY_AND_DISK,
    StorageLevel::MEMORY_AND_DISK_SER,
    StorageLevel::OFF_HEAP,
    StorageLevel::OFF_HEAP_ONLY,
];

fn put(
    blocks: &BlockManager,
    name: &str,
    level: StorageLevel,
    count: u64,
) -> BlockPut<u64, std::ops::Range<u64>> {
    let put = blocks.put_values(&id(name), level, CONTEXT, 0..count, &sized(100));
    put.expect("nothing fails")
}

fn status(blocks: &BlockManager, name: &str) -> Option<BlockStatus> {
    blocks.status(&id(name))
}

/// The values of a block, and whether they were in memory as values.
fn get(blocks: &BlockManager, name: &str) -> (Vec<u64>, bool) {
    let values = blocks
        .get_values(&id(name), CONTEXT, &sized(100))
        .expect("nothing fails");
    let values = values.expect("it is somewhere");
    let is_in_memory = matches!(values, BlockValues::Memory(_));
    let mut all = Vec::new();
    values
        .for_each(|value| all.push(*value))
        .expect("nothing fails");
    (all, is_in_memory)
}

fn values(count: u64) -> Vec<u64> {
    (0..count).collect()
}

#[test]
fn what_fits_is_where_its_level_says() {
    for level in LEVELS {
        let (blocks, files) = blocks(10_000);
        let BlockPut::Stored(status) = put(&blocks, "a", level, 50) else {
            panic!("{level}");
        };
        let in_memory = level.use_memory();
        let expected = StorageLevel::from_bits(match in_memory {
            true => level.bits() & 7,
            false => 8,
        });
        assert_eq!(status.level, expected.unwrap(), "{level}");
        let sizes = if in_memory { (5000, 0) } else { (0, 5000) };
        assert_eq!((status.memory_bytes, status.disk_bytes), sizes, "{level}");
        assert_eq!(blocks.status(&id("a")), Some(status));
        assert_eq!(
            get(&blocks, "a"),
            (values(50), level.deserialized()),
            "{level}"
        );
        assert_eq!(files.alive(), usize::from(!in_memory));
        assert!(matches!(put(&blocks, "a", level, 60), BlockPut::Exists));
        assert!(blocks.remove(&id("a")).unwrap());
        assert!(!blocks.remove(&id("a")).unwrap());
        check_books(blocks.memory_store(), WORKSPACE);
        assert!(blocks.infos().is_empty());
    }
}

#[test]
fn what_does_not_fit_goes_to_disk_or_back() {
    for level in LEVELS {
        let (blocks, _files) = blocks(3000);
        match put(&blocks, "a", level, 200) {
            BlockPut::Stored(status) => {
                assert!(level.use_disk(), "{level}");
                assert_eq!(status.level, StorageLevel::DISK_ONLY);
                assert_eq!(status.disk_bytes, 20_000);
                assert_eq!(get(&blocks, "a"), (values(200), false), "{level}");
            }
            BlockPut::NotStored(unstored) => {
                assert!(!level.use_disk(), "{level}");
                let back: Vec<u64> = match unstored {
                    Unstored::Values(values) => values.collect(),
                    Unstored::Bytes(bytes) => {
                        bytes.into_values().collect::<io::Result<_>>().unwrap()
                    }
                };
                assert_eq!(back, values(200), "{level}");
                assert_eq!(status(&blocks, "a"), None);
            }
            BlockPut::Exists => panic!("{level}"),
        }
        check_books(blocks.memory_store(), WORKSPACE);
        assert_eq!(used(blocks.memory_store()), WORKSPACE);
    }
}

#[test]
fn evicted_blocks_go_to_disk_and_come_back_in_the_form_of_their_level() {
    let levels = [
        StorageLevel::MEMORY_AND_DISK,
        StorageLevel::MEMORY_AND_DISK_SER,
    ];
    for level in levels {
        let (blocks, _files) = blocks(12_000);
        for name in ["a", "b", "c", "d"] {
            assert!(matches!(put(&blocks, name, level, 50), BlockPut::Stored(_)));
        }
        for name in ["a", "b"] {
            assert_eq!(
                status(&blocks, name).unwrap().level,
                StorageLevel::DISK_ONLY
            );
        }
        assert_eq!(get(&blocks, "a"), (values(50), level.deserialized()));
        let a = status(&blocks, "a").unwrap();
        assert_eq!((a.level, a.memory_bytes, a.disk_bytes), (level, 5000, 5000));
        assert_eq!(status(&blocks, "c").unwrap().level, StorageLevel::DISK_ONLY);
        // Brought back, it has a copy on disk already.
        let stats = || blocks.disk_store().unwrap().stats().bytes_written;
        let written = stats();
        assert_eq!(
            blocks.drop_from_memory(&id("a")).unwrap(),
            Some(StorageLevel::DISK_ONLY)
        );
        assert_eq!(stats(), written);
        check_books(blocks.memory_store(), WORKSPACE);
    }
}

#[test]
fn without_room_a_block_is_read_where_it_is() {
    let (blocks, _files) = blocks(10_000);
    for name in ["a", "b", "c"] {
        put(&blocks, name, StorageLevel::MEMORY_AND_DISK, 50);
    }
    let pins = [
        blocks.pin(&id("b"), None).unwrap(),
        blocks.pin(&id("c"), None).unwrap(),
    ];
    assert!(pins.iter().all(Option::is_some));
    assert_eq!(get(&blocks, "a"), (values(50), false));
    let bytes = blocks.get_bytes(&id("a"), CONTEXT).unwrap().unwrap();
    assert!(matches!(bytes, BlockBytes::Disk(_)));
    assert_eq!(bytes.len(), 5000);
    assert_eq!(status(&blocks, "a").unwrap().level, StorageLevel::DISK_ONLY);
    assert_eq!(used(blocks.memory_store()), WORKSPACE + 10_000);
    check_books(blocks.memory_store(), WORKSPACE);
}

#[test]
fn bytes_stay_bytes_and_are_read_as_values_too() {
    let (blocks, _files) = blocks(10_000);
    let format = sized(100);
    let level = StorageLevel::MEMORY_AND_DISK;
    let stored = blocks.put_bytes(&id("a"), level, CONTEXT, 300, |out| {
        (0..3).try_for_each(|value| format.write(&value, out))
    });
    let Ok(BytesPut::Stored(status)) = stored else {
        panic!("{stored:?}");
    };
    assert_eq!(status.level, StorageLevel::MEMORY_ONLY_SER);
    assert_eq!(get(&blocks, "a"), (values(3), false));
    blocks.drop_from_memory(&id("a")).unwrap();
    let bytes = blocks.get_bytes(&id("a"), CONTEXT).unwrap().unwrap();
    assert!(bytes.is_in_memory(), "as bytes it comes back");
}

#[test]
fn a_level_that_cannot_be_is_refused_with_its_reason() {
    let blocks = BlockManager::new(manager(1000), StoreOptions::default(), None).unwrap();
    let refused = |level| {
        let put = blocks.put_bytes(&id("a"), level, CONTEXT, 10, |_| panic!("never asked for"));
        put.unwrap_err().to_string()
    };
    assert_eq!(
        refused(StorageLevel::DISK_ONLY),
        "block a can't be put at level DISK_ONLY: the store has no disk"
    );
    assert!(refused(StorageLevel::NONE).contains("neither memory nor disk"));
}

#[test]
fn a_put_that_fails_leaves_no_block() {
    let (blocks, _files) = blocks(1000);
    for level in [StorageLevel::MEMORY_ONLY_SER, StorageLevel::DISK_ONLY] {
        let fail = |_: &mut dyn io::Write| Err(io::Error::other("no luck"));
        let put = blocks.put_bytes(&id("a"), level, CONTEXT, 10, fail);
        assert!(matches!(put, Err(StoreError::Supplier { .. })), "{level}");
        let put = blocks.put_bytes(&id("a"), level, CONTEXT, 10, |out| fill_with(out, 9, 1));
        assert!(
            matches!(put, Err(StoreError::TooShort { written: 9, .. })),
            "{level}"
        );
        assert!(blocks.infos().is_empty());
    }
    assert_eq!(used(blocks.memory_store()), WORKSPACE);
}

#[test]
fn a_put_to_disk_may_use_the_store_in_its_source() {
    let (blocks, _files) = blocks(10_000);
    let inner = |name: &str| put(&blocks, name, StorageLevel::DISK_ONLY, 30);
    let outer = (0..5_u64).inspect(|value| {
        let name = format!("inner{value}");
        assert!(matches!(inner(&name), BlockPut::Stored(_)));
        assert_eq!(get(&blocks, &name).0, values(30));
    });
    let level = StorageLevel::DISK_ONLY;
    let put = blocks.put_values(&id("outer"), level, CONTEXT, outer, &sized(100));
    assert!(matches!(put, Ok(BlockPut::Stored(_))));
    assert_eq!(blocks.block_ids().len(), 6);
    assert_eq!(blocks.disk_store().unwrap().extra_bytes(), 0);
}

#[test]
fn a_dataset_is_removed_whole() {
    let (blocks, files) = blocks(10_000);
    for partition in 0..3 {
        let name = BlockId::rdd(Dataset::new(1), partition).to_string();
        put(&blocks, &name, StorageLevel::MEMORY_AND_DISK, 20);
        blocks.drop_from_memory(&id(&name)).unwrap();
        put(
            &blocks,
            &format!("rdd_2_{partition}"),
            StorageLevel::MEMORY_ONLY,
            20,
        );
    }
    assert_eq!(blocks.remove_dataset(Dataset::new(1)).unwrap(), 3);
    assert_eq!(blocks.remove_dataset(Dataset::new(1)).unwrap(), 0);
    let mut left: Vec<String> = blocks.block_ids().iter().map(BlockId::to_string).collect();
    left.sort();
    assert_eq!(left, ["rdd_2_0", "rdd_2_1", "rdd_2_2"]);
    assert!(files.alive() <= 1);
    check_books(blocks.memory_store(), WORKSPACE);
}

#[test]
fn what_a_task_leaves_is_returned_and_reported() {
    let (blocks, _files) = blocks(10_000);
    put(&blocks, "a", StorageLevel::MEMORY_ONLY, 20);
    let task = TaskId::new(7);
    let context = TaskContext::of(task);
    let a = blocks
        .get_values(&id("a"), context, &sized(100))
        .unwrap()
        .expect("there");
    let level = StorageLevel::MEMORY_ONLY;
    let big = blocks
        .put_values(&id("b"), level, context, 0..500_u64, &sized(100))
        .unwrap();
    let BlockPut::NotStored(partial) = big else {
        panic!("it does not fit");
    };
    let leaks = blocks.end_task(task);
    assert_eq!(leaks.locks, [(id("a"), LockKind::Read)]);
    assert!(leaks.unroll_bytes > 0 && !leaks.is_empty());
    assert_eq!(blocks.memory_store().current_unroll_memory(), 0);
    // What the task's leftovers show stays readable; the block can go, its memory is held.
    let store = Arc::clone(blocks.memory_store());
    let evicting = put(&blocks, "c", StorageLevel::MEMORY_ONLY, 95);
    assert!(
        matches!(evicting, BlockPut::NotStored(_)),
        "the reader still has the memory"
    );
    drop(evicting);
    a.for_each(|value| assert!(*value < 20)).unwrap();
    assert!(matches!(
        put(&blocks, "c", StorageLevel::MEMORY_ONLY, 95),
        BlockPut::Stored(_)
    ));
    assert!(!store.contains(&id("a")));
    drop(partial);
    check_books(&store, WORKSPACE);
    assert!(blocks.end_task(task).is_empty());
}
