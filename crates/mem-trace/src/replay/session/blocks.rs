//! The blocks of a trace, in a real block store.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::io::{self, BufRead, Write};
use std::sync::Arc;

use mem_block::MemoryAllocator;
use mem_policy::MemoryManager;
use mem_store::{
    BlockId, DiskCopy, DropError, DropHandler, LeavingBlock, MemoryStore, PartiallySerializedBlock,
    PartiallyUnrolledIterator, ReadGuard, SizeTracker, StoreError, StoreOptions, ValueFormat,
};

use super::journal::Journal;

/// The store, the blocks that are pinned, and those that did not fit.
pub(super) struct Blocks {
    pub(super) store: Arc<MemoryStore>,
    pub(super) pins: BTreeMap<BlockId, Vec<ReadGuard>>,
    pub(super) partial: BTreeMap<BlockId, Partial>,
}

/// A block that did not fit, until it is closed or drained.
pub(super) enum Partial {
    /// Of values.
    Values(PartiallyUnrolledIterator<Element, Elements>),
    /// Of bytes.
    Bytes(PartiallySerializedBlock<Element, Elements>),
}

impl Blocks {
    /// No blocks yet.
    pub(super) fn new(
        manager: &Arc<dyn MemoryManager>,
        allocators: &[Arc<dyn MemoryAllocator>; 2],
        journal: &Journal,
    ) -> Result<Self, StoreError> {
        let options = StoreOptions {
            drop_handler: Arc::new(Observed(journal.clone())),
            allocators: Some(allocators.each_ref().map(Arc::clone)),
            release_then_acquire: true,
            lock_timeout: None,
        };
        let store = MemoryStore::new(Arc::clone(manager), options)?;
        Ok(Self {
            store,
            pins: BTreeMap::new(),
            partial: BTreeMap::new(),
        })
    }
}

impl fmt::Debug for Blocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let partial: Vec<_> = self.partial.keys().collect();
        f.debug_struct("Blocks")
            .field("store", &self.store)
            .field("pins", &self.pins)
            .field("partial", &partial)
            .finish()
    }
}

/// Forgets evicted blocks, and writes down that they went.
#[derive(Debug)]
struct Observed(Journal);

impl DropHandler for Observed {
    fn drop_from_memory(&self, _: &LeavingBlock<'_>) -> Result<Option<DiskCopy>, DropError> {
        Ok(None)
    }

    fn dropped(&self, block: &BlockId) {
        self.0.evicted(block.to_string());
    }
}

/// One element of a block: nothing but its size in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Element {
    size: u64,
}

/// The elements of a block that is put: the first of `size` bytes, each next one `step` larger.
#[derive(Debug, Clone)]
pub(super) struct Elements {
    pub(super) left: u64,
    pub(super) size: i64,
    pub(super) step: i64,
}

impl Iterator for Elements {
    type Item = Element;

    fn next(&mut self) -> Option<Element> {
        self.left = self.left.checked_sub(1)?;
        let size = u64::try_from(self.size).unwrap_or(0);
        self.size = self.size.saturating_add(self.step);
        Some(Element { size })
    }
}

/// What a block of a trace costs, as the trace has it: it depends on how the recording machine lays
/// out objects.
#[derive(Debug)]
pub(super) struct Recorded {
    estimates: VecDeque<i64>,
    precise: i64,
}

impl Recorded {
    pub(super) fn new(estimates: &[i64], precise: i64) -> Self {
        Self {
            estimates: estimates.iter().copied().collect(),
            precise,
        }
    }
}

impl SizeTracker<Element> for Recorded {
    fn add(&mut self, _: &Element, _: Option<u64>) {}

    fn estimate(&mut self) -> u64 {
        u64::try_from(self.estimates.pop_front().unwrap_or(0)).unwrap_or(0)
    }

    fn precise(&mut self) -> u64 {
        u64::try_from(self.precise).unwrap_or(0)
    }
}

/// Elements as bytes: as many as they are large. They are never read back.
#[derive(Debug)]
pub(super) struct Zeros;

impl ValueFormat<Element> for Zeros {
    fn cost(&self, value: &Element) -> u64 {
        value.size
    }

    fn write(&self, value: &Element, out: &mut dyn Write) -> io::Result<()> {
        let zeros = [0; 4096];
        let mut left = value.size;
        while left > 0 {
            let piece = left.min(4096);
            out.write_all(&zeros[..usize::try_from(piece).unwrap_or(0)])?;
            left = left.saturating_sub(piece);
        }
        Ok(())
    }

    fn read(&self, _: &mut dyn BufRead) -> io::Result<Option<Element>> {
        Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "elements without contents can't be read",
        ))
    }
}
