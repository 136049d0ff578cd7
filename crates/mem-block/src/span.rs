//! Where memory is that will soon be wanted.

use crate::cache;

/// Bytes of a line of the processor's cache.
const LINE: usize = 64;
/// How much is brought in beforehand. Whoever goes through more than that is followed by the processor.
const FETCHED_MAX: usize = 2 << 10;

/// A range of addresses: numbers only, which keep nothing alive and give access to nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Span {
    address: usize,
    len: usize,
}

impl Span {
    /// Where `value` is.
    #[must_use]
    pub fn of<T: ?Sized>(value: &T) -> Self {
        Self {
            address: std::ptr::from_ref(value).addr(),
            len: size_of_val(value),
        }
    }

    /// Asks the processor to bring the beginning of it into its cache, and waits for nothing. A hint:
    /// it has no effect but on time, also where the memory is another's by now, or nobody's.
    #[inline]
    pub fn fetch(self) {
        let len = self.len.min(FETCHED_MAX);
        let first = self.address - self.address % LINE;
        (first..self.address + len)
            .step_by(LINE)
            .for_each(cache::fetch);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_is_nobodys_can_be_asked_for() {
        let gone = Span::of(&*vec![1_u8; 100]);
        gone.fetch();
        Span::default().fetch();
        let words: Vec<u64> = (0..1000).collect();
        Span::of(&*words).fetch();
        assert!(words.into_iter().eq(0..1000));
    }
}
