//! Spark's scenarios for page addresses (T2, T3) and packed record pointers (P1 to P6).

use crate::{KIB, both_limited, cases};
use mem_block::{
    MAX_PAGE_NUMBER, MAXIMUM_PAGE_SIZE_BYTES, MemoryAllocator, MemoryBlock, MemoryLocation,
    ObjectId, PackError, PackedRecordPointer, PageAddress,
};
use proptest::prelude::*;

#[test]
fn t2_off_heap_address_needs_the_base_taken_off() {
    let [_, off_heap] = both_limited(KIB);
    let page = off_heap.allocate(256).unwrap();
    let offset = (1 << 51) + 10;
    let address = PageAddress::encode(0, page.location(), offset).unwrap();
    assert_eq!(page.location().object(), None);
    assert_eq!(address.page(), 0);
    assert_eq!(address.offset_in(page.location()), offset);
    // Without the base taken off, 51 bits do not hold it.
    assert!(PageAddress::new(0, offset).is_err());
}

#[test]
fn t3_on_heap_address_is_the_object_and_the_offset() {
    let [on_heap, _] = both_limited(KIB);
    let page = on_heap.allocate(256).unwrap();
    let address = PageAddress::encode(0, page.location(), 64).unwrap();
    assert!(page.location().object().is_some());
    assert_eq!(address.offset_in(page.location()), 64);
}

#[test]
fn on_heap_addresses_start_at_16_and_off_heap_ones_at_0() {
    let [on_heap, off_heap] = both_limited(KIB);
    for (allocator, first) in [(on_heap, 16), (off_heap, 0)] {
        let page = allocator.allocate(64).unwrap();
        let start = page.location();
        let offset = start.offset_of(15).unwrap();
        let address = PageAddress::encode(1, start, offset).unwrap();
        assert_eq!(address.to_raw(), (1 << 51) + first + 15);
        assert_eq!(start.index_of(address.offset_in(start)), Some(15));
    }
}

#[test]
fn locations_do_not_wrap() {
    let location = MemoryLocation::off_heap(u64::MAX - 1);
    assert_eq!(location.offset_of(1), Some(u64::MAX));
    assert_eq!(location.offset_of(2), None);
    assert_eq!(location.index_of(7), None);
    let default = MemoryLocation::default();
    assert_eq!((default.object(), default.offset()), (None, 0));
}

/// Two pages of 128 bytes; a record at 42 in the second, for partition 360.
fn pointer_keeps_partition_and_address(allocator: &dyn MemoryAllocator) {
    let pages: Vec<MemoryBlock> = (0..2).map(|_| allocator.allocate(128).unwrap()).collect();
    let page = pages[1].location();
    let place = page.offset_of(42).unwrap();
    let address = PageAddress::encode(1, page, place).unwrap();
    let packed = PackedRecordPointer::pack(address, 360).unwrap();
    assert_eq!(packed.partition(), 360);
    assert_eq!(packed.address().page(), 1);
    assert_eq!(packed.address().offset_in(page), place);
    assert_eq!(packed.address(), address);
}

#[test]
fn p1_heap_pointer_keeps_partition_and_address() {
    pointer_keeps_partition_and_address(&*both_limited(KIB)[0]);
}

#[test]
fn p2_off_heap_pointer_keeps_partition_and_address() {
    pointer_keeps_partition_and_address(&*both_limited(KIB)[1]);
}

#[test]
fn p3_highest_partition_comes_back() {
    let address = PageAddress::new(0, 0).unwrap();
    let packed = PackedRecordPointer::pack(address, 16_777_215).unwrap();
    assert_eq!(packed.partition(), 16_777_215);
    assert_eq!(packed.address(), address);
}

#[test]
fn p4_a_partition_above_the_highest_is_refused() {
    let address = PageAddress::new(0, 0).unwrap();
    let error = PackedRecordPointer::pack(address, 16_777_216).unwrap_err();
    assert_eq!(error, PackError::Partition(16_777_216));
    assert_eq!(error.to_string(), "partition 16777216 is above 16777215");
}

#[test]
fn p5_highest_offset_comes_back() {
    let address = PageAddress::new(0, (1 << 27) - 1).unwrap();
    let packed = PackedRecordPointer::pack(address, 0).unwrap();
    assert_eq!(packed.address(), address);
}

#[test]
fn p6_an_offset_beyond_the_highest_is_refused() {
    let address = PageAddress::new(0, 1 << 27).unwrap();
    let error = PackedRecordPointer::pack(address, 0).unwrap_err();
    assert_eq!(error, PackError::Offset(1 << 27));
}

#[test]
fn pointer_bits_are_sparks() {
    let address = PageAddress::new(MAX_PAGE_NUMBER, (1 << 27) - 1).unwrap();
    let packed = PackedRecordPointer::pack(address, 0x00ab_cdef).unwrap();
    assert_eq!(packed.to_raw(), 0xabcd_efff_ffff_ffff);
    let bytes = packed.to_raw().to_le_bytes();
    let partition = PackedRecordPointer::PARTITION_ID_START_BYTE_INDEX
        ..=PackedRecordPointer::PARTITION_ID_END_BYTE_INDEX;
    assert_eq!(bytes[partition], [0xef, 0xcd, 0xab]);
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn every_raw_word_is_an_address_and_a_pointer(raw: u64) {
        let address = PageAddress::from_raw(raw);
        prop_assert_eq!(PageAddress::new(address.page(), address.offset()), Ok(address));
        let pointer = PackedRecordPointer::from_raw(raw);
        let again = PackedRecordPointer::pack(pointer.address(), pointer.partition());
        prop_assert_eq!(again, Ok(pointer));
    }

    #[test]
    fn encoding_is_undone(page in 0..=MAX_PAGE_NUMBER, base: u64, index in 0..MAXIMUM_PAGE_SIZE_BYTES) {
        let on_heap = MemoryLocation::on_heap(ObjectId::new(base));
        let off_heap = MemoryLocation::off_heap(base / 2);
        for start in [on_heap, off_heap] {
            let offset = start.offset_of(index).unwrap();
            let address = PageAddress::encode(page, start, offset).unwrap();
            prop_assert_eq!(address.page(), page);
            prop_assert_eq!(address.offset_in(start), offset);
        }
    }

    #[test]
    fn pointers_sort_by_partition(a in 0_u32..1 << 24, b in 0_u32..1 << 24, low: u64) {
        let address = PackedRecordPointer::from_raw(low).address();
        let other = PackedRecordPointer::from_raw(!low).address();
        let a_first = PackedRecordPointer::pack(address, a).unwrap()
            < PackedRecordPointer::pack(other, b).unwrap();
        prop_assert!(a == b || a_first == (a < b));
    }
}
