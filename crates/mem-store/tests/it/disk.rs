//! Disks that are full, broken or damaged, and what is left on them.

use mem_spill::testing::FaultyFiles;
use mem_store::{
    BlockManager, BytesPut, DiskOptions, DiskStore, StorageLevel, StoreError, StoreOptions,
    TaskContext,
};

use crate::support::{
    WORKSPACE, blocks, check_books, disk_options, fill_with, id, manager, sized, used,
};

const CONTEXT: TaskContext<'static> = TaskContext {
    task: None,
    cancel: None,
};

fn put(blocks: &BlockManager, name: &str, size: u64) -> Result<BytesPut, StoreError> {
    let level = StorageLevel::MEMORY_AND_DISK_SER;
    blocks.put_bytes(&id(name), level, CONTEXT, size, |out| {
        fill_with(out, size, 7)
    })
}

fn causes(error: &dyn std::error::Error) -> String {
    let source = error.source().map(causes);
    source.map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}

#[test]
fn a_damaged_block_is_refused_and_the_error_says_where() {
    let (blocks, files) = blocks(250);
    put(&blocks, "a", 200).unwrap();
    put(&blocks, "b", 200).unwrap();
    let flipped = files.with_bytes(1, |bytes| {
        let last = bytes.last_mut().expect("a was written");
        *last ^= 1;
    });
    assert!(flipped.is_some());
    let error = blocks.get_bytes(&id("a"), CONTEXT).unwrap_err();
    assert!(matches!(error, StoreError::Disk { .. }));
    let text = causes(&error);
    assert!(text.starts_with("block a could not be written to disk or read back: the block at"));
    assert!(text.contains("CRC-32 of its payload should be"), "{text}");
    // Where there is no room it is found in reading.
    let pin = blocks.pin(&id("b"), None).unwrap();
    let found = blocks.get_bytes(&id("a"), CONTEXT);
    if let Ok(Some(found)) = found {
        assert!(matches!(found.to_vec(), Err(StoreError::Disk { .. })));
    }
    drop(pin);
    check_books(blocks.memory_store(), WORKSPACE);
    assert_eq!(
        blocks
            .get_bytes(&id("b"), CONTEXT)
            .unwrap()
            .unwrap()
            .to_vec()
            .unwrap(),
        [7; 200]
    );
}

#[test]
fn damaged_values_are_refused_too() {
    let (blocks, files) = blocks(5000);
    let (format, level) = (sized(100), StorageLevel::MEMORY_AND_DISK);
    let put = blocks.put_values(&id("a"), level, CONTEXT, 0..40_u64, &format);
    assert!(put.is_ok());
    assert_eq!(
        blocks.drop_from_memory(&id("a")).unwrap(),
        Some(StorageLevel::DISK_ONLY)
    );
    files.with_bytes(1, |bytes| bytes.truncate(2000));
    let error = blocks.get_values(&id("a"), CONTEXT, &format).unwrap_err();
    assert!(matches!(error, StoreError::Disk { .. }), "{error:?}");
    assert_eq!(used(blocks.memory_store()), WORKSPACE);
    // Straight from disk, the values before the damage come first.
    let pinned = put_and_pin(&blocks, "b", 4600);
    let values = blocks
        .get_values(&id("a"), CONTEXT, &format)
        .unwrap()
        .unwrap();
    let mut seen = 0;
    let error = values.for_each(|_| seen += 1).unwrap_err();
    assert!(matches!(error, StoreError::Disk { .. }) && seen > 0 && seen < 40);
    drop(pinned);
    check_books(blocks.memory_store(), WORKSPACE);
}

fn put_and_pin(blocks: &BlockManager, name: &str, size: u64) -> Option<mem_store::ReadGuard> {
    put(blocks, name, size).expect("nothing fails");
    blocks.pin(&id(name), None).expect("nothing fails")
}

#[test]
fn a_full_disk_fails_whoever_wants_room_and_nothing_else() {
    let (blocks, files) = blocks(250);
    put(&blocks, "a", 200).unwrap();
    files.limit_disk(100);
    let error = put(&blocks, "b", 200).unwrap_err();
    assert!(matches!(error, StoreError::Evict { .. }));
    assert!(
        causes(&error).contains("could not write"),
        "{}",
        causes(&error)
    );
    let a = blocks
        .get_bytes(&id("a"), CONTEXT)
        .unwrap()
        .expect("it stayed");
    assert!(a.is_in_memory());
    drop(a);
    assert!(blocks.status(&id("b")).is_none());
    check_books(blocks.memory_store(), WORKSPACE);
    // With room on the disk again it works.
    files.limit_disk(1 << 20);
    assert!(matches!(put(&blocks, "b", 200), Ok(BytesPut::Stored(_))));
}

#[test]
fn a_directory_that_fails_is_left_for_another() {
    let (blocks, files) = blocks(250);
    files.hook(|access| match access.write && access.file == 1 {
        true => Err(28),
        false => Ok(()),
    });
    put(&blocks, "a", 200).unwrap();
    put(&blocks, "b", 200).unwrap();
    let a = blocks.status(&id("a")).expect("it is on the other disk");
    assert_eq!((a.level, a.disk_bytes), (StorageLevel::DISK_ONLY, 200));
    assert_eq!(files.alive(), 1, "the file that failed is gone");
}

