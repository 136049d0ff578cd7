//! The same work on one thread or on several that start together.

use std::sync::Barrier;
use std::time::Duration;

use crate::measure::time;

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
