//! Freed blocks that are kept: a list for each size class, the newest used first, the oldest
//! dropped first.
//!
//! Nothing here allocates or frees, because all of it runs under the pool's lock: a full list says
//! how many slots it wants, and gets a longer one that was made outside.

use crate::{
    classes::{CLASSES, index_of},
    region::Region,
};
use std::collections::VecDeque;

/// How many blocks of a request's own class are looked at; capacities within one class differ only
/// where sizes are not whole classes.
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

/// The kept regions of one class, oldest first.
pub(crate) type List = VecDeque<Kept>;

/// All kept regions.
#[derive(Debug)]
pub(crate) struct FreeLists {
    classes: Vec<List>,
    came: u64,
}

impl FreeLists {
    pub(crate) fn new() -> Self {
        Self {
            classes: (0..CLASSES).map(|_| List::new()).collect(),
            came: 0,
        }
    }

    /// Takes the newest region that serves `capacity` bytes best: from the same class, or from the
    /// next, so that it is less than half too large.
    pub(crate) fn take_fit(&mut self, capacity: u64) -> Option<Region> {
        let class = index_of(capacity);
        let own = &mut self.classes[class];
        let best = (0..own.len())
            .rev()
            .take(LOOKED_AT)
            .filter(|&at| own[at].region.capacity() >= capacity)
            .min_by_key(|&at| own[at].region.capacity());
        let kept = match best {
            Some(at) => own.remove(at),
            None => self.classes.get_mut(class + 1).and_then(VecDeque::pop_back),
        };
        kept.map(|kept| kept.region)
    }

    /// Takes the region that has been here longest.
    pub(crate) fn take_oldest(&mut self) -> Option<Region> {
        let heads = self.classes.iter().enumerate();
        let (_, class) = heads
            .filter_map(|(class, list)| list.front().map(|kept| (kept.order, class)))
            .min()?;
        self.classes[class].pop_front().map(|kept| kept.region)
    }

    /// When the region that has been here longest came.
    pub(crate) fn oldest_since(&self) -> Option<u64> {
        let heads = self.classes.iter().filter_map(VecDeque::front);
        heads.map(|kept| kept.since).min()
    }

    /// How long a list must be for one more region of `capacity`, if it is full.
    pub(crate) fn slots_wanted(&self, capacity: u64) -> Option<usize> {
        let list = &self.classes[index_of(capacity)];
        (list.len() == list.capacity()).then(|| (list.len() * 2).max(LOOKED_AT))
    }

    /// Moves the regions of `capacity`'s class into `longer` if that has more slots than the list
    /// in use. Returns the list that is not in use, empty, to be dropped outside the lock.
    pub(crate) fn lengthen(&mut self, capacity: u64, mut longer: List) -> List {
        let list = &mut self.classes[index_of(capacity)];
        if longer.capacity() > list.capacity() {
            longer.append(list);
            std::mem::swap(list, &mut longer);
        }
        longer
    }

    /// Keeps a region. There is a slot: [`slots_wanted`](Self::slots_wanted) said none is wanted,
    /// under the same lock.
    pub(crate) fn keep(&mut self, region: Region, now: u64) {
        let list = &mut self.classes[index_of(region.capacity())];
        list.push_back(Kept {
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
    use crate::raw;

    const KIB: u64 = 1 << 10;
    const MIB: u64 = 1 << 20;

    fn region(capacity: u64) -> Region {
        let words = usize::try_from(capacity / 8).unwrap();
        Region::Words(raw::zeroed_words(words).unwrap())
    }

    fn lists(capacities: &[u64]) -> FreeLists {
        let mut lists = FreeLists::new();
        for (now, &capacity) in (10..).zip(capacities) {
            if let Some(slots) = lists.slots_wanted(capacity) {
                drop(lists.lengthen(capacity, List::with_capacity(slots)));
            }
            lists.keep(region(capacity), now / 2);
        }
        lists
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
        let addresses: Vec<_> = lists.classes[0]
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
        let before = lists.classes[0].capacity();
        assert_eq!(lists.lengthen(64 * KIB, List::new()).capacity(), 0);
        let old = lists.lengthen(64 * KIB, List::with_capacity(100));
        assert_eq!((old.len(), old.capacity()), (0, before));
        assert_eq!(lists.classes[0].len(), 1);
    }
}
