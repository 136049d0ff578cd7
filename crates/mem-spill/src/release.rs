//! Giving the disk space of what was read back while other parts of the file are still read.
//!
//! A file that is written, read and gone within seconds need never get to the disk: the system
//! begins to write only when too much is waiting for that, a tenth of memory by default on Linux.
//! What a merge has read is then no more than in the way of its output.

use mem_sync::atomic::{AtomicI64, Ordering};
use mem_sync::{Clock, SystemClock};
use std::ops::Range;
use std::time::Duration;

/// Space is given back from one multiple of this offset in the file to the next. Small, so that
/// hundreds of runs that are read side by side have little left between them.
const STEP: u64 = 64 << 10;
/// The system has space in units of this.
const UNIT: u64 = 4 << 10;

/// What a reader gives back.
#[derive(Debug, Default)]
pub(crate) struct Release {
    /// Where what it has not given back yet begins, in bytes from the start of the file.
    from: u64,
    /// Where it ends to give back.
    until: u64,
}

impl Release {
    /// So much of a file, units that are in it in part left out.
    pub(crate) fn of(range: Range<u64>) -> Self {
        Self {
            from: range.start.next_multiple_of(UNIT),
            until: floor(range.end, UNIT),
        }
    }

    /// What to give back now that all before `position` was read.
    #[inline]
    pub(crate) fn due(&mut self, position: u64) -> Option<Range<u64>> {
        if self.from >= self.until {
            return None;
        }
        let read = if position >= self.until {
            self.until
        } else {
            floor(position, STEP)
        };
        let from = self.from;
        (read > from).then(|| {
            self.from = read;
            from..read
        })
    }
}

fn floor(offset: u64, unit: u64) -> u64 {
    offset / unit * unit
}

/// What giving back may take on average. It takes half of that while the bytes are nowhere but
/// in memory; twice that once they were written to a disk, or are about to be.
const ALLOWED: Duration = Duration::from_micros(100);
/// What counts at most, of a time in which the thread may just as well have been suspended.
const COUNTED_MAX: Duration = Duration::from_millis(1);
/// By how much all together may have taken longer.
const CREDIT: Duration = Duration::from_millis(5);

/// Whether giving back still pays at a file. It is never tried again after it did not: the bytes
/// are on the disk then, and gone soonest when the file is.
#[derive(Debug)]
pub(crate) struct Credit {
    clock: SystemClock,
    /// In nanoseconds; nothing is given back when there is none.
    left: AtomicI64,
}

impl Credit {
    /// Runs `release`, if it still pays. Where it fails it never does.
    pub(crate) fn spend<E>(&self, release: impl FnOnce() -> Result<(), E>) {
        if self.left.load(Ordering::Relaxed) <= 0 {
            return;
        }
        let start = self.clock.now();
        match release() {
            Ok(()) => self.account(self.clock.now().since(start)),
            Err(_) => self.left.store(i64::MIN, Ordering::Relaxed),
        }
    }

    /// Takes account of a time. Two threads that do at once may forget one of two: it is an estimate.
    fn account(&self, taken: Duration) {
        let left = self.left.load(Ordering::Relaxed);
        if left > 0 {
            let left = left + nanoseconds(ALLOWED) - nanoseconds(taken.min(COUNTED_MAX));
            let left = left.min(nanoseconds(CREDIT));
            self.left.store(left, Ordering::Relaxed);
        }
    }
}

impl Default for Credit {
    fn default() -> Self {
        Self {
            clock: SystemClock::default(),
            left: AtomicI64::new(nanoseconds(CREDIT)),
        }
    }
}

fn nanoseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_steps_are_given_back_and_the_ends() {
        let mut release = Release::of(5000..3 * STEP + 5000);
        assert_eq!(release.due(5000), None);
        assert_eq!(release.due(STEP - 1), None);
        assert_eq!(release.due(STEP), Some(2 * UNIT..STEP));
        assert_eq!(release.due(STEP + 9), None);
        assert_eq!(release.due(3 * STEP + 1), Some(STEP..3 * STEP));
        assert_eq!(release.due(3 * STEP + UNIT - 1), None);
        let end = 3 * STEP + UNIT;
        assert_eq!(release.due(end), Some(3 * STEP..end));
        assert_eq!(release.due(u64::MAX), None);
    }

    #[test]
    fn nothing_is_given_back_of_nothing() {
        for (start, end) in [
            (0, 0),
            (1, UNIT),
            (UNIT - 1, 2 * UNIT - 1),
            (9 * STEP, STEP),
        ] {
            assert_eq!(Release::of(start..end).due(u64::MAX), None);
        }
        assert_eq!(Release::default().due(u64::MAX), None);
    }

    /// How often of a thousand times something is run that takes so long each time.
    fn runs(taken: Duration) -> usize {
        let credit = Credit::default();
        let mut runs = 0;
        for _ in 0..1000 {
            if credit.left.load(Ordering::Relaxed) > 0 {
                runs += 1;
                credit.account(taken);
            }
        }
        runs
    }

    #[test]
    fn what_takes_too_long_is_given_up() {
        assert_eq!(runs(ALLOWED / 3), 1000);
        assert_eq!(runs(ALLOWED), 1000);
        assert_eq!(runs(ALLOWED * 2), 50);
        assert_eq!(runs(Duration::from_secs(1)), 6);
    }

    #[test]
    fn what_fails_is_not_tried_again() {
        let credit = Credit::default();
        let mut runs = 0;
        for _ in 0..2 {
            credit.spend(|| {
                runs += 1;
                Err(())
            });
        }
        assert_eq!(runs, 1);
        credit.account(Duration::ZERO);
        assert!(credit.left.load(Ordering::Relaxed) < 0);
    }
}
