//! Which of two records comes first.

use std::cmp::Ordering;

/// The order of records. They are compared byte by byte, as `memcmp` does; where one is the
/// beginning of another, it is the smaller one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Order {
    /// The smallest first.
    #[default]
    Ascending,
    /// The largest first.
    Descending,
}

impl Order {
    /// Compares two records: `Less` where `a` comes first.
    #[must_use]
    pub fn compare(self, a: &[u8], b: &[u8]) -> Ordering {
        self.apply(a.cmp(b))
    }

    /// This order of two that compare so in ascending order.
    #[inline]
    pub(crate) fn apply(self, ascending: Ordering) -> Ordering {
        match self {
            Self::Ascending => ascending,
            Self::Descending => ascending.reverse(),
        }
    }
}

/// The number of bytes that `a` and `b` have in common at the front.
pub(crate) fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    const WORD: usize = size_of::<u64>();
    let both = a.len().min(b.len());
    let (a, b) = (&a[..both], &b[..both]);
    let (a_words, a_rest) = a.as_chunks::<WORD>();
    let (b_words, b_rest) = b.as_chunks::<WORD>();
    for (index, (x, y)) in a_words.iter().zip(b_words).enumerate() {
        let differing = u64::from_be_bytes(*x) ^ u64::from_be_bytes(*y);
        if differing != 0 {
            return index * WORD + equal_bytes(differing);
        }
    }
    let equal = |(x, y): &(&u8, &u8)| x == y;
    a_words.len() * WORD + a_rest.iter().zip(b_rest).take_while(equal).count()
}

/// The number of zero bytes at the high end of `differing`.
pub(crate) fn equal_bytes(differing: u64) -> usize {
    // At most 64 / 8.
    (differing.leading_zeros() / u8::BITS) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_prefixes_end_at_the_first_difference_or_at_an_end() {
        let long: Vec<u8> = (0..40).collect();
        for end in 0..long.len() {
            assert_eq!(common_prefix(&long, &long[..end]), end);
            let mut other = long.clone();
            other[end] ^= 0x80;
            assert_eq!(common_prefix(&long, &other), end);
            assert_eq!(common_prefix(&long[..=end], &other[..=end]), end);
        }
    }

    #[test]
    fn a_beginning_comes_before_the_whole_when_ascending() {
        assert_eq!(Order::Ascending.compare(b"a", b"a\0"), Ordering::Less);
        assert_eq!(Order::Descending.compare(b"a", b"a\0"), Ordering::Greater);
        assert_eq!(Order::Ascending.compare(b"\x7f", b"\x80"), Ordering::Less);
    }
}
