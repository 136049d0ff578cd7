//! The same work on one thread or on several that start together.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::measure::time;

/// How often something is measured, and how many times it is done each time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Runs {
    pub(crate) rounds: usize,
    pub(crate) operations: u32,
}

impl Runs {
    /// The same work in all. One thread alone works in runs so short that most of them keep the processor; where
    /// threads start together, they are long beside the start.
    pub(crate) fn of(threads: i64, rounds: usize, operations: u32) -> Self {
        match threads {
            1 => Self {
                rounds: rounds * 20,
                operations: operations / 20,
            },
            _ => Self { rounds, operations },
        }
    }
}

/// Runs `work` on as many threads as it gets items, each with its own; from the common start to the
/// end of the last, by the threads' own clocks: who waits for them is woken late.
#[expect(
    clippy::disallowed_methods,
    reason = "benchmarks measure real time; nothing here is modelled"
)]
pub(crate) fn together<T: Send>(items: &mut [T], work: impl Fn(&mut T) + Sync) -> Duration {
    if let [only] = items {
        return time(|| work(only));
    }
    let missing = AtomicUsize::new(items.len());
    let on_its_own = |item: &mut T| {
        missing.fetch_sub(1, Ordering::AcqRel);
        while missing.load(Ordering::Acquire) > 0 {
            std::hint::spin_loop();
        }
        let start = Instant::now();
        work(item);
        (start, Instant::now())
    };
    let on_its_own = &on_its_own;
    let times: Vec<_> = std::thread::scope(|scope| {
        let threads = items
            .iter_mut()
            .map(|item| scope.spawn(move || on_its_own(item)));
        let threads: Vec<_> = threads.collect();
        let joined = threads.into_iter().map(|thread| thread.join());
        joined
            .map(|times| times.expect("the work does not panic"))
            .collect()
    });
    let start = times.iter().map(|(start, _)| start).min();
    let end = times.iter().map(|(_, end)| end).max();
    start
        .zip(end)
        .map_or(Duration::ZERO, |(start, end)| *end - *start)
}
