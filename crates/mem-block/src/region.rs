//! Memory as it comes from the system: owned, initialised, of a capacity that can only shrink.

use crate::{mapping::Mapping, raw};

/// Memory of one block, live or kept. Dropping it gives it back to where it came from.
#[derive(Debug)]
pub(crate) enum Region {
    /// From the global allocator.
    Words(Box<[u64]>),
    /// From the system.
    Mapped(Mapping),
}

impl Default for Region {
    /// No memory.
    fn default() -> Self {
        Self::Words(Box::default())
    }
}

impl Region {
    /// Bytes of real memory behind this, once touched.
    pub(crate) fn capacity(&self) -> u64 {
        self.bytes().len() as u64
    }

    /// Address of the first byte; a multiple of 8.
    pub(crate) fn address(&self) -> u64 {
        self.bytes().as_ptr().addr() as u64
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Words(words) => raw::bytes_of(words),
            Self::Mapped(mapping) => mapping.bytes(),
        }
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        match self {
            Self::Words(words) => raw::bytes_of_mut(words),
            Self::Mapped(mapping) => mapping.bytes_mut(),
        }
    }

    /// Gives everything after the first `capacity` bytes back, where that is possible;
    /// [`capacity`](Self::capacity) tells.
    pub(crate) fn shrink(&mut self, capacity: u64) {
        let Ok(capacity) = usize::try_from(capacity) else {
            return; // more than any region has
        };
        match self {
            Self::Words(words) => {
                let count = capacity.div_ceil(size_of::<u64>());
                *words = raw::shrink_words(std::mem::take(words), count);
            }
            Self::Mapped(mapping) => mapping.shrink(capacity),
        }
    }
}
