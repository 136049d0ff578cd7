//! A handler that fails half-way: Spark's scenario B11 (SPARK-22083).

use std::error::Error;
use std::sync::{Arc, OnceLock, Weak};

use mem_pool::Dataset;
use mem_spill::testing::FaultyFiles;
use mem_store::{
    BlockId, BlockInfoManager, BlockManager, BytesPut, DiskCopy, DropError, DropHandler,
    LeavingBlock, ReadGuard, StorageLevel, StoreError, StoreOptions, TaskContext,
};
use mem_sync::Mutex;

use crate::support::{WORKSPACE, check_books, disk_options, fill_with, manager};

/// Lets `limit` blocks go, then fails. Takes a read lock on each that went to disk, as another thread
/// would.
#[derive(Debug)]
struct Failing {
    limit: usize,
    locks: bool,
    infos: OnceLock<Weak<BlockInfoManager>>,
    dropped: Mutex<Vec<BlockId>>,
    readers: Mutex<Vec<ReadGuard>>,
}

impl DropHandler for Failing {
    fn drop_from_memory(&self, _block: &LeavingBlock<'_>) -> Result<Option<DiskCopy>, DropError> {
        match self.dropped.lock().len() < self.limit {
            true => Ok(None),
            false => Err(format!("no more after {}", self.limit).into()),
        }
    }

    fn dropped(&self, block: &BlockId) {
        self.dropped.lock().push(block.clone());
        if self.locks {
            let infos = self
                .infos
                .get()
                .and_then(Weak::upgrade)
                .expect("the store is there");
            let reader = infos
                .try_lock_for_reading(block, None)
                .expect("it is on disk");
            self.readers.lock().push(reader);
        }
    }
}

fn put(blocks: &BlockManager, id: &BlockId, size: u64) -> Result<BytesPut, StoreError> {
    let level = match blocks.disk_store() {
        Some(_) => StorageLevel::MEMORY_AND_DISK_SER,
        None => StorageLevel::MEMORY_ONLY_SER,
    };
    blocks.put_bytes(id, level, TaskContext::default(), size, |out| {
        fill_with(out, size, 1)
    })
}

fn root(error: &StoreError) -> String {
    let mut cause: &dyn Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

fn check(limit: usize, on_disk: bool) {
    let handler = Arc::new(Failing {
        limit,
        locks: on_disk,
        infos: OnceLock::new(),
        dropped: Mutex::default(),
        readers: Mutex::default(),
    });
    let options = StoreOptions {
        drop_handler: handler.clone(),
        ..StoreOptions::default()
    };
    let disk = on_disk.then(|| disk_options(&FaultyFiles::default()));
    let workspace = if on_disk { WORKSPACE } else { 0 };
    let blocks = BlockManager::new(manager(100 + workspace), options, disk).expect("nothing fails");
    let infos = blocks.infos();
    handler.infos.set(Arc::downgrade(infos)).expect("set once");
    let block = |partition| BlockId::rdd(Dataset::new(1), partition);
    for partition in 0..10 {
        put(&blocks, &block(partition), 10).expect("nothing fails");
    }

    let outcome = put(&blocks, &BlockId::rdd(Dataset::new(2), 0), 100);
    let all = limit == 10;
    match outcome {
        Ok(put) => assert!(all && matches!(put, BytesPut::Stored(_))),
        Err(error) => {
            assert!(!all && matches!(error, StoreError::Evict { .. }));
            assert_eq!(root(&error), format!("no more after {limit}"));
        }
    }
    let store = blocks.memory_store();
    for partition in 0..10 {
        let (id, is_dropped) = (
            block(partition),
            partition < u64::try_from(limit).expect("nothing fails"),
        );
        assert!(!infos.is_being_written(&id), "no writer is left");
        assert_eq!(
            store.contains(&id),
            !is_dropped,
            "in the order of their use"
        );
        let readers = if is_dropped {
            on_disk.then_some(1)
        } else {
            Some(0)
        };
        assert_eq!(infos.readers(&id), readers);
    }
    let big = usize::from(all);
    assert_eq!(
        store.stats().blocks,
        u64::try_from(10 - limit + big).expect("nothing fails")
    );
    assert_eq!(infos.len(), 10 - if on_disk { 0 } else { limit } + big);
    check_books(store, workspace);
    handler.readers.lock().clear();
}

#[test]
fn b11_a_drop_that_fails_leaves_no_locks() {
    for limit in [0, 3, 10] {
        check(limit, false);
        check(limit, true);
    }
}
