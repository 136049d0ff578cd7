//! The files of the disk tier: many blocks in each.

use std::io::{self, Write};
use std::sync::{Arc, Weak};

use mem_spill::{Buffer, Encoder, Segment, SpillDirs, SpillFile, SpillWriter};
use mem_sync::Mutex;
use mem_sync::atomic::{AtomicU64, Ordering};

use super::WriteError;
use crate::block_id::BlockId;

/// Files that blocks are appended to. Each is one writer's while it writes.
///
/// A file for each block would take a descriptor for each; so a file is filled up to a size, and its
/// space is free when all its blocks are gone or have moved.
#[derive(Debug)]
pub(super) struct Files {
    dirs: SpillDirs,
    full_at: u64,
    sums: Arc<Sums>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Those that have room and no writer.
    open: Vec<OpenFile>,
    /// Those that are full, or failed.
    full: Vec<Weak<FileSpace>>,
}

#[derive(Debug)]
struct OpenFile {
    file: SpillFile,
    space: Arc<FileSpace>,
}

/// Bytes on disk in all files. Counters of statistics: what is decided by them may be a little off.
#[derive(Debug, Default)]
struct Sums {
    written: AtomicU64,
    live: AtomicU64,
}

/// What is in a file.
#[derive(Debug)]
pub(super) struct FileSpace {
    sums: Arc<Sums>,
    written: AtomicU64,
    live: AtomicU64,
    /// Blocks that were written to it; those that are not in it any more are among them.
    blocks: Mutex<Vec<BlockId>>,
}

impl FileSpace {
    pub(super) fn take_blocks(&self) -> Vec<BlockId> {
        std::mem::take(&mut *self.blocks.lock())
    }

    fn add(&self, id: &BlockId, bytes: u64) {
        for counter in [
            &self.written,
            &self.live,
            &self.sums.written,
            &self.sums.live,
        ] {
            counter.fetch_add(bytes, Ordering::Relaxed);
        }
        self.blocks.lock().push(id.clone());
    }

    fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    fn live(&self) -> u64 {
        self.live.load(Ordering::Relaxed)
    }

    fn is_wasted(&self) -> bool {
        self.live() == 0 && self.written() > 0
    }
}

impl Drop for FileSpace {
    fn drop(&mut self) {
        self.sums
            .written
            .fetch_sub(self.written(), Ordering::Relaxed);
    }
}

/// A block's place in a file, which counts as live until this is dropped.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) segment: Segment,
    pub(super) space: Arc<FileSpace>,
}

impl Drop for Stored {
    fn drop(&mut self) {
        let bytes = self.segment.stored_bytes();
        self.space.live.fetch_sub(bytes, Ordering::Relaxed);
        self.space.sums.live.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Files {
    pub(super) fn new(dirs: SpillDirs, full_at: u64) -> Self {
        Self {
            dirs,
            full_at,
            sums: Arc::default(),
            state: Mutex::default(),
        }
    }

    /// Appends a block. A file that fails is not written to again.
    pub(super) fn append<B: Buffer>(
        &self,
        id: &BlockId,
        encoder: &mut Encoder<B>,
        fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<Stored, WriteError> {
        let mut open = self.open()?;
        let mut writer = SpillWriter::new(&mut open.file, encoder);
        let filled = fill(&mut writer).map_err(WriteError::new);
        let written = filled.and_then(|()| writer.finish().map_err(WriteError::Spill));
        let space = Arc::clone(&open.space);
        if let Ok(segment) = &written {
            space.add(id, segment.stored_bytes());
        }
        let has_failed = matches!(written, Err(WriteError::Spill(_)));
        self.close(open, has_failed);
        written.map(|segment| Stored { segment, space })
    }

    /// A file with room. One in which nothing is left goes instead.
    fn open(&self) -> Result<OpenFile, WriteError> {
        loop {
            let open = self.state.lock().open.pop();
            match open {
                Some(open) if open.space.is_wasted() => drop(open),
                Some(open) => return Ok(open),
                None => break,
            }
        }
        let file = self.dirs.create().map_err(WriteError::Spill)?;
        let space = FileSpace {
            sums: Arc::clone(&self.sums),
            written: AtomicU64::new(0),
            live: AtomicU64::new(0),
            blocks: Mutex::default(),
        };
        Ok(OpenFile {
            file,
            space: Arc::new(space),
        })
    }

    fn close(&self, open: OpenFile, has_failed: bool) {
        let mut state = self.state.lock();
        if has_failed || open.file.stored_bytes() >= self.full_at {
            state.full.retain(|space| space.strong_count() > 0);
            state.full.push(Arc::downgrade(&open.space));
            drop(state);
            // The file lives on in its blocks; without any it is deleted here, outside the mutex.
            drop(open);
        } else {
            state.open.push(open);
        }
    }

    /// Whether more than half of what is on disk is of no use, and more than a file's worth.
    pub(super) fn are_wasteful(&self) -> bool {
        let live = self.sums.live.load(Ordering::Relaxed);
        let dead = self
            .sums
            .written
            .load(Ordering::Relaxed)
            .saturating_sub(live);
        dead > live.saturating_add(self.full_at)
    }

    /// Takes out the full file with the smallest part still in use, if that is not more than half.
    pub(super) fn take_emptiest(&self) -> Option<Arc<FileSpace>> {
        let full: Vec<_> = {
            let state = self.state.lock();
            state.full.iter().filter_map(Weak::upgrade).collect()
        };
        // In thousandths, of files of some megabytes.
        let part = |space: &Arc<FileSpace>| {
            let live = space.live().saturating_mul(1000);
            live.checked_div(space.written()).unwrap_or(1000)
        };
        let emptiest = full.into_iter().min_by_key(part)?;
        if part(&emptiest) > 500 {
            return None;
        }
        let others = |space: &Weak<FileSpace>| !std::ptr::eq(space.as_ptr(), &*emptiest);
        self.state.lock().full.retain(others);
        Some(emptiest)
    }
}
