//! Taking turns: what is compared runs alternately, so that a noisy moment hits both.

use std::time::{Duration, Instant};

/// Something that can be run once, and says how long the part that counts took.
pub(crate) type Run<'a> = &'a mut dyn FnMut() -> Duration;

/// Times `work`, what it returns dropped after the clock was read.
#[expect(
    clippy::disallowed_methods,
    reason = "benchmarks measure real time; nothing here is modelled"
)]
pub(crate) fn time<R>(work: impl FnOnce() -> R) -> Duration {
    let start = Instant::now();
    let result = std::hint::black_box(work());
    let elapsed = start.elapsed();
    drop(result);
    elapsed
}

/// Runs each of `runs` once to warm up, then `rounds` times in turn; gives the median of each.
pub(crate) fn in_turn<const N: usize>(rounds: usize, mut runs: [Run<'_>; N]) -> [Duration; N] {
    let mut times = [const { Vec::new() }; N];
    for run in &mut runs {
        run();
    }
    for _ in 0..rounds {
        for (run, times) in runs.iter_mut().zip(&mut times) {
            times.push(run());
        }
    }
    times.map(|mut times| median(&mut times))
}

/// The middle of `times`; zero where there are none.
pub(crate) fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_one() {
        let mut times = [5, 1, 9].map(Duration::from_millis);
        assert_eq!(median(&mut times), Duration::from_millis(5));
        assert_eq!(median(&mut []), Duration::ZERO);
    }

    #[test]
    fn runs_take_turns_after_a_warm_up() {
        let order = std::cell::RefCell::new(Vec::new());
        let run = |name: char| {
            order.borrow_mut().push(name);
            Duration::from_nanos(1)
        };
        let [ours, theirs] = in_turn(2, [&mut || run('a'), &mut || run('b')]);
        assert_eq!(ours, theirs);
        assert_eq!(order.into_inner(), ['a', 'b', 'a', 'b', 'a', 'b']);
    }
}
