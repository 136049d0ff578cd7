//! The order in which blocks are evicted.

mod line;

use std::collections::BTreeSet;

use mem_block::MemoryMode;
use mem_pool::Dataset;
use rustc_hash::FxHashMap;

use line::{Line, Slots};

/// A point of the order: what was used later has a larger one. No two blocks have the same.
pub(crate) type Stamp = u64;

/// Where a block stands in the queue; good until it is taken out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place(usize);

/// Blocks that may be evicted, least recently used first, by mode and dataset.
///
/// Finding the next one costs the same however many blocks there are, and whichever dataset is to be
/// spared: each dataset has an order of its own, and the first of each are in an order, too. `B` is
/// the block.
#[derive(Debug)]
pub(crate) struct EvictionQueue<B> {
    on_heap: Order<B>,
    off_heap: Order<B>,
    /// How often a block was taken out as the oldest.
    taken: u64,
}

impl<B> Default for EvictionQueue<B> {
    fn default() -> Self {
        Self {
            on_heap: Order::default(),
            off_heap: Order::default(),
            taken: 0,
        }
    }
}

#[derive(Debug)]
struct Order<B> {
    slots: Slots<B>,
    datasets: FxHashMap<Option<Dataset>, Line>,
    /// Each line, by a stamp that its first block is not older than. As long as one line leads, nothing
    /// changes here, whoever leaves it: the others are known to begin later.
    heads: BTreeSet<(Stamp, Option<Dataset>)>,
    bytes: u64,
}

impl<B> Default for Order<B> {
    fn default() -> Self {
        Self {
            slots: Slots::default(),
            datasets: FxHashMap::default(),
            heads: BTreeSet::new(),
            bytes: 0,
        }
    }
}

/// A block in the queue.
#[derive(Debug)]
pub(crate) struct Queued<B> {
    pub(crate) block: B,
    pub(crate) bytes: u64,
}

impl<B> EvictionQueue<B> {
    #[inline]
    pub(crate) fn insert(
        &mut self,
        mode: MemoryMode,
        dataset: Option<Dataset>,
        stamp: Stamp,
        queued: Queued<B>,
    ) -> Place {
        let order = self.order(mode);
        let line = order.datasets.entry(dataset).or_default();
        // Sums of blocks' sizes: they are granted, so they fit.
        order.bytes += queued.bytes;
        if line.bound.is_none_or(|bound| stamp < bound) {
            line.rebound(&mut order.heads, dataset, Some(stamp));
        }
        line.insert(&mut order.slots, stamp, queued)
    }

    /// Takes out a block that stands at `place` in the line of its dataset.
    pub(crate) fn remove(
        &mut self,
        mode: MemoryMode,
        dataset: Option<Dataset>,
        place: Place,
    ) -> Option<Queued<B>> {
        let order = self.order(mode);
        let line = order.datasets.get_mut(&dataset)?;
        let queued = line.remove(&mut order.slots, place)?;
        order.bytes -= queued.bytes;
        if line.head(&order.slots).is_none() {
            line.rebound(&mut order.heads, dataset, None);
            order.datasets.remove(&dataset);
        }
        Some(queued)
    }

    /// Takes out the oldest block of `mode` that is not of the dataset `spare`; where a size is `wanted`
    /// and that block has another, none.
    pub(crate) fn take_oldest(
        &mut self,
        mode: MemoryMode,
        spare: Option<Dataset>,
        wanted: Option<u64>,
    ) -> Option<(Stamp, Queued<B>)> {
        let order = self.order(mode);
        let (dataset, stamp, place) = order.oldest(spare)?;
        if wanted.is_some() && order.slots.queued_at(place).map(|queued| queued.bytes) != wanted {
            return None;
        }
        self.taken = self.taken.wrapping_add(1);
        let queued = self.remove(mode, dataset, place)?;
        Some((stamp, queued))
    }

    /// The first of a line, which is likely to be the next oldest where another of the line just was.
    pub(crate) fn first_of(
        &mut self,
        mode: MemoryMode,
        dataset: Option<Dataset>,
    ) -> Option<&Queued<B>> {
        let order = self.order(mode);
        let (_, place) = order.datasets.get(&dataset)?.head(&order.slots)?;
        order.slots.queued_at(place)
    }

    /// Bytes of all blocks of `mode` that are not of the dataset `spare`.
    pub(crate) fn bytes(&mut self, mode: MemoryMode, spare: Option<Dataset>) -> u64 {
        let order = self.order(mode);
        let spared = spare.and_then(|_| order.datasets.get(&spare));
        order.bytes - spared.map_or(0, Line::bytes)
    }

    /// How often a block was taken out as the oldest.
    pub(crate) fn taken(&self) -> u64 {
        self.taken
    }

    fn order(&mut self, mode: MemoryMode) -> &mut Order<B> {
        match mode {
            MemoryMode::OnHeap => &mut self.on_heap,
            MemoryMode::OffHeap => &mut self.off_heap,
        }
    }
}

