//! Blocks on their way to disk: a get finds them where they are, whole, and without waiting.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use mem_pool::{Ask, TaskId};
use mem_spill::testing::FaultyFiles;
use mem_store::{BlockBytes, BlockManager, BytesPut, StorageLevel, TaskContext};
use mem_sync::{Mutex, thread};

use crate::support::{ON, WORKSPACE, blocks, check_books, fill_with, id, used};

/// A disk on which every write waits until it is let go on.
struct SlowDisk {
    started: Receiver<()>,
    go_on: Sender<()>,
}

impl SlowDisk {
    fn new(files: &FaultyFiles) -> Self {
        let ((start, started), (go_on, going_on)) = (channel(), channel());
        let gate = Mutex::new((start, going_on));
        files.hook(move |access| {
            let gate = gate.lock();
            // Without a test at the other end it goes on.
            if access.write && gate.0.send(()).is_ok() {
                gate.1.recv().unwrap_or_default();
            }
            Ok(())
        });
        Self { started, go_on }
    }

    fn wait_for_write(&self) {
        self.started.recv().expect("the disk is there");
    }

    fn finish_write(&self) {
        self.go_on.send(()).expect("the disk is there");
    }
}

fn put(blocks: &BlockManager, name: &str, size: u64, fill: u8) -> BytesPut {
    let level = StorageLevel::MEMORY_AND_DISK_SER;
    let context = TaskContext::default();
    let put = blocks.put_bytes(&id(name), level, context, size, |out| {
        fill_with(out, size, fill)
    });
    put.expect("nothing fails")
}

fn get(blocks: &BlockManager, name: &str) -> BlockBytes {
    let found = blocks
        .get_bytes(&id(name), TaskContext::default())
        .expect("nothing fails");
    found.expect("it is somewhere")
}

fn level(blocks: &BlockManager, name: &str) -> StorageLevel {
    blocks
        .status(&id(name))
        .map_or(StorageLevel::NONE, |status| status.level)
}

/// Two blocks of 100 bytes in 250, a third that evicts the first, and a disk that is slow.
struct Scene {
    blocks: Arc<BlockManager>,
    files: FaultyFiles,
}

impl Scene {
    fn new() -> Self {
        let (blocks, files) = blocks(250);
        put(&blocks, "a", 100, 1);
        put(&blocks, "b", 100, 2);
        Self {
            blocks: Arc::new(blocks),
            files,
        }
    }

    /// Puts the third, and does `meanwhile` while the first is being written.
    fn evict(&self, meanwhile: impl FnOnce(&BlockManager)) -> BytesPut {
        let disk = SlowDisk::new(&self.files);
        thread::scope(|scope| {
            let putting = scope.spawn(|| put(&self.blocks, "c", 100, 3));
            disk.wait_for_write();
            meanwhile(&self.blocks);
            disk.finish_write();
            drop(disk);
            putting.join().expect("it does not panic")
        })
    }
}

#[test]
fn a_block_that_is_got_while_it_is_written_stays_and_another_goes() {
    let scene = Scene::new();
    let mut reading = None;
    let stored = scene.evict(|blocks| {
        let bytes = get(blocks, "a");
        assert!(bytes.is_in_memory());
        assert_eq!(bytes.to_vec().unwrap(), [1; 100]);
        reading = Some(bytes);
    });
    assert!(matches!(stored, BytesPut::Stored(_)));
    let blocks = &scene.blocks;
    // The copy on disk is good, and saves the next write.
    assert_eq!(level(blocks, "a"), StorageLevel::MEMORY_AND_DISK_SER);
    assert_eq!(level(blocks, "b"), StorageLevel::DISK_ONLY);
    assert_eq!(level(blocks, "c"), StorageLevel::MEMORY_ONLY_SER);
    assert_eq!(reading.expect("got").to_vec().unwrap(), [1; 100]);
    check_books(blocks.memory_store(), WORKSPACE);
    let written = blocks
        .disk_store()
        .expect("there is one")
        .stats()
        .blocks_written;
    put(blocks, "d", 100, 4);
    put(blocks, "e", 100, 5);
    assert_eq!(level(blocks, "a"), StorageLevel::DISK_ONLY);
    let after = blocks
        .disk_store()
        .expect("there is one")
        .stats()
        .blocks_written;
    assert_eq!(after - written, 1, "the one of c, not of a again");
}

#[test]
fn a_block_that_was_got_and_let_go_of_in_time_leaves() {
    let scene = Scene::new();
    scene.evict(|blocks| assert_eq!(get(blocks, "a").to_vec().unwrap(), [1; 100]));
    let blocks = &scene.blocks;
    assert_eq!(level(blocks, "a"), StorageLevel::DISK_ONLY);
    assert_eq!(level(blocks, "b"), StorageLevel::MEMORY_ONLY_SER);
    check_books(blocks.memory_store(), WORKSPACE);
}

