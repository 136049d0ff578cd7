//! Memory that is kept: a list of freed blocks for each size class, the newest used first, the oldest
//! dropped first, and a list of what is left of slabs.
//!
//! Nothing here allocates or frees, because all of it runs under the pool's lock: a full list says
//! how many slots it wants, and gets a longer one that was made outside.

use crate::{
    classes::{CLASSES, KEPT_FROM, index_of},
    region::Region,
};
use std::collections::VecDeque;

/// How many blocks of a request's own class are looked at, whose capacities differ only where sizes
/// are not whole classes; and how many rests of slabs.
const LOOKED_AT: usize = 8;

/// A region that waits to be used again.
#[derive(Debug)]
pub(crate) struct Kept {
    region: Region,
    /// The caller's time at which it came.
    since: u64,
    /// How many came before it.
    order: u64,
}

/// The kept regions of one shelf, oldest first.
pub(crate) type List = VecDeque<Kept>;

/// Where a region is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shelf(usize);

impl Shelf {
    /// What is left of slabs: never handed out, so zeroed, and cut as needed.
    pub(crate) const RESTS: Self = Self(CLASSES);

    /// Freed blocks of `capacity`'s class.
    pub(crate) fn of(capacity: u64) -> Self {
        Self(index_of(capacity))
    }
}

/// All kept regions.
#[derive(Debug)]
pub(crate) struct FreeLists {
    /// One for each class, then the rests of slabs.
    shelves: Vec<List>,
    came: u64,
}

impl FreeLists {
    pub(crate) fn new() -> Self {
        Self {
            shelves: (0..=CLASSES).map(|_| List::new()).collect(),
            came: 0,
        }
    }

    /// Takes the newest region that serves `capacity` bytes best: from the same class, or from the
    /// next, so that it is less than half too large.
    pub(crate) fn take_fit(&mut self, capacity: u64) -> Option<Region> {
        let class = index_of(capacity);
        let classes = &mut self.shelves[..CLASSES];
        let own = &mut classes[class];
        let best = (0..own.len())
            .rev()
            .take(LOOKED_AT)
            .filter(|&at| own[at].region.capacity() >= capacity)
            .min_by_key(|&at| own[at].region.capacity());
        let kept = match best {
            Some(at) => own.remove(at),
            None => classes.get_mut(class + 1).and_then(VecDeque::pop_back),
        };
        kept.map(|kept| kept.region)
    }

    /// Cuts `capacity` bytes off one of the newest rests of slabs, which stays for others and is young
    /// again. None is cut so that what is left is too small to be used.
    pub(crate) fn cut(&mut self, capacity: u64, now: u64) -> Option<Region> {
        let rests = &mut self.shelves[Shelf::RESTS.0];
        let serves = |rest: u64| rest == capacity || rest >= capacity + KEPT_FROM;
        let at = (0..rests.len())
            .rev()
            .take(LOOKED_AT)
            .find(|&at| serves(rests[at].region.capacity()))?;
        let mut region = rests.remove(at)?.region;
        if let Some(rest) = region.split_off(capacity) {
            self.keep(Shelf::RESTS, rest, now);
        }
        Some(region)
    }

    /// Takes the region that has been here longest.
    pub(crate) fn take_oldest(&mut self) -> Option<Region> {
        let heads = self.shelves.iter_mut();
        let oldest = heads
            .filter(|list| !list.is_empty())
            .min_by_key(|list| list.front().map(|kept| kept.order))?;
        oldest.pop_front().map(|kept| kept.region)
    }

    /// When the region that has been here longest came.
    pub(crate) fn oldest_since(&self) -> Option<u64> {
        let heads = self.shelves.iter().filter_map(VecDeque::front);
        heads.map(|kept| kept.since).min()
    }

    /// How long a shelf's list must be for one more region, if it is full.
    pub(crate) fn slots_wanted(&self, shelf: Shelf) -> Option<usize> {
        let list = &self.shelves[shelf.0];
        (list.len() == list.capacity()).then(|| (list.len() * 2).max(LOOKED_AT))
    }

    /// Moves a shelf's regions into `longer` if that has more slots than the list in use. Returns the
    /// list that is not in use, empty, to be dropped outside the lock.
    pub(crate) fn lengthen(&mut self, shelf: Shelf, mut longer: List) -> List {
        let list = &mut self.shelves[shelf.0];
        if longer.capacity() > list.capacity() {
            longer.append(list);
            std::mem::swap(list, &mut longer);
        }
        longer
    }

