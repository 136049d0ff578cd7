//! Which partition a line belongs to.

use std::fmt;

/// The partition of `line`, of `partitions` in all: the CRC-32 of its bytes without the newline (the
/// one of zlib, gzip and PNG), taken as an unsigned number, modulo `partitions`.
///
/// The same everywhere and for ever, and easy to check from outside: in Python it is
/// `zlib.crc32(line) % partitions`.
///
/// ```
/// use mem_sort::partition_of;
///
/// // The CRC-32 of "123456789" is 0xcbf43926.
/// assert_eq!(partition_of(b"123456789", 200), 0xcbf4_3926 % 200);
/// assert_eq!(partition_of(b"", 200), 0);
/// ```
///
/// # Panics
///
/// If there are no partitions.
#[must_use]
pub fn partition_of(line: &[u8], partitions: u32) -> u32 {
    of_crc32(crc32fast::hash(line), partitions)
}

/// [`partition_of`] for a line that comes in pieces.
///
/// ```
/// use mem_sort::{Partitioner, partition_of};
///
/// let mut pieces = Partitioner::default();
/// pieces.update(b"1234");
/// pieces.update(b"56789");
/// assert_eq!(pieces.partition(200), partition_of(b"123456789", 200));
/// ```
#[derive(Clone, Default)]
pub struct Partitioner {
    sum: crc32fast::Hasher,
}

impl Partitioner {
    /// The line goes on with these bytes.
    pub fn update(&mut self, piece: &[u8]) {
        self.sum.update(piece);
    }

    /// The partition of the line, now that it is whole.
    ///
    /// # Panics
    ///
    /// If there are no partitions.
    #[must_use]
    pub fn partition(self, partitions: u32) -> u32 {
        of_crc32(self.sum.finalize(), partitions)
    }
}

fn of_crc32(crc32: u32, partitions: u32) -> u32 {
    assert!(partitions > 0, "there are no partitions");
    crc32 % partitions
}

impl fmt::Debug for Partitioner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Partitioner").finish_non_exhaustive()
    }
}
