//! Counters of everything that goes through one set of directories.

use mem_sync::atomic::{AtomicU64, Ordering};

/// What has gone through the files of one [`SpillDirs`](crate::SpillDirs) so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpillStats {
    /// Files created.
    pub files_created: u64,
    /// Files that still take up disk space: they, or segments in them, are alive.
    pub files_alive: u64,
    /// Blocks written.
    pub blocks_written: u64,
    /// Bytes of data written, before compression.
    pub bytes_written: u64,
    /// Bytes written to disk, headers included.
    pub stored_bytes_written: u64,
    /// Blocks read.
    pub blocks_read: u64,
    /// Bytes of data read, after decompression.
    pub bytes_read: u64,
    /// Bytes read from disk, headers included.
    pub stored_bytes_read: u64,
    /// Of the blocks read, those that read-ahead had ready when they were asked for.
    pub blocks_ready: u64,
}

/// The same, shared and counting. No counter guards anything, so all are relaxed.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    files_created: AtomicU64,
    files_dropped: AtomicU64,
    blocks_written: AtomicU64,
    bytes_written: AtomicU64,
    stored_bytes_written: AtomicU64,
    blocks_read: AtomicU64,
    bytes_read: AtomicU64,
    stored_bytes_read: AtomicU64,
    blocks_ready: AtomicU64,
}

impl Counters {
    /// Counts a file, and returns its number, from 1.
    pub(crate) fn file_created(&self) -> u64 {
        // Wraps after 2^64 files: never.
        self.files_created.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(crate) fn file_dropped(&self) {
        self.files_dropped.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn block_written(&self, data: u64, stored: u64) {
        self.blocks_written.fetch_add(1, Ordering::Relaxed);
        self.bytes_written.fetch_add(data, Ordering::Relaxed);
        self.stored_bytes_written
            .fetch_add(stored, Ordering::Relaxed);
    }

    pub(crate) fn block_read(&self, data: u64, stored: u64) {
        self.blocks_read.fetch_add(1, Ordering::Relaxed);
        self.bytes_read.fetch_add(data, Ordering::Relaxed);
        self.stored_bytes_read.fetch_add(stored, Ordering::Relaxed);
    }

    pub(crate) fn stored_read(&self, stored: u64) {
        self.stored_bytes_read.fetch_add(stored, Ordering::Relaxed);
    }

    pub(crate) fn stored_written(&self, stored: u64) {
        self.stored_bytes_written
            .fetch_add(stored, Ordering::Relaxed);
    }

    pub(crate) fn block_ready(&self) {
        self.blocks_ready.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn snapshot(&self) -> SpillStats {
        // Dropped before created: a file that comes and goes between the two loads is not missed.
        let files_dropped = self.files_dropped.load(Ordering::Relaxed);
        let files_created = self.files_created.load(Ordering::Relaxed);
        SpillStats {
            files_created,
            files_alive: files_created.saturating_sub(files_dropped),
            blocks_written: self.blocks_written.load(Ordering::Relaxed),
            bytes_written: self.bytes_written.load(Ordering::Relaxed),
            stored_bytes_written: self.stored_bytes_written.load(Ordering::Relaxed),
            blocks_read: self.blocks_read.load(Ordering::Relaxed),
            bytes_read: self.bytes_read.load(Ordering::Relaxed),
            stored_bytes_read: self.stored_bytes_read.load(Ordering::Relaxed),
            blocks_ready: self.blocks_ready.load(Ordering::Relaxed),
        }
    }
}
