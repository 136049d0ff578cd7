//! What is sorted, by which bits, and the loops over it.

use std::ops::Range;

use bytemuck::{Pod, cast_slice, cast_slice_mut};
use mem_block::copy_past_cache;

/// How many pieces ahead a piece is brought into the cache.
const AHEAD: usize = 4;

/// Something that is sorted by bits of a word in it.
pub(super) trait Item: Pod + Send + Sync {
    /// Whether equal ones keep their order, as far as there is spare memory.
    const STABLE: bool;

    fn word(self) -> u64;
}

impl Item for u64 {
    const STABLE: bool = true;

    #[inline]
    fn word(self) -> u64 {
        self
    }
}

impl Item for [u64; 2] {
    const STABLE: bool = false;

    #[inline]
    fn word(self) -> u64 {
        self[0]
    }
}

/// The bits that are sorted by, and how many of them are left to be: the higher ones are done.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    low: u32,
    /// Bits from `low` on that are left.
    pub(super) left: u32,
    /// All bits that are sorted by.
    mask: u64,
}

impl Span {
    pub(super) fn new(bits: Range<u32>) -> Self {
        assert!(bits.end <= u64::BITS, "bits beyond a word");
        let left = bits.end.saturating_sub(bits.start);
        let ones = u64::MAX.checked_shr(u64::BITS - left).unwrap_or(0);
        Self {
            low: bits.start,
            left,
            mask: ones.checked_shl(bits.start).unwrap_or(0),
        }
    }

    /// What the item is sorted by.
    #[inline]
    pub(super) fn key<T: Item>(self, item: T) -> u64 {
        item.word() & self.mask
    }

    /// What is left if items differ in no other bits than `varying`.
    pub(super) fn within(self, varying: u64) -> Self {
        let end = u64::BITS - (varying & self.mask).leading_zeros();
        Self {
            left: end.saturating_sub(self.low),
            ..self
        }
    }

    /// The highest `bits` of those left, and what is left below them.
    pub(super) fn split(self, bits: u32) -> (Digit, Self) {
        let left = Self {
            left: self.left - bits,
            ..self
        };
        let digit = Digit {
            // Of no bits at all, it does not matter where they are.
            shift: (left.low + left.left).min(u64::BITS - 1),
            values: 1 << bits,
        };
        (digit, left)
    }
}

/// Some bits of a word, as a number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Digit {
    shift: u32,
    values: usize,
}

impl Digit {
    /// Values that it can have.
    pub(super) fn values(self) -> usize {
        self.values
    }

    /// The digit of an item, where a table has as many `places` as it has values: told of the table's own
    /// length, the compiler sees that it is a place in there.
    #[inline]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "what is cut off is masked out too"
    )]
    fn of<T: Item>(self, item: T, places: usize) -> usize {
        (item.word() >> self.shift) as usize & (places - 1)
    }
}

/// Counts the items by their digits. Returns the bits in which any of them differs from `first`.
// Inlined, so that who does not need those bits does not pay for them.
#[inline(always)]
pub(super) fn count<T: Item>(items: &[T], digit: Digit, counts: &mut [u32], first: T) -> u64 {
    let mut varying = 0;
    for item in items {
        varying |= item.word() ^ first.word();
        counts[digit.of(*item, counts.len())] += 1;
    }
    varying
}

/// Turns counts into where each digit's items begin, and says how large the largest count is.
pub(super) fn starts(counts: &mut [u32]) -> u32 {
    let (mut start, mut largest) = (0, 0);
    for count in counts {
        largest = largest.max(*count);
        let end = start + *count;
        *count = start;
        start = end;
    }
    largest
}

/// Puts each item where its digit's items go on, so that starts become ends.
#[inline(never)]
pub(super) fn scatter<T: Item>(items: &[T], to: &mut [T], digit: Digit, places: &mut [u32]) {
    for item in items {
        let place = &mut places[digit.of(*item, places.len())];
        to[*place as usize] = *item;
        *place += 1;
    }
}

/// The pieces, each of which is on its way into the cache when its turn comes.
pub(super) fn fetched<'a, T: Item>(pieces: &[&'a [T]]) -> impl Iterator<Item = &'a [T]> {
    pieces.iter().enumerate().map(|(at, piece)| {
        if let Some(later) = pieces.get(at + AHEAD) {
            mem_block::Span::of(*later).fetch();
        }
        *piece
    })
}

/// Writes `pieces` to `to` one after the other: past the cache if that is `far`, out of the cache again
/// before it is read.
pub(super) fn write<T: Item>(pieces: &[&[T]], to: &mut [T], far: bool) {
    if far {
        let pieces = fetched(pieces).map(|piece| cast_slice(piece));
        copy_past_cache(pieces, cast_slice_mut(to));
        return;
    }
    let mut rest = to;
    for piece in pieces {
        let (this, behind) = rest.split_at_mut(piece.len());
        this.copy_from_slice(piece);
        rest = behind;
    }
}

/// Sorts by inserting each item among those before it: fast where little is out of order.
#[inline(never)]
pub(super) fn insert<T: Item>(items: &mut [T], span: Span) {
    for at in 1..items.len() {
        let item = items[at];
        let key = span.key(item);
        if span.key(items[at - 1]) <= key {
            continue;
        }
        let mut hole = at;
        while hole > 0 && span.key(items[hole - 1]) > key {
            items[hole] = items[hole - 1];
            hole -= 1;
        }
        items[hole] = item;
    }
}

/// Sorts by comparing, in place; equal items come in any order.
pub(super) fn compare<T: Item>(items: &mut [T], span: Span) {
    items.sort_unstable_by_key(|item| span.key(*item));
}
