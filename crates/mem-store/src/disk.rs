//! The disk tier: blocks that left memory, or never got in.

mod compaction;
mod files;
mod reader;
mod workspace;

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;

use mem_block::MemoryMode;
use mem_policy::MemoryManager;
use mem_spill::{SpillDirs, SpillError, SpillOptions, SpillStats};

use crate::block_id::BlockId;
use crate::drop_handler::{DropError, DropHandler, LeavingBlock};
use crate::error::StoreError;
use compaction::Compaction;
use files::{Files, Stored};
pub use reader::DiskReader;
use workspace::Workspace;

/// How the disk tier is made.
#[derive(Debug, Clone)]
pub struct DiskOptions {
    /// Where its files go.
    pub dirs: SpillDirs,
    /// Codec and block size of the files.
    pub spill: SpillOptions,
    /// How many blocks can be written at once; further ones wait for their turn. At least 1.
    pub writers: usize,
    /// How many blocks can be read at once in the workspace; see
    /// [`extra_bytes`](DiskStore::extra_bytes). At least 1.
    pub readers: usize,
    /// Of which memory the workspace is made. It is counted as storage memory.
    pub mode: MemoryMode,
    /// Bytes after which a new file is begun. Where more than half of what is on disk is dead, and more
    /// than this, writers move what is left of the emptiest file.
    pub file_bytes: u64,
}

impl Default for DiskOptions {
    /// The system's directory for temporary files, lz4, two writers, two readers, on heap, 64 MiB.
    fn default() -> Self {
        Self {
            dirs: SpillDirs::default(),
            spill: SpillOptions::default(),
            writers: 2,
            readers: 2,
            mode: MemoryMode::OnHeap,
            file_bytes: 64 << 20,
        }
    }
}

/// A block on disk. Its space can be given back when it and its clones are dropped.
#[derive(Debug, Clone)]
pub struct DiskCopy {
    stored: Arc<Stored>,
}

impl DiskCopy {
    /// Bytes of the block, before compression.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.stored.segment.bytes()
    }

    /// Bytes on disk.
    #[must_use]
    pub fn stored_bytes(&self) -> u64 {
        self.stored.segment.stored_bytes()
    }
}

/// Writes blocks to spill files and reads them back. Spark's class of the same name, with a
/// `DiskBlockManager`'s directories; there every block is a file of its own.
///
/// Its `Arc` is a [`DropHandler`] that keeps the blocks whose level allows the disk.
///
/// What it needs in order to write is taken when it is made: buffers from the manager's allocator,
/// counted as storage memory, the codec's own memory included. So an eviction, which happens because
/// memory is short, needs none.
pub struct DiskStore {
    files: Files,
    workspace: Workspace,
    compaction: Compaction,
    options: DiskOptions,
}

/// Why a block could not be written.
#[derive(Debug)]
pub(crate) enum WriteError {
    /// The files.
    Spill(SpillError),
    /// Whoever supplied the bytes.
    Source(io::Error),
}

impl WriteError {
    /// Tells the one from the other: writers of spill files wrap their errors.
    pub(crate) fn new(error: io::Error) -> Self {
        match error.downcast::<SpillError>() {
            Ok(spill) => Self::Spill(spill),
            Err(source) => Self::Source(source),
        }
    }

    pub(crate) fn of(self, block: &BlockId) -> StoreError {
        let block = block.clone();
        match self {
            Self::Spill(source) => StoreError::Disk { block, source },
            Self::Source(source) => StoreError::Format { block, source },
        }
    }
}

impl DiskStore {
    /// A disk tier that takes its workspace from `manager`.
    ///
    /// # Errors
    /// [`StoreError::Workspace`] where that can't be had.
    pub fn new(manager: &dyn MemoryManager, options: DiskOptions) -> Result<Arc<Self>, StoreError> {
        let workspace = Workspace::new(manager, &options)?;
        let files = Files::new(options.dirs.clone(), options.file_bytes);
        Ok(Arc::new(Self {
            files,
            workspace,
            compaction: Compaction::default(),
            options,
        }))
    }

    /// Bytes of storage memory that it holds as its workspace.
    #[must_use]
    pub fn workspace_bytes(&self) -> u64 {
        self.workspace.bytes()
    }

    /// Bytes of buffers in use now beyond the workspace. Reading back never waits for another reader
    /// and is never refused, and a put that streams to disk may use the store meanwhile; so what
    /// they lack is taken from the system, and shown here.
    #[must_use]
    pub fn extra_bytes(&self) -> u64 {
        self.workspace.extra_bytes()
    }

    /// What has gone through its files.
    #[must_use]
    pub fn stats(&self) -> SpillStats {
        self.options.dirs.stats()
    }

    /// Writes a block in the workspace. `fill` can write its bytes again, should a disk be full; it
    /// must not use the store.
    pub(crate) fn write(
        self: &Arc<Self>,
        id: &BlockId,
        fill: impl FnMut(&mut dyn Write) -> io::Result<()>,
    ) -> Result<DiskCopy, WriteError> {
        let copy = self.write_copy(id, fill)?;
        self.make_space(copy.stored_bytes());
        Ok(copy)
    }

    /// Writes a block whose bytes come from a user's code, which may use the store in turn: so not in
    /// the workspace, but in memory of its own.
    pub(crate) fn write_stream(
        self: &Arc<Self>,
        id: &BlockId,
        fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<DiskCopy, WriteError> {
        let encoder = self.workspace.extra_encoder(self.options.spill);
        let stored = self
            .files
            .append(id, &mut encoder.map_err(WriteError::Spill)?, fill)?;
        let stored = Arc::new(stored);
        self.make_space(stored.segment.stored_bytes());
        Ok(DiskCopy { stored })
    }

    fn write_copy(
        &self,
        id: &BlockId,
        mut fill: impl FnMut(&mut dyn Write) -> io::Result<()>,
    ) -> Result<DiskCopy, WriteError> {
        self.workspace.with_encoder(|encoder| {
            let directories = self.options.dirs.directories().count();
            let mut failed = 0;
            loop {
                match self.files.append(id, encoder, &mut fill) {
                    Err(WriteError::Spill(_)) if failed < directories => failed += 1,
                    other => {
                        let stored = Arc::new(other?);
                        return Ok(DiskCopy { stored });
                    }
                }
            }
        })
    }

    /// Reads a block back, from the first byte to the last.
    pub(crate) fn read(self: &Arc<Self>, copy: &DiskCopy) -> Result<DiskReader, SpillError> {
        DiskReader::new(self, &copy.stored.segment)
    }
}

/// Keeps the blocks whose level allows the disk.
impl DropHandler for Arc<DiskStore> {
    fn drop_from_memory(&self, block: &LeavingBlock<'_>) -> Result<Option<DiskCopy>, DropError> {
        if !block.level().use_disk() || block.is_on_disk() {
            return Ok(None);
        }
        let copy = self.write(block.id(), |out| block.write_to(out));
        copy.map(Some).map_err(|error| error.of(block.id()).into())
    }
}

impl fmt::Debug for DiskStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DiskStore")
            .field("options", &self.options)
            .field("workspace_bytes", &self.workspace_bytes())
            .finish_non_exhaustive()
    }
}
