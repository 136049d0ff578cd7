//! Blocking without holding up the workers of an async runtime.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use tokio::runtime::{Handle, RuntimeFlavor};

thread_local! {
    /// This thread was found to be one that must not block: it drives a `LocalSet`.
    static MUST_NOT_BLOCK: Cell<bool> = const { Cell::new(false) };
}

/// Whether the calling thread belongs to a runtime whose other tasks go on while it blocks.
pub(crate) fn may_block() -> bool {
    let handle = Handle::try_current();
    let many_threads =
        handle.is_ok_and(|handle| handle.runtime_flavor() == RuntimeFlavor::MultiThread);
    many_threads && !MUST_NOT_BLOCK.get()
}

/// Runs `work`, which may block, with the other tasks of this worker handed to another thread. `None`,
/// and `work` not run, where that can't be done.
pub(crate) fn block<R>(work: impl FnOnce() -> R) -> Option<R> {
    if !may_block() {
        return None;
    }
    let mut work = Some(work);
    // Nobody says beforehand whether the thread is in a `LocalSet`: there, and only there, tokio
    // panics before it calls the closure.
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        tokio::task::block_in_place(|| work.take().map(|work| work()))
    }));
    match outcome {
        Ok(result) => result,
        Err(_) if work.is_some() => {
            MUST_NOT_BLOCK.set(true);
            None
        }
        Err(panic) => resume_unwind(panic),
    }
}

/// Runs `work` away from the worker where that can be done, and else here.
pub(crate) fn prefer(work: impl FnOnce()) {
    let mut work = Some(work);
    let away = || {
        if let Some(work) = work.take() {
            work();
        }
    };
    if block(away).is_none()
        && let Some(work) = work
    {
        work();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_runtime_of_many_threads_nobody_blocks() {
        assert_eq!(block(|| 1), None);
        let one = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        assert_eq!(one.block_on(async { block(|| 1) }), None);
        let mut ran = 0;
        prefer(|| ran += 1);
        assert_eq!(ran, 1);
    }

    #[test]
    fn a_worker_of_many_blocks_and_a_local_set_does_not() {
        let many = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .build()
            .unwrap();
        let worker = many.spawn(async { block(|| 1) });
        assert_eq!(many.block_on(worker).unwrap(), Some(1));
        let local = tokio::task::LocalSet::new();
        let mut ran = 0;
        many.block_on(local.run_until(async {
            assert_eq!(block(|| 1), None);
            prefer(|| ran += 1);
            assert!(!may_block());
        }));
        assert_eq!(ran, 1);
    }

    #[test]
    fn a_panic_of_the_work_stays_a_panic() {
        let many = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .build()
            .unwrap();
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            many.block_on(async { block(|| panic!("the work's")) })
        }));
        assert!(outcome.is_err());
    }
}
