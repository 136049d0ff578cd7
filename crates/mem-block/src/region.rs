//! Memory as it comes from the system: owned, initialised, of a capacity that can only shrink.

use crate::raw::{self, Pages};

/// Memory of one block, live or kept. Dropping it gives it back to where it came from.
#[derive(Debug)]
pub(crate) enum Region {
    /// From the global allocator.
    Words(Box<[u64]>),
    /// From the system.
    Mapped(Pages),
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
            Self::Mapped(pages) => pages.bytes(),
        }
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        match self {
            Self::Words(words) => raw::bytes_of_mut(words),
            Self::Mapped(pages) => pages.bytes_mut(),
        }
    }

    /// Gives everything after the first `capacity` bytes back, where that is possible;
    /// [`capacity`](Self::capacity) tells.
    pub(crate) fn shrink(&mut self, capacity: u64) {
        match self {
            Self::Words(words) => {
                let Ok(capacity) = usize::try_from(capacity) else {
                    return; // more than any region has
                };
                let count = capacity.div_ceil(size_of::<u64>());
                *words = raw::shrink_words(std::mem::take(words), count);
            }
            Self::Mapped(_) => drop(self.split_off(capacity)),
        }
    }

    /// Keeps the first `capacity` bytes, whole pages of the system, and returns the others, if there
    /// are any and they have a life of their own.
    pub(crate) fn split_off(&mut self, capacity: u64) -> Option<Self> {
        let at = usize::try_from(capacity).ok()?;
        match self {
            Self::Mapped(pages) if at < pages.bytes().len() => {
                Some(Self::Mapped(pages.split_off(at)))
            }
            Self::Mapped(_) | Self::Words(_) => None,
        }
    }

    /// Appends `next` if that can go back to the system in one piece with this; else returns it.
    pub(crate) fn join(&mut self, next: Self) -> Option<Self> {
        let Self::Mapped(pages) = self else {
            return Some(next);
        };
        match next {
            Self::Mapped(next) => pages.join(next).map(Self::Mapped),
            words @ Self::Words(_) => Some(words),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping;

    const KIB: usize = 1 << 10;

    #[test]
    fn mapped_memory_shrinks_and_keeps_the_front() {
        let mut region = Region::Mapped(mapping::map(192 * KIB).unwrap());
        region.bytes_mut().fill(7);
        let start = region.address();
        region.shrink(64 * KIB as u64);
        assert_eq!(region.address(), start);
        assert_eq!(region.bytes(), [7; 64 * KIB]);
        region.shrink(128 * KIB as u64);
        assert_eq!(region.capacity(), 64 * KIB as u64);
    }

    #[test]
    fn words_are_never_cut_or_joined() {
        let words = || Region::Words(raw::zeroed_words(8).unwrap());
        let mut region = words();
        assert!(region.split_off(8).is_none());
        assert_eq!(region.join(words()).map(|next| next.capacity()), Some(64));
        assert_eq!(region.capacity(), 64);
    }
}
