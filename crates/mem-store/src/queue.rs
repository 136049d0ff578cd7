//! The order in which blocks are evicted.

use std::collections::{BTreeMap, BTreeSet};

use mem_block::MemoryMode;
use mem_pool::Dataset;
use rustc_hash::FxHashMap;

/// A point of the order: what was used later has a larger one. No two blocks have the same.
pub(crate) type Stamp = u64;

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
    datasets: FxHashMap<Option<Dataset>, Line<B>>,
    /// The first of each line.
    heads: BTreeSet<(Stamp, Option<Dataset>)>,
    bytes: u64,
}

impl<B> Default for Order<B> {
    fn default() -> Self {
        Self {
            datasets: FxHashMap::default(),
            heads: BTreeSet::new(),
            bytes: 0,
        }
    }
}

/// The blocks of one dataset, or those that belong to none.
#[derive(Debug)]
struct Line<B> {
    blocks: BTreeMap<Stamp, Queued<B>>,
    bytes: u64,
}

impl<B> Default for Line<B> {
    fn default() -> Self {
        Self {
            blocks: BTreeMap::new(),
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

impl<B> Line<B> {
    fn head(&self) -> Option<Stamp> {
        self.blocks.first_key_value().map(|(stamp, _)| *stamp)
    }
}

impl<B> EvictionQueue<B> {
    pub(crate) fn insert(
        &mut self,
        mode: MemoryMode,
        dataset: Option<Dataset>,
        stamp: Stamp,
        queued: Queued<B>,
    ) {
        let order = self.order(mode);
        let line = order.datasets.entry(dataset).or_default();
        let head = line.head();
        // Sums of blocks' sizes: they are granted, so they fit.
        line.bytes += queued.bytes;
        order.bytes += queued.bytes;
        line.blocks.insert(stamp, queued);
        order.move_head(dataset, head);
    }

    pub(crate) fn remove(
        &mut self,
        mode: MemoryMode,
        dataset: Option<Dataset>,
        stamp: Stamp,
    ) -> Option<Queued<B>> {
        let order = self.order(mode);
        let line = order.datasets.get_mut(&dataset)?;
        let head = line.head();
        let queued = line.blocks.remove(&stamp)?;
        line.bytes -= queued.bytes;
        order.bytes -= queued.bytes;
        order.move_head(dataset, head);
        Some(queued)
    }

    /// Takes out the oldest block of `mode` that is not of the dataset `spare`.
    pub(crate) fn take_oldest(
        &mut self,
        mode: MemoryMode,
        spare: Option<Dataset>,
    ) -> Option<(Stamp, Queued<B>)> {
        // At most one line is passed over.
        let mut heads = self.order(mode).heads.iter();
        let (stamp, dataset) = *heads.find(|(_, of)| of.is_none() || *of != spare)?;
        self.taken = self.taken.wrapping_add(1);
        let queued = self.remove(mode, dataset, stamp)?;
        Some((stamp, queued))
    }

    /// Bytes of all blocks of `mode` that are not of the dataset `spare`.
    pub(crate) fn bytes(&mut self, mode: MemoryMode, spare: Option<Dataset>) -> u64 {
        let order = self.order(mode);
        let spared = spare.and_then(|_| order.datasets.get(&spare));
        order.bytes - spared.map_or(0, |line| line.bytes)
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
    /// The line of `dataset` began with `before`; puts what it begins with now in its place.
    fn move_head(&mut self, dataset: Option<Dataset>, before: Option<Stamp>) {
        let now = self.datasets.get(&dataset).and_then(Line::head);
        if now == before {
            return;
        }
        if let Some(before) = before {
            self.heads.remove(&(before, dataset));
        }
        match now {
            Some(now) => {
                self.heads.insert((now, dataset));
            }
            None => {
                self.datasets.remove(&dataset);
            }
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
        let mut take = |spare| queue.take_oldest(OnHeap, spare).map(|(_, q)| q.block);
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
        queue.insert(OnHeap, dataset(1), 3, queued("put back in front", 1));
        queue.insert(OnHeap, dataset(2), 4, queued("b", 1));
        assert!(queue.remove(OnHeap, dataset(1), 9).is_none());
        assert!(queue.remove(OnHeap, dataset(7), 3).is_none());
        assert_eq!(
            queue.remove(OnHeap, dataset(1), 3).unwrap().block,
            "put back in front"
        );
        let (stamp, first) = queue.take_oldest(OnHeap, None).unwrap();
        assert_eq!((stamp, first.block), (4, "b"));
        assert_eq!(queue.take_oldest(OnHeap, None).unwrap().0, 5);
    }
}
