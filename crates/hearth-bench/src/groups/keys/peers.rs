//! How others sort the same: the standard library, `rdst`, `voracious_radix_sort`.

use std::cmp::Ordering;

use bytemuck::{Pod, Zeroable};
use mem_block::PackedRecordPointer;
use rdst::{RadixKey, RadixSort as _};
use voracious_radix_sort::{RadixSort as _, Radixable};

use super::{PEERS, Peer};

const STD: &str = "std sort_unstable_by_key";
const RDST: &str = "rdst 0.20 single-threaded";
const VORACIOUS: &str = "voracious 1.2 voracious_sort";
const PEEKA: &str = "voracious 1.2 mt_sort(1)";

/// A prefix and a pointer.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Pair {
    prefix: u64,
    pointer: u64,
}

impl PartialEq for Pair {
    fn eq(&self, other: &Self) -> bool {
        self.prefix == other.prefix
    }
}

impl PartialOrd for Pair {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        self.prefix.partial_cmp(&other.prefix)
    }
}

impl Radixable<u64> for Pair {
    type Key = u64;

    #[inline]
    fn key(&self) -> u64 {
        self.prefix
    }
}

impl RadixKey for Pair {
    const LEVELS: usize = 8;

    #[inline]
    fn get_level(&self, level: usize) -> u8 {
        self.prefix.to_le_bytes()[level]
    }
}

/// A packed pointer, which is sorted by its partition.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(transparent)]
pub(super) struct Pointer(u64);

impl Pointer {
    #[inline]
    fn partition(self) -> u32 {
        PackedRecordPointer::from_raw(self.0).partition()
    }
}

impl PartialEq for Pointer {
    fn eq(&self, other: &Self) -> bool {
        self.partition() == other.partition()
    }
}

impl PartialOrd for Pointer {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        self.partition().partial_cmp(&other.partition())
    }
}

impl Radixable<u32> for Pointer {
    type Key = u32;

    #[inline]
    fn key(&self) -> u32 {
        self.partition()
    }
}

impl RadixKey for Pointer {
    const LEVELS: usize = 3;

    #[inline]
    fn get_level(&self, level: usize) -> u8 {
        self.0.to_le_bytes()[PackedRecordPointer::PARTITION_ID_START_BYTE_INDEX + level]
    }
}

/// Pairs on one thread.
pub(super) const PAIRS: [Peer<Pair>; PEERS] = [
    (STD, |data| data.sort_unstable_by_key(|pair| pair.prefix)),
    (RDST, |data| {
        let sort = data.radix_sort_builder().with_parallel(false);
        sort.with_single_threaded_tuner().sort();
    }),
    (VORACIOUS, |data| data.voracious_sort()),
    (PEEKA, |data| data.voracious_mt_sort(1)),
];

/// Pairs on two threads; `rdst` takes one for each core.
pub(super) const PAIRS_ON_TWO: [Peer<Pair>; PEERS] = [
    (STD, |data| data.sort_unstable_by_key(|pair| pair.prefix)),
    ("rdst 0.20", |data| data.radix_sort_unstable()),
    ("rdst 0.20 low memory", |data| {
        data.radix_sort_builder().with_low_mem_tuner().sort();
    }),
    ("voracious 1.2 mt_sort(2)", |data| data.voracious_mt_sort(2)),
];

/// Pointers on one thread.
pub(super) const POINTERS: [Peer<Pointer>; PEERS] = [
    (STD, |data| {
        data.sort_unstable_by_key(|pointer| pointer.partition());
    }),
    (RDST, |data| {
        let sort = data.radix_sort_builder().with_parallel(false);
        sort.with_single_threaded_tuner().sort();
    }),
    (VORACIOUS, |data| data.voracious_sort()),
    (PEEKA, |data| data.voracious_mt_sort(1)),
];
