//! The 64-bit record pointer that a shuffle sorts by partition: 24, 13 and 27 bits.

use crate::PageAddress;
use thiserror::Error;

/// A record's partition and place in one word
/// (Spark: `PackedRecordPointer`): 24 bits partition, 13 bits page number, 27 bits offset in it.
///
/// Sorting the words as integers, or their bytes 5 to 7 by radix, sorts by partition.
///
/// Where Spark asserts (a partition of 2^24) or wraps without a word (an offset of 2^27 becomes 0),
/// [`pack`](Self::pack) returns an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PackedRecordPointer(u64);

/// A partition or an offset that doesn't fit in a [`PackedRecordPointer`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PackError {
    /// The partition needs more than 24 bits.
    #[error("partition {0} is above {max}", max = PackedRecordPointer::MAXIMUM_PARTITION_ID)]
    Partition(u32),
    /// The offset needs more than 27 bits.
    #[error("offset {0} is not below {max}", max = PackedRecordPointer::MAXIMUM_PAGE_SIZE_BYTES)]
    Offset(u64),
}

impl PackedRecordPointer {
    /// Largest page, in bytes, whose every offset can be packed: 128 MiB.
    pub const MAXIMUM_PAGE_SIZE_BYTES: u64 = 1 << Self::OFFSET_BITS;
    /// Highest partition.
    pub const MAXIMUM_PARTITION_ID: u32 = (1 << 24) - 1;
    /// First byte of the partition, counted from the least significant.
    pub const PARTITION_ID_START_BYTE_INDEX: usize = 5;
    /// Last byte of the partition, counted from the least significant.
    pub const PARTITION_ID_END_BYTE_INDEX: usize = 7;
    /// Lowest bit of the partition, whose highest is the word's.
    pub const PARTITION_SHIFT: u32 = Self::OFFSET_BITS + PageAddress::PAGE_NUMBER_BITS;

    const OFFSET_BITS: u32 = 27;

    /// Packs a record's address with its partition.
    ///
    /// # Errors
    ///
    /// If the partition is above [`MAXIMUM_PARTITION_ID`](Self::MAXIMUM_PARTITION_ID) or the
    /// address's offset is not below [`MAXIMUM_PAGE_SIZE_BYTES`](Self::MAXIMUM_PAGE_SIZE_BYTES).
    pub fn pack(address: PageAddress, partition: u32) -> Result<Self, PackError> {
        if partition > Self::MAXIMUM_PARTITION_ID {
            return Err(PackError::Partition(partition));
        }
        if address.offset() >= Self::MAXIMUM_PAGE_SIZE_BYTES {
            return Err(PackError::Offset(address.offset()));
        }
        Ok(Self(
            u64::from(partition) << Self::PARTITION_SHIFT
                | u64::from(address.page()) << Self::OFFSET_BITS
                | address.offset(),
        ))
    }

    /// The partition (Spark: `getPartitionId`).
    pub const fn partition(self) -> u32 {
        (self.0 >> Self::PARTITION_SHIFT) as u32
    }

    /// The record's address (Spark: `getRecordPointer`).
    #[expect(
        clippy::cast_possible_truncation,
        reason = "`wrapping` keeps the 13 bits that are the page number"
    )]
    pub const fn address(self) -> PageAddress {
        let page = (self.0 >> Self::OFFSET_BITS) as u16;
        PageAddress::wrapping(page, self.0 & (Self::MAXIMUM_PAGE_SIZE_BYTES - 1))
    }

    /// A pointer from its 64 bits; every value is one.
    pub const fn from_raw(raw: u64) -> Self {
        Self(raw)
    }

    /// The 64 bits, as stored and sorted.
    pub const fn to_raw(self) -> u64 {
        self.0
    }
}
