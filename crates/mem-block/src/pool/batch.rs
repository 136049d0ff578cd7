//! Regions on their way back to the system, brought there in as few pieces as they make up.

use crate::region::Region;
use std::array;

/// At most `N` regions; of a fixed number, so that collecting them under the lock allocates nothing.
#[derive(Debug)]
pub(super) struct Batch<const N: usize> {
    regions: [Region; N],
    used: usize,
    bytes: u64,
}

impl<const N: usize> Batch<N> {
    pub(super) fn new() -> Self {
        Self {
            regions: array::from_fn(|_| Region::default()),
            used: 0,
            bytes: 0,
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.used == 0
    }

    /// Their bytes.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) const fn is_full(&self) -> bool {
        self.used == N
    }

    /// Adds a region. The batch isn't full.
    pub(super) fn push(&mut self, region: Region) {
        self.bytes += region.capacity(); // real memory, so the sum has 64 bits
        self.regions[self.used] = region;
        self.used += 1;
    }

    /// Hands each piece to `release`, in the order of their addresses. Regions that adjoin are one.
    pub(super) fn release(mut self, release: impl Fn(Region)) {
        let regions = &mut self.regions[..self.used];
        regions.sort_unstable_by_key(Region::address);
        let mut regions = self.regions.into_iter().take(self.used);
        let Some(mut piece) = regions.next() else {
            return;
        };
        for region in regions {
            if let Some(apart) = piece.join(region) {
                release(std::mem::replace(&mut piece, apart));
            }
        }
        release(piece);
    }
}

#[cfg(all(test, not(mem_loom)))]
mod tests {
    use super::*;
    use crate::{mapping, raw};
    use std::cell::RefCell;

    const KIB: u64 = 1 << 10;

    #[test]
    fn what_adjoins_goes_back_in_one_piece() {
        let mut first = Region::Mapped(mapping::map(448 << 10).unwrap());
        let mut gap = first.split_off(128 * KIB).unwrap();
        let mut second = gap.split_off(64 * KIB).unwrap();
        let third = second.split_off(128 * KIB).unwrap();
        let words = Region::Words(raw::zeroed_words(8).unwrap());

        let mut batch = Batch::<5>::new();
        for region in [third, first, words, second] {
            batch.push(region);
        }
        assert_eq!((batch.bytes(), batch.is_full()), (384 * KIB + 64, false));
        let pieces = RefCell::new(Vec::new());
        batch.release(|piece| pieces.borrow_mut().push(piece.capacity()));
        let mut pieces = pieces.into_inner();
        pieces.sort_unstable();
        assert_eq!(pieces, [64, 128 * KIB, 256 * KIB]);
        gap.bytes_mut().fill(1);
    }

    #[test]
    fn an_empty_batch_releases_nothing() {
        let batch = Batch::<2>::new();
        assert!(batch.is_empty());
        batch.release(|_| panic!("there is nothing"));
    }
}