#[test]
fn where_all_are_read_meanwhile_the_request_is_refused_and_nothing_is_lost() {
    let scene = Scene::new();
    let mut reading = Vec::new();
    let stored = scene.evict(|blocks| {
        reading.push(get(blocks, "a"));
        reading.push(get(blocks, "b"));
    });
    let BytesPut::Stored(status) = stored else {
        panic!("{stored:?}");
    };
    assert_eq!(status.level, StorageLevel::DISK_ONLY, "there was no room");
    let blocks = &scene.blocks;
    assert!(blocks.memory_store().contains(&id("a")) && blocks.memory_store().contains(&id("b")));
    assert_eq!(get(blocks, "c").to_vec().unwrap(), [3; 100]);
    check_books(blocks.memory_store(), WORKSPACE);
}

#[test]
fn a_block_that_is_removed_while_it_is_written_is_gone_from_the_disk_too() {
    let scene = Scene::new();
    scene.evict(|blocks| {
        assert!(blocks.remove(&id("a")).unwrap());
        assert!(
            blocks
                .get_bytes(&id("a"), TaskContext::default())
                .unwrap()
                .is_none()
        );
        // A new one of the name is another block.
        assert!(matches!(put(blocks, "a", 0, 9), BytesPut::Stored(_)));
    });
    let blocks = &scene.blocks;
    assert!(get(blocks, "a").is_empty());
    assert_eq!(level(blocks, "a"), StorageLevel::MEMORY_ONLY_SER);
    assert_eq!(blocks.memory_store().stats().blocks_on_disk, 0);
    check_books(blocks.memory_store(), WORKSPACE);
}

#[test]
fn execution_that_needs_no_eviction_does_not_wait_for_one() {
    let (blocks, files) = blocks(1000);
    // Storage is full up to what execution holds; the put below evicts.
    let ledger = Arc::clone(blocks.memory_store().manager().ledger());
    let held = ledger
        .try_acquire(Ask::execution(TaskId::new(1), ON, 400))
        .unwrap();
    put(&blocks, "a", 300, 1);
    put(&blocks, "b", 300, 2);
    let disk = SlowDisk::new(&files);
    thread::scope(|scope| {
        let putting = scope.spawn(|| put(&blocks, "c", 300, 3));
        disk.wait_for_write();
        drop(held);
        let granted = ledger
            .try_acquire(Ask::execution(TaskId::new(2), ON, 200))
            .unwrap();
        assert_eq!(granted.bytes(), 200);
        disk.finish_write();
        drop(disk);
        assert!(matches!(
            putting.join().expect("it does not panic"),
            BytesPut::Stored(_)
        ));
    });
    assert_eq!(used(blocks.memory_store()), WORKSPACE + 600);
    check_books(blocks.memory_store(), WORKSPACE);
}

#[test]
fn a_block_that_somebody_is_bringing_back_is_read_from_disk_by_others() {
    let scene = Scene::new();
    scene.blocks.drop_from_memory(&id("a")).unwrap();
    let ((start, started), (go_on, going_on)) = (channel(), channel());
    let gate = Mutex::new(Some((start, going_on)));
    scene.files.hook(move |access| {
        // The first read waits.
        let first = if access.write {
            None
        } else {
            gate.lock().take()
        };
        if let Some((start, going_on)) = first {
            start.send(()).unwrap_or_default();
            going_on.recv().unwrap_or_default();
        }
        Ok(())
    });
    let blocks = &scene.blocks;
    thread::scope(|scope| {
        let first = scope.spawn(|| get(blocks, "a"));
        started.recv().unwrap();
        let second = get(blocks, "a");
        assert!(!second.is_in_memory());
        assert_eq!(second.to_vec().unwrap(), [1; 100]);
        assert_eq!(
            used(blocks.memory_store()),
            WORKSPACE + 200,
            "once for both"
        );
        go_on.send(()).unwrap();
        assert!(first.join().unwrap().is_in_memory());
    });
    check_books(blocks.memory_store(), WORKSPACE);
}

#[test]
fn two_evictions_at_once_take_different_blocks() {
    let scene = Scene::new();
    let mut second = None;
    scene.evict(|blocks| {
        let pinned = blocks.pin(&id("b"), None).unwrap();
        let level = StorageLevel::MEMORY_ONLY_SER;
        let context = TaskContext::default();
        let refused = blocks.put_bytes(&id("d"), level, context, 100, |out| fill_with(out, 100, 4));
        second = Some(refused.unwrap());
        drop(pinned);
    });
    assert_eq!(
        second,
        Some(BytesPut::NotStored),
        "the first is taken, the second is pinned"
    );
    check_books(scene.blocks.memory_store(), WORKSPACE);
}
