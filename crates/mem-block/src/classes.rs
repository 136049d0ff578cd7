//! Size classes: powers of two, each with four steps up to the next.
//!
//! `..., 64, 80, 96, 112, 128, 160, ...` KiB: rounding up adds less than a quarter of the size.

/// Number of indices that [`index_of`] gives.
pub(crate) const CLASSES: usize = 192;

/// Blocks from this many bytes on are kept when freed; below, the global allocator's own lists of
/// small blocks serve as well.
pub(crate) const KEPT_FROM: u64 = 64 << 10;

const STEPS_BITS: u32 = 2;

/// The smallest class that holds `size` bytes; a multiple of 8. None past 64 bits.
pub(crate) fn round_up(size: u64) -> Option<u64> {
    let step = match size.checked_ilog2() {
        Some(power) if power >= 5 => 1 << (power - STEPS_BITS),
        _ => 8,
    };
    size.checked_next_multiple_of(step)
}

/// Index of the largest class that `capacity` holds, counted from [`KEPT_FROM`].
///
/// Every capacity of one index serves any request for the class itself.
pub(crate) fn index_of(capacity: u64) -> usize {
    let first = KEPT_FROM.ilog2();
    let capacity = capacity.max(KEPT_FROM);
    let power = capacity.ilog2();
    let step = (capacity >> (power - STEPS_BITS)) & ((1 << STEPS_BITS) - 1);
    let index = (u64::from(power - first) << STEPS_BITS) + step;
    usize::try_from(index).expect("at most 4 * 48, as a capacity has at most 64 bits")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_have_four_steps() {
        let kib = |sizes: &[u64]| sizes.iter().map(|n| n << 10).collect::<Vec<_>>();
        let mut classes = Vec::new();
        let mut size = 64 << 10;
        while size <= 256 << 10 {
            classes.push(size);
            size = round_up(size + 1).unwrap();
        }
        assert_eq!(classes, kib(&[64, 80, 96, 112, 128, 160, 192, 224, 256]));
    }

    #[test]
    fn rounding_is_idempotent_and_adds_less_than_a_quarter() {
        let mut size = 1_u64;
        while size < 1 << 60 {
            for size in [size - 1, size, size + 1, size + size / 3] {
                let class = round_up(size).unwrap();
                assert_eq!(round_up(class), Some(class));
                assert_eq!(class % 8, 0);
                assert!(class >= size);
                assert!(size < 32 || (class - size) * 4 < size, "{size} -> {class}");
            }
            size = size * 5 / 4 + 1;
        }
        assert_eq!(round_up(0), Some(0));
        assert_eq!(round_up(u64::MAX), None);
    }

    #[test]
    fn indices_grow_by_one_a_class() {
        let mut class = KEPT_FROM;
        for index in 0..CLASSES - 1 {
            assert_eq!(index_of(class), index);
            let next = round_up(class + 1).unwrap();
            assert_eq!(index_of(next - 1), index);
            class = next;
        }
        assert_eq!(index_of(u64::MAX), CLASSES - 1);
    }
}
