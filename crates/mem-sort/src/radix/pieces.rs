//! Sorting what does not fit the cache: spread piece by piece, then gathered bucket by bucket.

use std::thread;

use super::bucket::{BUCKET_BITS, sort_pieces};
use super::item::{Item, Span, count, scatter, starts, write};

/// Bytes of a piece. It and its copy are to fit the cache that a core has to itself, and it is no power
/// of two, so that its buckets do not all fall on the same few places of the cache.
const PIECE_BYTES: usize = 496 << 10;
/// What a bucket is to have at most, in bytes, if keys are spread evenly.
const BUCKET_BYTES: usize = 96 << 10;
/// Most bits that the pieces are spread by.
const PIECE_BITS: u32 = 11;

/// From so many bytes on, the data is not in a cache any more when it is read again.
pub(super) const FAR_BYTES: usize = 6 << 20;

/// Items in a piece.
pub(super) const fn length<T>() -> usize {
    PIECE_BYTES / size_of::<T>()
}

/// Sorts `data`, longer than a piece, on `threads` threads.
pub(super) fn sort<T: Item>(data: &mut [T], scratch: &mut [T], span: Span, threads: usize) {
    let first = data[0];
    let sample = data.iter().step_by(data.len() / 256);
    let mut varying = sample.fold(0, |varying, item| varying | (item.word() ^ first.word()));
    loop {
        let narrow = span.within(varying);
        let bits = piece_bits::<T>(data.len(), narrow);
        let (spread, others) = Spread::new(data, scratch, narrow, bits, threads);
        varying |= others;
        // The sample need not show all bits, but now they are known.
        if span.within(varying).left == narrow.left {
            spread.gather(data, threads);
            return;
        }
    }
}

/// By how many bits pieces are spread.
fn piece_bits<T: Item>(items: usize, span: Span) -> u32 {
    let buckets = (items * size_of::<T>()).div_ceil(BUCKET_BYTES);
    let enough = usize::BITS - buckets.leading_zeros();
    let least = match T::STABLE {
        true => span.left.saturating_sub(BUCKET_BITS),
        false => 0,
    };
    enough.max(least).min(PIECE_BITS).min(span.left)
}

/// Pieces, each of them in the order of its items' highest digit.
struct Spread<'a, T> {
    items: &'a [T],
    /// For each piece, where each digit's items begin in it.
    starts: Vec<u16>,
    buckets: usize,
    /// Whether all of it is more than a cache holds.
    far: bool,
    /// What is left to sort by in a bucket.
    left: Span,
}

impl<'a, T: Item> Spread<'a, T> {
    /// Spreads `data` into `to` by the highest `bits` of `span`. Returns the bits in which items differ
    /// from the first one, too.
    fn new(data: &[T], to: &'a mut [T], span: Span, bits: u32, threads: usize) -> (Self, u64) {
        let (digit, left) = span.split(bits);
        let buckets = digit.values();
        let pieces = data.len().div_ceil(length::<T>());
        let mut all_starts = vec![0; pieces * row(buckets)];
        let far = size_of_val(data) >= FAR_BYTES;
        let share = pieces.div_ceil(threads);
        let first = data[0];
        let parts = data
            .chunks(share * length::<T>())
            .zip(to.chunks_mut(share * length::<T>()))
            .zip(all_starts.chunks_mut(share * row(buckets)));
        let jobs = parts.map(|((data, to), starts)| {
            move || {
                let mut places = vec![0; buckets];
                let (mut varying, mut to) = (0, to);
                let pieces = data.chunks(length::<T>());
                for (piece, starts) in pieces.zip(starts.chunks_mut(row(buckets))) {
                    let (this, behind) = to.split_at_mut(piece.len());
                    places.fill(0);
                    varying |= count(piece, digit, &mut places, first);
                    begin(&mut places, starts, piece.len());
                    in_cache(this, behind, far, |to| {
                        scatter(piece, to, digit, &mut places);
                    });
                    to = behind;
                }
                varying
            }
        });
        let varying = run(jobs.collect());
        let spread = Self {
            items: to,
            starts: all_starts,
            buckets,
            far,
            left,
        };
        (spread, varying.into_iter().fold(0, |all, some| all | some))
    }