    /// Keeps a region. There is a slot: [`slots_wanted`](Self::slots_wanted) said none is wanted,
    /// under the same lock.
    pub(crate) fn keep(&mut self, shelf: Shelf, region: Region, now: u64) {
        self.shelves[shelf.0].push_back(Kept {
            region,
            since: now,
            order: self.came,
        });
        self.came += 1; // 64 bits of freed blocks take longer than any process runs
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{mapping, raw};

    const KIB: u64 = 1 << 10;
    const MIB: u64 = 1 << 20;

    fn region(capacity: u64) -> Region {
        let words = usize::try_from(capacity / 8).unwrap();
        Region::Words(raw::zeroed_words(words).unwrap())
    }

    fn lists(capacities: &[u64]) -> FreeLists {
        let mut lists = FreeLists::new();
        for (now, &capacity) in (10..).zip(capacities) {
            keep(&mut lists, Shelf::of(capacity), region(capacity), now / 2);
        }
        lists
    }

    fn keep(lists: &mut FreeLists, shelf: Shelf, region: Region, now: u64) {
        if let Some(slots) = lists.slots_wanted(shelf) {
            drop(lists.lengthen(shelf, List::with_capacity(slots)));
        }
        lists.keep(shelf, region, now);
    }

    fn fit(lists: &mut FreeLists, capacity: u64) -> Option<u64> {
        lists.take_fit(capacity).map(|region| region.capacity())
    }

    #[test]
    fn own_class_first_then_the_next_never_beyond() {
        let mut lists = lists(&[96 * KIB, 80 * KIB, 64 * KIB]);
        assert_eq!(fit(&mut lists, 64 * KIB), Some(64 * KIB));
        assert_eq!(fit(&mut lists, 64 * KIB), Some(80 * KIB));
        assert_eq!(fit(&mut lists, 64 * KIB), None);
        assert_eq!(fit(&mut lists, 80 * KIB + 8), Some(96 * KIB));
    }

    #[test]
    fn smallest_of_the_class_that_is_large_enough() {
        let mut lists = lists(&[MIB + 16, MIB + 8, MIB + 24, MIB]);
        assert_eq!(fit(&mut lists, MIB + 8), Some(MIB + 8));
        assert_eq!(fit(&mut lists, MIB + 8), Some(MIB + 16));
        assert_eq!(fit(&mut lists, MIB + 32), None);
        assert_eq!(fit(&mut lists, MIB), Some(MIB));
    }

    #[test]
    fn newest_is_used_and_oldest_is_dropped() {
        let mut lists = lists(&[64 * KIB; 3]);
        let addresses: Vec<_> = lists.shelves[0]
            .iter()
            .map(|kept| kept.region.address())
            .collect();
        assert_eq!(lists.oldest_since(), Some(5));
        assert_eq!(lists.take_fit(64 * KIB).unwrap().address(), addresses[2]);
        assert_eq!(lists.take_oldest().unwrap().address(), addresses[0]);
        assert_eq!(lists.take_oldest().unwrap().address(), addresses[1]);
        assert_eq!(lists.oldest_since(), None);
    }

    #[test]
    fn oldest_is_found_across_classes() {
        let mut lists = lists(&[MIB, 64 * KIB, 3 * MIB]);
        let mut order = Vec::new();
        while let Some(region) = lists.take_oldest() {
            order.push(region.capacity());
        }
        assert_eq!(order, [MIB, 64 * KIB, 3 * MIB]);
        assert_eq!(lists.oldest_since(), None);
    }

    #[test]
    fn a_list_is_lengthened_only_by_a_longer_one() {
        let mut lists = lists(&[64 * KIB]);
        let before = lists.shelves[0].capacity();
        assert_eq!(
            lists.lengthen(Shelf::of(64 * KIB), List::new()).capacity(),
            0
        );
        let old = lists.lengthen(Shelf::of(64 * KIB), List::with_capacity(100));
        assert_eq!((old.len(), old.capacity()), (0, before));
        assert_eq!(lists.shelves[0].len(), 1);
    }

    #[test]
    fn rests_are_cut_unless_too_little_would_be_left() {
        let rest = |capacity| Region::Mapped(mapping::map(capacity).unwrap());
        let mut lists = lists(&[512 * KIB]);
        keep(&mut lists, Shelf::RESTS, rest(64 << 10), 6);
        keep(&mut lists, Shelf::RESTS, rest(256 << 10), 6);
        let mut cut = |capacity| {
            let region = lists.cut(capacity, 7)?;
            assert_eq!(region.capacity(), capacity);
            Some(region.address())
        };
        let first = cut(64 * KIB).unwrap();
        assert_eq!(cut(80 * KIB), Some(first + 64 * KIB));
        assert_eq!(cut(80 * KIB), None, "32 KiB would be left");
        assert_eq!(cut(512 * KIB), None, "that is no rest");
        assert!(cut(112 * KIB).is_some());
        assert!(cut(64 * KIB).is_some());
        assert_eq!(cut(64 * KIB), None);
        assert_eq!(lists.oldest_since(), Some(5));
    }

    #[test]
    fn a_rest_is_as_old_as_its_last_cut() {
        let mut lists = lists(&[64 * KIB]);
        keep(
            &mut lists,
            Shelf::RESTS,
            Region::Mapped(mapping::map(128 << 10).unwrap()),
            5,
        );
        keep(&mut lists, Shelf::of(80 * KIB), region(80 * KIB), 6);
        drop(lists.cut(64 * KIB, 7));
        let ages = [5, 6, 7].map(|age| {
            assert_eq!(lists.oldest_since(), Some(age));
            lists.take_oldest().unwrap().capacity() / KIB
        });
        assert_eq!(ages, [64, 80, 64]);
    }
}
