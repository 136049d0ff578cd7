//! Reading a block back from disk.

use std::fmt;
use std::io::{self, BufRead, Read};
use std::sync::Arc;

use mem_spill::{Segment, SpillError, SpillReader};

use super::DiskStore;
use super::workspace::Room;

/// Reads a block on disk, from the first byte to the last. The bytes are checked on the way; an error
/// of kind `InvalidData` says what is wrong with them, and where.
pub struct DiskReader {
    store: Arc<DiskStore>,
    /// Taken on drop.
    reader: Option<SpillReader<Room>>,
}

impl DiskReader {
    pub(super) fn new(store: &Arc<DiskStore>, segment: &Segment) -> Result<Self, SpillError> {
        let workspace = &store.workspace;
        let block = workspace.take_reader_block();
        let reader = SpillReader::new(segment, workspace.decoders(), block)?;
        Ok(Self {
            store: Arc::clone(store),
            reader: Some(reader),
        })
    }

    fn reader(&mut self) -> &mut SpillReader<Room> {
        self.reader.as_mut().expect("taken on drop only")
    }
}

impl Read for DiskReader {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        self.reader().read(room)
    }
}

impl BufRead for DiskReader {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.reader().fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.reader().consume(amount);
    }
}

impl Drop for DiskReader {
    fn drop(&mut self) {
        let buffers = self.reader.take().map(SpillReader::into_buffers);
        for room in buffers.into_iter().flatten() {
            self.store.workspace.put_reader_block(room);
        }
    }
}

impl fmt::Debug for DiskReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DiskReader")
            .field("reader", &self.reader)
            .finish_non_exhaustive()
    }
}