    /// Sorts all buckets into `data`.
    fn gather(&self, data: &mut [T], threads: usize) {
        let length_of = |bucket| self.pieces(bucket).map(<[T]>::len).sum();
        let lengths: Vec<usize> = (0..self.buckets).map(length_of).collect();
        let share = data.len().div_ceil(threads);
        let mut jobs = Vec::with_capacity(threads);
        let (mut rest, mut bucket) = (data, 0);
        for _ in 0..threads {
            let first = bucket;
            let mut length = 0;
            while bucket < self.buckets && length < share {
                length += lengths[bucket];
                bucket += 1;
            }
            let (part, behind) = rest.split_at_mut(length);
            let lengths = &lengths[first..bucket];
            jobs.push(move || self.gather_some(first, lengths, part));
            rest = behind;
        }
        run(jobs);
    }

    /// Sorts buckets from `first` on, which have these `lengths`.
    fn gather_some(&self, first: usize, lengths: &[usize], out: &mut [T]) {
        let mut out = out;
        let mut pieces = Vec::with_capacity(self.items.len().div_ceil(length::<T>()));
        for (bucket, items) in (first..).zip(lengths) {
            pieces.clear();
            pieces.extend(self.pieces(bucket));
            let (this, behind) = out.split_at_mut(*items);
            // Always the same memory at the end, as it stays in the cache.
            let cached = behind.len().min(length::<T>());
            let at = behind.len() - cached;
            sort_pieces(&pieces, this, &mut behind[at..], self.left, self.far);
            out = behind;
        }
    }

    /// The items of a bucket.
    fn pieces(&self, bucket: usize) -> impl Iterator<Item = &[T]> {
        let pieces = self.items.chunks(length::<T>());
        let starts = self.starts.chunks(row(self.buckets));
        pieces.zip(starts).map(move |(piece, starts)| {
            &piece[usize::from(starts[bucket])..usize::from(starts[bucket + 1])]
        })
    }
}

/// How many starts are noted of each piece: one for each bucket and the end of the last, and some more so
/// that those of one bucket do not all fall on the same few places of the cache.
const fn row(buckets: usize) -> usize {
    buckets + 32
}

/// Turns counts of a piece into starts, and notes them and the end.
fn begin(places: &mut [u32], noted: &mut [u16], end: usize) {
    starts(places);
    let all = places.iter().map(|start| *start as usize).chain([end]);
    for (place, noted) in all.zip(noted) {
        *noted = u16::try_from(place).expect("a piece has fewer than 2^16 items");
    }
}

/// Has `fill` fill memory that is in the cache, and copies it to `to`: the same at the end of `behind`
/// each time, as long as it is not the turn of that itself.
fn in_cache<T: Item>(to: &mut [T], behind: &mut [T], far: bool, fill: impl FnOnce(&mut [T])) {
    match behind.len().checked_sub(to.len()) {
        Some(at) => {
            fill(&mut behind[at..]);
            write(&[&behind[at..]], to, far);
        }
        None => fill(to),
    }
}

/// Does all jobs, the last on this thread. Their results are in their order.
fn run<R: Send>(mut jobs: Vec<impl FnOnce() -> R + Send>) -> Vec<R> {
    let last = jobs.pop();
    thread::scope(|scope| {
        let others: Vec<_> = jobs.into_iter().map(|job| scope.spawn(job)).collect();
        let last = last.map(|job| job());
        let joined = others
            .into_iter()
            .map(|other| other.join().expect("sorting does not panic"));
        joined.chain(last).collect()
    })
}
