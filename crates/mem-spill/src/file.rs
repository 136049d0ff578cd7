//! A spill file and the segments in it.

use crate::dirs::Directory;
use crate::error::{Corruption, Place, SpillError};
use crate::options::SpillOptions;
use crate::output::directory_of;
use crate::stats::Counters;
use crate::storage::{Patience, Storage, SystemFile, read_fully, write_fully};
use crate::stretch::{Contents, Stretch};
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// A file without a name, to which segments are appended one after the other.
///
/// Its disk space is given back when it and every [`Segment`] in it have been dropped. That drop is
/// a file deletion: 100 ms for some gigabytes is usual, so do it where nobody waits.
///
/// Spark's counterpart: a `TempShuffleBlockId` or `TempLocalBlockId` and its file.
#[derive(Debug)]
pub struct SpillFile {
    shared: Arc<SharedFile>,
    /// Where the next segment begins, in bytes.
    end: u64,
}

impl SpillFile {
    pub(crate) fn new(
        storage: Box<dyn Storage>,
        directory: Arc<Directory>,
        name: Option<OsString>,
        counters: Arc<Counters>,
    ) -> Self {
        let number = counters.file_created();
        Self {
            shared: Arc::new(SharedFile {
                storage,
                directory,
                name,
                number,
                counters,
            }),
            end: 0,
        }
    }

    /// A file that has a name: a result that segments are copied or written to, from its beginning,
    /// or one that was made so and is read. `path` is what errors call it.
    #[must_use]
    pub fn named(file: File, path: &Path) -> Self {
        let directory = Directory::new(directory_of(path).to_owned());
        let name = path.file_name().map(ToOwned::to_owned);
        Self::new(
            Box::new(SystemFile::new(file)),
            directory,
            name,
            Arc::default(),
        )
    }

    /// The bytes on disk from `stored.start` to `stored.end`, which need not be there yet.
    #[must_use]
    pub fn stretch(&self, stored: Range<u64>) -> Stretch {
        Stretch::new(Arc::clone(&self.shared), stored)
    }

    /// The directory that it is in, without a name.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.shared.directory.path()
    }

    /// The bytes on disk of its finished segments.
    #[must_use]
    pub fn stored_bytes(&self) -> u64 {
        self.end
    }

    pub(crate) fn shared(&self) -> &Arc<SharedFile> {
        &self.shared
    }

    /// Takes over a finished segment, which began at the end so far.
    pub(crate) fn append(
        &mut self,
        stored_bytes: u64,
        bytes: u64,
        blocks: u64,
        options: SpillOptions,
    ) -> Segment {
        let offset = self.end;
        // File offsets are below 2^63, the system has refused to write beyond.
        self.end += stored_bytes;
        Segment {
            file: Arc::clone(&self.shared),
            offset,
            stored_bytes,
            bytes,
            blocks,
            first_block: 0,
            options,
            joined: false,
        }
    }

    /// Takes over bytes on disk that were written at the end so far.
    pub(crate) fn append_stored(&mut self, stored_bytes: u64) {
        self.end += stored_bytes;
    }
}

/// A finished stretch of a [`SpillFile`]: what one [`SpillWriter`](crate::SpillWriter) wrote, a
/// sorted run or a partition. It keeps the file alive. Cloning is cheap.
///
/// Spark's counterpart: `FileSegment`, and `SpillInfo` with its partition lengths.
#[derive(Clone, Debug)]
pub struct Segment {
    file: Arc<SharedFile>,
    offset: u64,
    stored_bytes: u64,
    bytes: u64,
    blocks: u64,
    /// The number of its first block: not 0 where it is the rest of another.
    first_block: u64,
    options: SpillOptions,
    /// Several, end to end.
    joined: bool,
}

impl Segment {
    /// Segments that lie end to end in a stretch, as one.
    pub(crate) fn joined(
        file: Arc<SharedFile>,
        stored: Range<u64>,
        contents: &Contents,
        options: SpillOptions,
    ) -> Self {
        Self {
            file,
            offset: stored.start,
            stored_bytes: stored.end.saturating_sub(stored.start),
            bytes: contents.bytes,
            blocks: contents.blocks,
            first_block: 0,
            options,
            joined: true,
        }
    }

    pub(crate) fn is_joined(&self) -> bool {
        self.joined
    }

    /// The number of its first block.
    pub(crate) fn first_block(&self) -> u64 {
        self.first_block
    }