#[test]
fn a_get_does_not_fail_because_others_could_not_be_evicted() {
    let (blocks, files) = blocks(250);
    put(&blocks, "a", 200).unwrap();
    put(&blocks, "b", 200).unwrap();
    files.limit_disk(0);
    let a = blocks
        .get_bytes(&id("a"), CONTEXT)
        .unwrap()
        .expect("it is on disk");
    assert!(!a.is_in_memory());
    assert_eq!(a.to_vec().unwrap(), [7; 200]);
    assert!(blocks.memory_store().contains(&id("b")));
}

#[test]
fn many_blocks_share_a_file_and_it_goes_with_the_last() {
    let files = FaultyFiles::default();
    let disk = DiskOptions {
        file_bytes: 2000,
        ..disk_options(&files)
    };
    let blocks = BlockManager::new(manager(5000), StoreOptions::default(), Some(disk)).unwrap();
    let name = |number: u64| format!("test_{number}");
    for number in 0..20 {
        let level = StorageLevel::DISK_ONLY;
        let put = blocks.put_bytes(&id(&name(number)), level, CONTEXT, 400, |out| {
            fill_with(out, 400, 1)
        });
        assert!(matches!(put, Ok(BytesPut::Stored(_))));
    }
    let full = files.alive();
    assert!((4..=5).contains(&full), "{full}");
    let stats = blocks.memory_store().stats();
    assert_eq!(
        (stats.blocks, stats.blocks_on_disk, stats.disk_bytes),
        (0, 20, 8000)
    );
    for number in 0..20 {
        assert!(blocks.remove(&id(&name(number))).unwrap());
    }
    assert!(files.alive() <= 1, "only one can still be written to");
    let disk = blocks.disk_store().expect("there is one");
    assert_eq!((disk.workspace_bytes(), disk.extra_bytes()), (WORKSPACE, 0));
    let manager = blocks.memory_store().manager().clone();
    drop(blocks);
    assert_eq!(files.alive(), 0);
    assert_eq!(manager.ledger().snapshot().on_heap.storage_used, 0);
}

#[test]
fn without_memory_for_the_workspace_there_is_no_disk_tier() {
    let files = FaultyFiles::default();
    let small = manager(WORKSPACE - 1);
    let error = DiskStore::new(&*small, disk_options(&files)).unwrap_err();
    let text = causes(&error);
    assert!(
        text.contains("could not be had: 2048 bytes: refused 2048 bytes"),
        "{text}"
    );
    assert_eq!(small.ledger().snapshot().on_heap.storage_used, 0);
}

#[test]
fn readers_beyond_the_workspace_do_not_wait_for_each_other() {
    let (blocks, _files) = blocks(500);
    let level = StorageLevel::DISK_ONLY;
    let put = blocks.put_bytes(&id("a"), level, CONTEXT, 3000, |out| {
        fill_with(out, 3000, 1)
    });
    assert!(put.is_ok());
    let disk = blocks.disk_store().expect("there is one");
    let a = blocks.get_bytes(&id("a"), CONTEXT).unwrap().unwrap();
    let readers: Vec<_> = (0..3).map(|_| a.reader().unwrap()).collect();
    assert_eq!(
        disk.extra_bytes(),
        2 * 1024,
        "the workspace has room for one"
    );
    drop(readers);
    assert_eq!(disk.extra_bytes(), 0);
    assert_eq!(a.to_vec().unwrap(), [1; 3000]);
}

#[test]
fn what_removed_blocks_leave_on_disk_is_given_back() {
    let files = FaultyFiles::default();
    let disk = DiskOptions {
        file_bytes: 4000,
        ..disk_options(&files)
    };
    let blocks = BlockManager::new(manager(5000), StoreOptions::default(), Some(disk)).unwrap();
    let name = |number: u64| id(&format!("test_{number}"));
    let put = |number| {
        let level = StorageLevel::DISK_ONLY;
        let fill = u8::try_from(number % 251).unwrap();
        let put = blocks.put_bytes(&name(number), level, CONTEXT, 300, |out| {
            fill_with(out, 300, fill)
        });
        assert!(matches!(put, Ok(BytesPut::Stored(_))));
    };
    // One block in ten stays: each file keeps some.
    for number in 0..2000 {
        put(number);
        if number % 10 != 0 {
            assert!(blocks.remove(&name(number)).unwrap());
        }
    }
    let stats = blocks.memory_store().stats();
    let alive = u64::try_from(files.alive()).unwrap();
    assert_eq!((stats.blocks_on_disk, stats.disk_bytes), (200, 60_000));
    // About twice what is in use, not all that was written.
    assert!(alive * 4000 < 3 * stats.disk_bytes, "{alive} files");
    for number in (0..2000).step_by(10) {
        let found = blocks
            .get_bytes(&name(number), CONTEXT)
            .unwrap()
            .expect("it stays");
        let fill = u8::try_from(number % 251).unwrap();
        assert_eq!(found.to_vec().unwrap(), [fill; 300]);
    }
}
