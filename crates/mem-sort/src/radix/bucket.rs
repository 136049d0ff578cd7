//! Sorting what fits the cache: spread by some bits, then inserted, or spread again.

use super::item::{Item, Span, compare, count, fetched, insert, scatter, starts, write};

/// Most bits by which a bucket is spread at once.
pub(super) const BUCKET_BITS: u32 = 13;
/// The same for a part of a bucket.
const PART_BITS: u32 = 8;
/// As many items with the same digit are put in order by insertion.
const FEW: usize = 24;

/// Sorts `data` of at most 2^32 - 1 items, which is in no bucket yet.
pub(super) fn sort_whole<T: Item>(data: &mut [T], scratch: &mut [T], span: Span) {
    if data.len() <= FEW {
        insert(data, span);
        return;
    }
    let first = data[0];
    scratch.copy_from_slice(data);
    let differing = |varying, item: &T| varying | (item.word() ^ first.word());
    let span = span.within(scratch.iter().fold(0, differing));
    if data.len() <= 1 << PART_BITS {
        // Clearing more places would take longer than sorting.
        spread(scratch, data, span, PART_BITS, &mut [0; 1 << PART_BITS]);
    } else {
        spread(scratch, data, span, BUCKET_BITS, &mut [0; 1 << BUCKET_BITS]);
    }
}

/// Sorts a bucket, whose items are in `pieces` and go to `out`. `spare` is memory in the cache that can
/// be overwritten, as much of it as there is. It is written past the cache if `out` is `far` from it.
pub(super) fn sort_pieces<T: Item>(
    pieces: &[&[T]],
    out: &mut [T],
    spare: &mut [T],
    span: Span,
    far: bool,
) {
    if span.left == 0 {
        write(pieces, out, far);
        return;
    }
    let Some(first) = pieces.iter().find_map(|piece| piece.first()) else {
        return;
    };
    if out.len() <= FEW {
        write(pieces, out, false);
        insert(out, span);
        return;
    }
    let bits = match T::STABLE && spare.len() < out.len() {
        // By all that is left, as parts might have to be compared.
        true => span.left,
        false => width(out.len(), BUCKET_BITS, span),
    };
    let (digit, left) = span.split(bits);
    let mut places = [0; 1 << BUCKET_BITS];
    let places = &mut places[..digit.values()];
    for piece in fetched(pieces) {
        count(piece, digit, places, *first);
    }
    let largest = starts(places);
    if let Some(hot) = spare.get_mut(..out.len()) {
        for piece in pieces {
            scatter(piece, hot, digit, places);
        }
        sort_parts(hot, out, places, largest, left);
        write(&[hot], out, far);
    } else {
        for piece in pieces {
            scatter(piece, out, digit, places);
        }
        sort_parts(out, spare, places, largest, left);
    }
}

/// Sorts what is in `from` into `to`, by at most `most` bits at once.
fn spread<T: Item>(from: &mut [T], to: &mut [T], span: Span, most: u32, places: &mut [u32]) {
    let (digit, left) = span.split(width(from.len(), most, span));
    let places = &mut places[..digit.values()];
    let first = from[0];
    count(from, digit, places, first);
    let largest = starts(places);
    scatter(from, to, digit, places);
    sort_parts(to, from, places, largest, left);
}

/// By how many bits so many items are spread: so many that most have a place to themselves.
fn width(items: usize, most: u32, span: Span) -> u32 {
    (items.ilog2() + 1).min(most).min(span.left)
}

/// Sorts items that are spread already: the parts that end at `ends`, of which the longest has `largest`
/// items.
fn sort_parts<T: Item>(items: &mut [T], spare: &mut [T], ends: &[u32], largest: u32, span: Span) {
    if span.left == 0 {
        return;
    }
    if largest as usize <= FEW {
        // Those of different parts are in order, so none goes beyond its part.
        insert(items, span);
        return;
    }
    let mut start = 0;
    for end in ends {
        let end = *end as usize;
        sort_part(&mut items[start..end], spare, span);
        start = end;
    }
}

fn sort_part<T: Item>(part: &mut [T], spare: &mut [T], span: Span) {
    if part.len() <= FEW {
        insert(part, span);
    } else if let Some(spare) = spare.get_mut(..part.len()) {
        spare.copy_from_slice(part);
        spread(spare, part, span, PART_BITS, &mut [0; 1 << PART_BITS]);
    } else {
        compare(part, span);
    }
}