    /// What of it begins with the block that `place` is in. A place of another segment gives
    /// something that reading finds to be corrupt.
    ///
    /// Spark's counterpart: none, it merges all of a spill file in one thread.
    #[must_use]
    pub fn rest(&self, place: BlockPlace) -> Self {
        Self {
            offset: self.offset.saturating_add(place.stored),
            stored_bytes: self.stored_bytes.saturating_sub(place.stored),
            bytes: self.bytes.saturating_sub(place.bytes),
            blocks: self.blocks.saturating_sub(place.block),
            first_block: self.first_block.saturating_add(place.block),
            ..self.clone()
        }
    }

    /// Where it begins in its file, in bytes.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Its length on disk, in bytes, headers included.
    #[must_use]
    pub fn stored_bytes(&self) -> u64 {
        self.stored_bytes
    }

    /// The length of the data in it, in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The number of blocks that it consists of.
    #[must_use]
    pub fn blocks(&self) -> u64 {
        self.blocks
    }

    /// Its bytes on disk.
    #[must_use]
    pub fn stretch(&self) -> Stretch {
        // Both were offsets in a file that was written, below 2^63.
        let stored = self.offset..self.offset + self.stored_bytes;
        Stretch::new(Arc::clone(&self.file), stored)
    }

    /// What it was written with.
    #[must_use]
    pub fn options(&self) -> SpillOptions {
        self.options
    }

    pub(crate) fn file(&self) -> &Arc<SharedFile> {
        &self.file
    }
}

/// A place in a segment that is being written, to begin reading at later: see [`Segment::rest`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockPlace {
    /// The blocks before the one that it is in.
    pub(crate) block: u64,
    /// Their bytes on disk.
    pub(crate) stored: u64,
    /// Their bytes of data.
    pub(crate) bytes: u64,
    /// Bytes of data before it in its block.
    pub(crate) within: usize,
}

impl BlockPlace {
    /// The blocks of its segment before the one that it is in.
    #[must_use]
    pub fn block(&self) -> u64 {
        self.block
    }

    /// Bytes of data before it in its block.
    #[must_use]
    pub fn within(&self) -> usize {
        self.within
    }

    /// Bytes of data before it in its segment.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes + self.within as u64
    }
}

/// The part of a spill file that its segments share with it.
#[derive(Debug)]
pub(crate) struct SharedFile {
    storage: Box<dyn Storage>,
    directory: Arc<Directory>,
    name: Option<OsString>,
    number: u64,
    counters: Arc<Counters>,
}

impl SharedFile {
    pub(crate) fn counters(&self) -> &Counters {
        &self.counters
    }

    pub(crate) fn place(&self, offset: u64) -> Place {
        Place {
            directory: self.directory.path().to_owned(),
            name: self.name.clone(),
            file: self.number,
            offset,
        }
    }

    pub(crate) fn corrupt(&self, offset: u64, found: Corruption) -> SpillError {
        SpillError::Corrupt {
            place: self.place(offset),
            found,
        }
    }

    /// Writes all of `bytes`. A failure has new files go to other directories.
    pub(crate) fn write(&self, bytes: &[u8], offset: u64) -> Result<(), SpillError> {
        write_fully(&*self.storage, bytes, offset).map_err(|source| {
            self.directory.mark_failed();
            self.failed("write", bytes.len(), offset, source)
        })
    }

    /// Fills `room`; returns fewer bytes than it has only where the file ends.
    pub(crate) fn read(
        &self,
        room: &mut [u8],
        offset: u64,
        patience: Patience,
    ) -> Result<usize, SpillError> {
        read_fully(&*self.storage, room, offset, patience)
            .map_err(|source| self.failed("read", room.len(), offset, source))
    }

    /// Cuts off what an unfinished segment wrote. Should that fail, the bytes are overwritten by
    /// the next segment or go with the file.
    pub(crate) fn cut(&self, length: u64) {
        self.storage.truncate(length).unwrap_or_default();
    }

    pub(crate) fn will_need(&self, offset: u64, length: u64) {
        self.storage.will_need(offset, length);
    }

    pub(crate) fn release(&self, bytes: Range<u64>) {
        let length = bytes.end.saturating_sub(bytes.start);
        self.storage.release(bytes.start, length);
    }

    fn failed(
        &self,
        action: &'static str,
        length: usize,
        offset: u64,
        source: io::Error,
    ) -> SpillError {
        SpillError::Io {
            action,
            length,
            place: self.place(offset),
            source,
        }
    }
}

impl Drop for SharedFile {
    fn drop(&mut self) {
        self.directory.clear_failed();
        self.counters.file_dropped();
    }
}