impl<B> Order<B> {
    /// The oldest block that is not of the dataset `spare`. Costs one step more for each line that some
    /// block has left, as its first, since it was last found to begin too late; and at most one line is
    /// passed over.
    fn oldest(&mut self, spare: Option<Dataset>) -> Option<(Option<Dataset>, Stamp, Place)> {
        loop {
            let heads = self.heads.iter();
            let mut others = heads.filter(|(_, of)| of.is_none() || *of != spare);
            let (_, dataset) = *others.next()?;
            let next = others.next().map(|(bound, _)| *bound);
            let line = self.datasets.get_mut(&dataset)?;
            let (stamp, place) = line.head(&self.slots)?;
            if next.is_none_or(|next| stamp <= next) {
                return Some((dataset, stamp, place));
            }
            line.rebound(&mut self.heads, dataset, Some(stamp));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use MemoryMode::{OffHeap, OnHeap};

    fn dataset(id: i64) -> Option<Dataset> {
        Some(Dataset::new(id))
    }

    fn queued(block: &'static str, bytes: u64) -> Queued<&'static str> {
        Queued { block, bytes }
    }

    #[test]
    fn the_oldest_of_all_lines_comes_first_but_for_the_spared_one() {
        let mut queue = EvictionQueue::default();
        queue.insert(OnHeap, dataset(1), 1, queued("a", 10));
        queue.insert(OnHeap, dataset(2), 2, queued("b", 20));
        queue.insert(OnHeap, None, 3, queued("c", 30));
        queue.insert(OffHeap, None, 0, queued("other mode", 40));
        queue.insert(OnHeap, dataset(1), 4, queued("d", 50));
        assert_eq!(queue.bytes(OnHeap, None), 110);
        assert_eq!(queue.bytes(OnHeap, dataset(1)), 50);
        assert_eq!(queue.bytes(OnHeap, dataset(9)), 110);
        let mut take = |spare| queue.take_oldest(OnHeap, spare, None).map(|(_, q)| q.block);
        assert_eq!(take(dataset(1)), Some("b"));
        assert_eq!(take(dataset(1)), Some("c"));
        assert_eq!(take(dataset(1)), None);
        assert_eq!(take(None), Some("a"));
        assert_eq!(take(dataset(2)), Some("d"));
        assert_eq!(take(None), None);
        assert_eq!(queue.taken(), 4);
        assert_eq!(queue.bytes(OnHeap, None), 0);
        assert_eq!(queue.bytes(OffHeap, dataset(1)), 40);
    }

    #[test]
    fn removing_a_head_lets_the_next_lead() {
        let mut queue = EvictionQueue::default();
        queue.insert(OnHeap, dataset(1), 5, queued("a", 1));
        let front = queue.insert(OnHeap, dataset(1), 3, queued("put back in front", 1));
        queue.insert(OnHeap, dataset(2), 4, queued("b", 1));
        assert!(queue.remove(OnHeap, dataset(7), front).is_none());
        assert_eq!(
            queue.remove(OnHeap, dataset(1), front).unwrap().block,
            "put back in front"
        );
        assert!(queue.remove(OnHeap, dataset(1), front).is_none());
        let (stamp, first) = queue.take_oldest(OnHeap, None, None).unwrap();
        assert_eq!((stamp, first.block), (4, "b"));
        assert_eq!(queue.take_oldest(OnHeap, None, None).unwrap().0, 5);
    }

    /// Blocks come and go in any order; the queue is a sorted list of them.
    #[test]
    fn whoever_comes_and_goes_the_oldest_is_taken() {
        let mut random = 88_172_645_463_325_252_u64;
        let mut draw = |end: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % end
        };
        let mut queue = EvictionQueue::default();
        let mut model: Vec<(Stamp, i64, Place)> = Vec::new();
        for step in 0..20_000_u64 {
            match draw(5) {
                0 | 1 => {
                    // A put, or the return of one that was used some time ago.
                    let stamp = if draw(2) == 0 { step } else { draw(step + 1) };
                    if model.iter().all(|(there, ..)| *there != stamp) {
                        let of = i64::try_from(draw(3)).unwrap();
                        let place = queue.insert(
                            OnHeap,
                            dataset(of),
                            stamp,
                            Queued {
                                block: stamp,
                                bytes: 1,
                            },
                        );
                        model.push((stamp, of, place));
                    }
                }
                2 if !model.is_empty() => {
                    let at = usize::try_from(draw(model.len() as u64)).unwrap();
                    let (stamp, of, place) = model.swap_remove(at);
                    let queued = queue.remove(OnHeap, dataset(of), place).unwrap();
                    assert_eq!(queued.block, stamp);
                }
                _ => {
                    let spare = i64::try_from(draw(4)).unwrap();
                    let others = model.iter().filter(|(_, of, _)| *of != spare);
                    let oldest = others.min().copied();
                    let taken = queue.take_oldest(OnHeap, dataset(spare), None);
                    assert_eq!(
                        taken.map(|(stamp, _)| stamp),
                        oldest.map(|(stamp, ..)| stamp)
                    );
                    model.retain(|entry| Some(*entry) != oldest);
                }
            }
            let others = model.iter().filter(|(_, of, _)| *of != 1).count();
            assert_eq!(queue.bytes(OnHeap, dataset(1)), others as u64);
        }
    }
}
