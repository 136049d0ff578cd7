//! What a consumer needs in order to spill: buffers that it is sure to have.

use std::fmt;
use std::sync::Arc;

use mem_block::{AllocError, MemoryAllocator, MemoryBlock};
use mem_sync::Mutex;

use crate::charge::Charge;

/// A buffer with its bytes' charge.
struct Buffer {
    // Freed before its bytes are granted to somebody else.
    block: MemoryBlock,
    charge: Charge,
}

#[derive(Default)]
struct Buffers {
    /// By declaration; none while lent out. No place is left once the consumer has gone.
    slots: Vec<Option<Buffer>>,
    /// The task's epoch in which they were taken.
    taken_in: Option<u64>,
}

/// Where a consumer's buffers lie while nobody uses them.
pub(crate) struct Shelf {
    sizes: Vec<u64>,
    buffers: Mutex<Buffers>,
}

impl Shelf {
    pub(crate) fn new(sizes: Vec<u64>) -> Self {
        Self {
            sizes,
            buffers: Mutex::new(Buffers::default()),
        }
    }

    /// Bytes that have to be reserved before the consumer grows.
    pub(crate) fn missing(&self, epoch: u64) -> u64 {
        if self.sizes.is_empty() || self.buffers.lock().taken_in == Some(epoch) {
            return 0;
        }
        self.sizes
            .iter()
            .fold(0, |sum, size| sum.saturating_add(*size))
    }

    /// Makes the buffers, whose bytes are `charge`. Where another thread has made them meanwhile, the
    /// charge is given back.
    pub(crate) fn fill(
        &self,
        allocator: &Arc<dyn MemoryAllocator>,
        mut charge: Charge,
    ) -> Result<(), AllocError> {
        let epoch = charge.epoch;
        let make = |size: &u64| {
            let block = allocator.allocate(*size)?;
            Ok(Some(Buffer {
                block,
                charge: charge.split(*size),
            }))
        };
        let made = self.sizes.iter().map(make).collect::<Result<Vec<_>, _>>()?;
        let surplus = {
            let mut buffers = self.buffers.lock();
            if buffers.taken_in == Some(epoch) {
                made
            } else {
                buffers.taken_in = Some(epoch);
                std::mem::replace(&mut buffers.slots, made)
            }
        };
        drop(surplus);
        Ok(())
    }

    pub(crate) fn lend(shelf: &Arc<Self>) -> Vec<WorkspaceBuffer> {
        let lent = |(slot, buffer): (usize, &mut Option<Buffer>)| {
            let buffer = Some(buffer.take()?);
            Some(WorkspaceBuffer {
                shelf: Arc::clone(shelf),
                slot,
                buffer,
            })
        };
        shelf
            .buffers
            .lock()
            .slots
            .iter_mut()
            .enumerate()
            .filter_map(lent)
            .collect()
    }

    /// The consumer has gone: what lies here is freed now, what is lent out when it comes back.
    pub(crate) fn close(&self) {
        let slots = {
            let mut buffers = self.buffers.lock();
            std::mem::take(&mut buffers.slots)
        };
        drop(slots);
    }

    fn take_back(&self, slot: usize, buffer: Buffer) {
        let surplus = {
            let mut buffers = self.buffers.lock();
            let current = buffers.taken_in == Some(buffer.charge.epoch);
            match buffers.slots.get_mut(slot) {
                Some(place) if current => place.replace(buffer),
                _ => Some(buffer),
            }
        };
        drop(surplus);
    }
}

impl fmt::Debug for Shelf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shelf")
            .field("sizes", &self.sizes)
            .finish_non_exhaustive()
    }
}

/// One of the buffers that a consumer declared it needs in order to spill, lent. Dropped, it goes
/// back to be lent again.
pub struct WorkspaceBuffer {
    shelf: Arc<Shelf>,
    slot: usize,
    /// There until it is dropped.
    buffer: Option<Buffer>,
}

impl WorkspaceBuffer {
    /// Its size in bytes, as declared.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.buffer.as_ref().map_or(0, |buffer| buffer.block.len())
    }
}

impl AsRef<[u8]> for WorkspaceBuffer {
    fn as_ref(&self) -> &[u8] {
        self.buffer
            .as_ref()
            .map_or(&[], |buffer| buffer.block.as_slice())
    }
}

impl AsMut<[u8]> for WorkspaceBuffer {
    fn as_mut(&mut self) -> &mut [u8] {
        self.buffer
            .as_mut()
            .map_or(&mut [], |buffer| buffer.block.as_mut_slice())
    }
}

impl Drop for WorkspaceBuffer {
    fn drop(&mut self) {
        if let Some(buffer) = self.buffer.take() {
            self.shelf.take_back(self.slot, buffer);
        }
    }
}

impl fmt::Debug for WorkspaceBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkspaceBuffer")
            .field("bytes", &self.bytes())
            .finish_non_exhaustive()
    }
}
