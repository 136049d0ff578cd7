//! The places of a slab: pieces of equal size, cut off chunks of memory.

use std::collections::BTreeSet;
use std::io;
use std::ptr::NonNull;

use mem_sync::Mutex;

use super::{LINE, SIZES};
use crate::mapping::{self, HUGE_PAGE};
use crate::raw::Pages;

/// Bytes of the first chunk. Those who have few objects need no huge page for them.
const FIRST: usize = 256 << 10;

/// All slots of the process, by size. Held for taking one or giving one back, and while a chunk of
/// memory is mapped.
static SLOTS: [Mutex<Slots>; SIZES] = {
    const fn of(lines: usize) -> Mutex<Slots> {
        Mutex::new(Slots::new(lines * LINE))
    }
    [of(1), of(2), of(3), of(4), of(5), of(6), of(7), of(8)]
};

/// A free slot of the size of that number, which is the caller's from now on.
///
/// # Errors
/// The system's, where there is no memory.
pub(super) fn take(size: usize) -> io::Result<(NonNull<u8>, Place)> {
    SLOTS[size].lock().take()
}

/// Takes back what [`take`] gave.
pub(super) fn give_back(size: usize, _slot: NonNull<u8>, place: Place) {
    let unused = SLOTS[size].lock().give_back(place);
    // The system is not asked for anything under the mutex.
    drop(unused);
}

/// Which slot of which chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    chunk: u16,
    slot: u16,
}

/// Slots of one size.
#[derive(Debug)]
struct Slots {
    /// Bytes of a slot.
    size: usize,
    /// By their numbers, which are used again.
    chunks: Vec<Option<Chunk>>,
    /// Numbers of chunks that have free slots.
    open: BTreeSet<u16>,
    /// How many chunks have nothing but free slots. One is kept.
    empty: usize,
}

#[derive(Debug)]
struct Chunk {
    pages: Pages,
    free: Vec<u16>,
    slots: usize,
}

impl Slots {
    const fn new(size: usize) -> Self {
        Self {
            size,
            chunks: Vec::new(),
            open: BTreeSet::new(),
            empty: 0,
        }
    }

    fn take(&mut self) -> io::Result<(NonNull<u8>, Place)> {
        let number = match self.open.first() {
            Some(number) => *number,
            None => self.add_chunk()?,
        };
        let chunk = self.chunks[usize::from(number)].as_mut();
        let chunk = chunk.expect("open chunks are there");
        if chunk.free.len() == chunk.slots {
            self.empty -= 1;
        }
        let slot = chunk.free.pop().expect("open chunks have free slots");
        if chunk.free.is_empty() {
            self.open.remove(&number);
        }
        let place = Place {
            chunk: number,
            slot,
        };
        let at = usize::from(slot) * self.size;
        let start = chunk.pages.start();
        Ok((start.map_addr(|start| start.saturating_add(at)), place))
    }

    /// Takes a slot back. Memory that is no longer needed is returned, for the caller to drop.
    fn give_back(&mut self, place: Place) -> Option<Pages> {
        let there = &mut self.chunks[usize::from(place.chunk)];
        let chunk = there.as_mut().expect("chunks in use are there");
        chunk.free.push(place.slot);
        if chunk.free.len() < chunk.slots {
            self.open.insert(place.chunk);
            return None;
        }
        if self.empty > 0 {
            self.open.remove(&place.chunk);
            return there.take().map(|chunk| chunk.pages);
        }
        self.open.insert(place.chunk);
        self.empty += 1;
        None
    }

    fn add_chunk(&mut self) -> io::Result<u16> {
        let vacant = self.chunks.iter().position(Option::is_none);
        let at = vacant.unwrap_or(self.chunks.len());
        let number = u16::try_from(at).map_err(io::Error::other)?;
        let is_first = self.chunks.iter().all(Option::is_none);
        let pages = mapping::map(if is_first { FIRST } else { HUGE_PAGE })?;
        let slots = pages.len() / self.size;
        // The first are taken first. A huge page has room for 2^15 of the smallest.
        let free = (0..slots).rev().filter_map(|slot| u16::try_from(slot).ok());
        let chunk = Chunk {
            pages,
            free: free.collect(),
            slots,
        };
        if at == self.chunks.len() {
            self.chunks.push(None);
        }
        self.chunks[at] = Some(chunk);
        self.open.insert(number);
        self.empty += 1;
        Ok(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// What of the chunks' memory is taken, by address.
    fn take(slots: &mut Slots, taken: &mut BTreeMap<usize, Place>) {
        let (slot, place) = slots.take().unwrap();
        let address = slot.addr().get();
        assert!(address.is_multiple_of(LINE));
        let before = taken.range(..=address).next_back();
        assert!(before.is_none_or(|(start, _)| start + slots.size <= address));
        let after = taken.range(address..).next();
        assert!(after.is_none_or(|(start, _)| address + slots.size <= *start));
        taken.insert(address, place);
    }

    fn chunks(slots: &Slots) -> usize {
        slots.chunks.iter().flatten().count()
    }

    #[test]
    fn slots_lie_apart_and_chunks_go_when_nothing_is_left_in_them() {
        for size in [LINE, 3 * LINE, SIZES * LINE] {
            let mut slots = Slots::new(size);
            let mut taken = BTreeMap::new();
            let in_first = FIRST / size;
            (0..in_first).for_each(|_| take(&mut slots, &mut taken));
            assert_eq!((chunks(&slots), slots.open.len()), (1, 0));
            let in_huge = HUGE_PAGE / size;
            (0..2 * in_huge).for_each(|_| take(&mut slots, &mut taken));
            assert_eq!((chunks(&slots), slots.open.len(), slots.empty), (3, 0, 0));
            // Every third, then the rest: no chunk is empty until its last slot comes back.
            let mut unused = 0;
            for third in 0..3 {
                let places: Vec<_> = taken.values().copied().collect();
                let places = places.into_iter().skip(third).step_by(3);
                unused += places.filter_map(|place| slots.give_back(place)).count();
                assert!(third < 2 || unused == 2, "one is kept");
            }
            assert_eq!((chunks(&slots), slots.empty), (1, 1));
            // What has been given back is taken again, before there is another chunk.
            let mut again = BTreeMap::new();
            (0..in_first).for_each(|_| take(&mut slots, &mut again));
            assert_eq!(chunks(&slots), 1);
        }
    }

    #[test]
    fn the_smallest_slots_of_a_huge_page_have_numbers() {
        assert!(u16::try_from(HUGE_PAGE / LINE).is_ok());
        let mut slots = Slots::new(LINE);
        let mut taken = BTreeMap::new();
        let all = (FIRST + HUGE_PAGE) / LINE;
        (0..all).for_each(|_| take(&mut slots, &mut taken));
        assert_eq!((taken.len(), slots.open.len()), (all, 0));
    }
}
