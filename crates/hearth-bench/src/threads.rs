//! The same work on one thread or on several that start together.

use std::sync::Barrier;
use std::time::Duration;

use crate::measure::time;

/// How often something is measured, and how many times it is done each time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Runs {
    pub(super) rounds: usize,
    pub(super) operations: u32,
}

impl Runs {
    /// The same work in all. One thread alone works in runs so short that most of them keep the processor; where
    /// threads start together, they are long beside the start.
    pub(super) fn of(threads: i64, rounds: usize, operations: u32) -> Self {
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
/// end of the last.
pub(super) fn together<T: Send>(items: &mut [T], work: impl Fn(&mut T) + Sync) -> Duration {
    if let [only] = items {
        return time(|| work(only));
    }
    let start = Barrier::new(items.len() + 1);
    std::thread::scope(|scope| {
        let threads: Vec<_> = items
            .iter_mut()
            .map(|item| {
                scope.spawn(|| {
                    start.wait();
                    work(item);
                })
            })
            .collect();
        start.wait();
        time(|| {
            for thread in threads {
                thread.join().expect("the work does not panic");
            }
        })
    })
}
