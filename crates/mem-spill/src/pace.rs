//! Whether compressing pays: from how long it takes, and how long writing takes.

use mem_sync::{Clock, SystemClock};

/// Every so many blocks, one is compressed to see whether it would pay by now.
const TRY_EVERY: u64 = 64;
/// What was measured longer ago than this many bytes counts half, and so on.
const HALVED_AFTER: u64 = 32 << 20;

/// What something took.
#[derive(Debug, Clone, Copy, Default)]
struct Taken {
    nanoseconds: u64,
    /// Bytes that went in.
    bytes: u64,
    /// Bytes that came out.
    out: u64,
}

impl Taken {
    fn add(&mut self, nanoseconds: u64, bytes: u64, out: u64) {
        if self.bytes >= HALVED_AFTER {
            self.nanoseconds /= 2;
            self.bytes /= 2;
            self.out /= 2;
        }
        self.nanoseconds = self.nanoseconds.saturating_add(nanoseconds);
        self.bytes = self.bytes.saturating_add(bytes);
        self.out = self.out.saturating_add(out);
    }
}

/// What is known of a machine's speed.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    clock: SystemClock,
    blocks: u64,
    compressing: Taken,
    writing: Taken,
}

impl Pace {
    /// Whether the next block is to be compressed.
    fn wants_compression(&mut self) -> bool {
        let block = self.blocks;
        self.blocks = block.wrapping_add(1);
        block.is_multiple_of(TRY_EVERY) || self.pays()
    }

    /// Whether compressing a byte, and later decompressing it in a quarter of that time, takes less
    /// than writing and later reading the bytes that it saves.
    fn pays(&self) -> bool {
        let Taken {
            nanoseconds,
            bytes,
            out,
        } = self.compressing;
        let saved = bytes.saturating_sub(out);
        let spent = 5 * u128::from(nanoseconds) * u128::from(self.writing.bytes);
        spent < 8 * u128::from(self.writing.nanoseconds) * u128::from(saved)
    }

    /// Runs `compress` of a block of so many bytes, which returns how many are left of them, if the
    /// block is to be compressed at all.
    pub(crate) fn compressing(
        &mut self,
        bytes: usize,
        compress: impl FnOnce() -> Option<usize>,
    ) -> Option<usize> {
        if !self.wants_compression() {
            return None;
        }
        let start = self.clock.now();
        let shrunk = compress();
        let taken = nanoseconds(self.clock.now().since(start));
        let out = shrunk.unwrap_or(bytes);
        self.compressing.add(taken, bytes as u64, out as u64);
        shrunk
    }

    /// Runs `write` of so many bytes.
    pub(crate) fn writing<T>(&mut self, bytes: u64, write: impl FnOnce() -> T) -> T {
        let start = self.clock.now();
        let written = write();
        let taken = nanoseconds(self.clock.now().since(start));
        self.writing.add(taken, bytes, bytes);
        written
    }
}

fn nanoseconds(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compressing a byte takes 2 ns and halves it.
    fn pace(nanoseconds_of_writing_a_byte: u64) -> Pace {
        let mut pace = Pace::default();
        pace.compressing.add(2000, 1000, 500);
        pace.writing
            .add(4000 * nanoseconds_of_writing_a_byte, 4000, 4000);
        pace
    }

    #[test]
    fn a_block_is_compressed_where_that_takes_less_time_or_is_to_be_tried() {
        let wanted = |speed| {
            let mut pace = pace(speed);
            let wanted = (0..2 * TRY_EVERY).map(|_| pace.wants_compression());
            wanted.filter(|wanted| *wanted).count() as u64
        };
        assert_eq!(wanted(0), 2);
        assert_eq!(wanted(1), 2);
        assert_eq!(wanted(2), 2);
        assert_eq!(wanted(3), 2 * TRY_EVERY);
        assert_eq!(wanted(100), 2 * TRY_EVERY);
    }

    #[test]
    fn what_does_not_get_smaller_does_not_pay() {
        let mut pace = Pace::default();
        pace.writing.add(u64::MAX, 1, 1);
        assert_eq!(pace.compressing(1000, || None), None);
        assert!(!pace.pays());
    }

    #[test]
    fn what_was_measured_long_ago_counts_less() {
        let mut pace = pace(1);
        assert!(!pace.pays());
        for _ in 0..20 {
            pace.writing
                .add(100 * HALVED_AFTER, HALVED_AFTER, HALVED_AFTER);
        }
        assert!(pace.pays());
        assert!(pace.writing.bytes < 3 * HALVED_AFTER);
    }
}
