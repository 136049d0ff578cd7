//! Time as a parameter: what waits takes a [`Clock`], so that a test or a model moves it by hand.

use std::fmt::Debug;
use std::ops::Add;
use std::time::{Duration, Instant};

use crate::imp::{self, Mutex, Parker, Unparker};

/// A point of time of one [`Clock`]: nanoseconds since that clock was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(u64);

impl Moment {
    /// The moment `nanoseconds` after the clock was made.
    #[must_use]
    pub fn from_nanos(nanoseconds: u64) -> Self {
        Self(nanoseconds)
    }

    /// Nanoseconds since the clock was made.
    #[must_use]
    pub fn as_nanos(self) -> u64 {
        self.0
    }

    /// The time from `earlier` to this moment; zero where `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    /// The moment after `duration`; the end of time where that does not fit.
    fn add(self, duration: Duration) -> Self {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(nanos))
    }
}

/// Where time comes from, and how a thread waits for it.
pub trait Clock: Debug + Send + Sync {
    /// Now.
    fn now(&self) -> Moment;

    /// Parks the calling thread until `parker` is unparked, or `until` has come, or for no reason
    /// at all: the caller looks again. No lock may be held by the caller.
    fn park(&self, parker: &Parker, until: Option<Moment>);
}

/// The machine's monotonic clock.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// A clock whose first moment is now.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where real time enters"
    )]
    pub fn new() -> Self {
        Self {
            start: Instant::now(),
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Moment {
        Moment(0) + self.start.elapsed()
    }

    fn park(&self, parker: &Parker, until: Option<Moment>) {
        // A moment beyond what Instant can name is as good as never.
        let until = until.and_then(|at| self.start.checked_add(Duration::from_nanos(at.0)));
        imp::park_until(parker, until);
    }
}

/// A clock that stands still until somebody moves it. Works under loom too.
#[derive(Debug)]
pub struct ManualClock {
    state: Mutex<Manual>,
}

#[derive(Debug)]
struct Manual {
    now: Moment,
    next_id: u64,
    parked: Vec<(u64, Unparker)>,
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl ManualClock {
    /// A clock at moment zero.
    #[must_use]
    pub fn new() -> Self {
        let state = Manual {
            now: Moment(0),
            next_id: 0,
            parked: Vec::new(),
        };
        Self {
            state: Mutex::new(state),
        }
    }

    /// Moves time on and wakes every thread that waits on this clock.
    pub fn advance(&self, by: Duration) {
        let parked = {
            let mut state = self.state.lock();
            state.now = state.now + by;
            state.parked.clone()
        };
        for (_, unparker) in parked {
            // mutant(advancing-wakes by advance_wakes): delete
            unparker.unpark();
        }
    }

    /// Threads that are parked on this clock now.
    #[must_use]
    pub fn parked(&self) -> usize {
        self.state.lock().parked.len()
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Moment {
        self.state.lock().now
    }

    fn park(&self, parker: &Parker, until: Option<Moment>) {
        let id = {
            let mut state = self.state.lock();
            // mutant(time-is-asked-before-parking by advance_wakes): replace <= state.now => < state.now
            if until.is_some_and(|until| until <= state.now) {
                return;
            }
            let id = state.next_id;
            state.next_id += 1;
            state.parked.push((id, parker.unparker().clone()));
            id
        };
        parker.park();
        self.state.lock().parked.retain(|(parked, _)| *parked != id);
    }
}

#[cfg(all(test, not(mem_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_moment_saturates() {
        let end = Moment::from_nanos(u64::MAX);
        assert_eq!(end + Duration::from_secs(1), end);
        assert_eq!(Moment(1).since(Moment(5)), Duration::ZERO);
    }

    #[test]
    fn a_manual_clock_does_not_park_for_the_past() {
        let clock = ManualClock::new();
        clock.advance(Duration::from_secs(2));
        clock.park(&Parker::new(), Some(Moment::from_nanos(1)));
        assert_eq!(clock.parked(), 0);
    }

    #[test]
    fn the_system_clock_moves_on() {
        let clock = SystemClock::new();
        let first = clock.now();
        clock.park(&Parker::new(), Some(first + Duration::from_millis(2)));
        assert!(clock.now() >= first);
    }
}
