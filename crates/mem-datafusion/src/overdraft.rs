//! The meter of what was taken without being granted.

use mem_sync::atomic::{AtomicU64, Ordering};

/// Bytes that consumers of all tasks took by DataFusion's infallible `grow` and nobody granted.
///
/// Only sums are read from it, so everything is relaxed; each task's part is in its books, under their
/// lock.
#[derive(Debug, Default)]
pub(crate) struct Overdraft {
    now: AtomicU64,
    peak: AtomicU64,
    /// The most that was granted and overdrawn together while there was an overdraft.
    total_peak: AtomicU64,
}

impl Overdraft {
    /// A task's part was `before` and is `after` now.
    pub(crate) fn change(&self, before: u64, after: u64) {
        if after > before {
            let more = after.saturating_sub(before);
            let now = self.now.fetch_add(more, Ordering::Relaxed);
            self.peak
                .fetch_max(now.saturating_add(more), Ordering::Relaxed);
        } else if before > after {
            let less = before.saturating_sub(after);
            self.now.fetch_sub(less, Ordering::Relaxed);
        }
    }

    /// While there is an overdraft, that many bytes are granted.
    pub(crate) fn note_total(&self, granted: u64) {
        let total = granted.saturating_add(self.now());
        self.total_peak.fetch_max(total, Ordering::Relaxed);
    }

    pub(crate) fn now(&self) -> u64 {
        self.now.load(Ordering::Relaxed)
    }

    pub(crate) fn peak(&self) -> u64 {
        self.peak.load(Ordering::Relaxed)
    }

    pub(crate) fn total_peak(&self) -> u64 {
        self.total_peak.load(Ordering::Relaxed)
    }
}
