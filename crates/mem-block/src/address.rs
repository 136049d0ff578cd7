//! Addresses inside a task's pages: 13 bits of page number, 51 bits of offset.

use crate::MemoryLocation;
use thiserror::Error;

/// Pages that a task can hold at once (Spark: `TaskMemoryManager.PAGE_TABLE_SIZE`).
pub const PAGE_TABLE_SIZE: usize = 1 << PageAddress::PAGE_NUMBER_BITS;

/// Highest page number.
pub const MAX_PAGE_NUMBER: u16 = 8191;

/// Largest page in bytes: what the largest `long[]` holds (Spark:
/// `TaskMemoryManager.MAXIMUM_PAGE_SIZE_BYTES`).
pub const MAXIMUM_PAGE_SIZE_BYTES: u64 = ((1 << 31) - 1) * 8;

/// The place of a byte in one of a task's pages, in 64 bits
/// (Spark: `TaskMemoryManager.encodePageNumberAndOffset`).
///
/// The high 13 bits are the page number. The low 51 are, on heap, the offset in the page's object,
/// and off heap the distance from the page's base, because an absolute address may need more bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PageAddress(u64);

/// A page number or an offset that doesn't fit in a [`PageAddress`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum AddressError {
    /// The page number needs more than 13 bits.
    #[error("page number {0} is above {MAX_PAGE_NUMBER}")]
    PageNumber(u16),
    /// The offset needs more than 51 bits.
    #[error("offset {0} needs more than 51 bits")]
    Offset(u64),
    /// The off-heap address lies before the page.
    #[error("address {address} lies before the page at {base}")]
    BeforePage {
        /// The address to be encoded.
        address: u64,
        /// The page's first address.
        base: u64,
    },
}

impl PageAddress {
    /// Bits of the page number.
    pub const PAGE_NUMBER_BITS: u32 = 13;
    /// Bits of the offset.
    pub const OFFSET_BITS: u32 = 64 - Self::PAGE_NUMBER_BITS;
    const OFFSET_MASK: u64 = (1 << Self::OFFSET_BITS) - 1;

    /// An address from its two parts.
    ///
    /// # Errors
    ///
    /// If either part has too many bits. Spark asserts the one and cuts the other:
    /// [`wrapping`](Self::wrapping).
    pub const fn new(page: u16, offset: u64) -> Result<Self, AddressError> {
        if page > MAX_PAGE_NUMBER {
            return Err(AddressError::PageNumber(page));
        }
        if offset > Self::OFFSET_MASK {
            return Err(AddressError::Offset(offset));
        }
        Ok(Self::wrapping(page, offset))
    }

    /// An address as Spark's raw encoding makes it: bits that don't fit are cut off both parts.
    pub const fn wrapping(page: u16, offset: u64) -> Self {
        // Widening; `u64::from` is not const.
        Self((page as u64) << Self::OFFSET_BITS | (offset & Self::OFFSET_MASK))
    }

    /// The address of the byte at `offset` in the page that starts at `page_start`, where `offset`
    /// counts as [`MemoryLocation::offset`] does: in the object on heap, absolute off heap.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new), and if an absolute `offset` lies before the page.
    pub fn encode(
        page: u16,
        page_start: MemoryLocation,
        offset: u64,
    ) -> Result<Self, AddressError> {
        let in_page = match page_start.object() {
            Some(_) => offset,
            None => page_start
                .index_of(offset)
                .ok_or(AddressError::BeforePage {
                    address: offset,
                    base: page_start.offset(),
                })?,
        };
        Self::new(page, in_page)
    }

    /// The reverse of [`encode`](Self::encode): the offset in the object on heap, absolute off heap
    /// (Spark: `getOffsetInPage`).
    ///
    /// Off heap, the sum wraps at 64 bits as Spark's does; that can't happen for an address that
    /// `encode` made for the same page.
    pub const fn offset_in(self, page_start: MemoryLocation) -> u64 {
        match page_start.object() {
            Some(_) => self.offset(),
            None => page_start.offset().wrapping_add(self.offset()),
        }
    }

    /// The page number (Spark: `decodePageNumber`).
    pub const fn page(self) -> u16 {
        (self.0 >> Self::OFFSET_BITS) as u16
    }

    /// The low 51 bits (Spark: `decodeOffset`).
    pub const fn offset(self) -> u64 {
        self.0 & Self::OFFSET_MASK
    }

    /// An address from its 64 bits; every value is one.
    pub const fn from_raw(raw: u64) -> Self {
        Self(raw)
    }

    /// The 64 bits, as stored in pointer arrays.
    pub const fn to_raw(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ObjectId;

    #[test]
    fn constants_are_sparks() {
        assert_eq!(PAGE_TABLE_SIZE, 8192);
        assert_eq!(usize::from(MAX_PAGE_NUMBER) + 1, PAGE_TABLE_SIZE);
        assert_eq!(MAXIMUM_PAGE_SIZE_BYTES, 17_179_869_176);
    }

    #[test]
    fn parts_come_back() {
        for page in [0, 1, 4095, MAX_PAGE_NUMBER] {
            for offset in [0, 1, 1 << 27, PageAddress::OFFSET_MASK] {
                let address = PageAddress::new(page, offset).unwrap();
                assert_eq!((address.page(), address.offset()), (page, offset));
                assert_eq!(PageAddress::from_raw(address.to_raw()), address);
            }
        }
    }

    #[test]
    fn parts_that_do_not_fit_are_refused() {
        assert_eq!(
            PageAddress::new(8192, 0),
            Err(AddressError::PageNumber(8192))
        );
        assert_eq!(
            PageAddress::new(0, 1 << 51),
            Err(AddressError::Offset(1 << 51))
        );
        assert_eq!(
            PageAddress::encode(0, MemoryLocation::off_heap(4096), 4095),
            Err(AddressError::BeforePage {
                address: 4095,
                base: 4096
            })
        );
    }

    #[test]
    fn wrapping_cuts_as_spark_does() {
        // Recorded from Spark: an offset of 2^51 + 7 loses its top bit.
        let address = PageAddress::wrapping(1, 2_251_799_813_685_255);
        assert_eq!(address.to_raw(), 2_251_799_813_685_255);
        assert_eq!((address.page(), address.offset()), (1, 7));
        let address = PageAddress::wrapping(8191, 1 << 51);
        assert_eq!(address.to_raw(), 18_444_492_273_895_866_368);
    }

    #[test]
    fn raw_all_ones_decodes() {
        let address = PageAddress::from_raw(u64::MAX);
        assert_eq!(address.page(), 8191);
        assert_eq!(address.offset(), 2_251_799_813_685_247);
    }

    #[test]
    fn on_heap_the_offset_is_taken_as_it_is() {
        let page = MemoryLocation::on_heap(ObjectId::new(7));
        let address = PageAddress::encode(6281, page, 16).unwrap();
        assert_eq!(address.to_raw(), 14_143_554_629_757_042_704);
        assert_eq!(address.offset_in(page), 16);
    }
}
