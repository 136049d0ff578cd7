//! A fence in two unequal halves, for a pair of threads of which one is in a hurry.
//!
//! Each thread writes its own flag, fences, and reads the other's: at least one of the two then sees
//! what the other wrote. With two equal fences that costs each of them some ten nanoseconds. Here the
//! [light](light_fence) half costs nothing but keeps the compiler from reordering, and the
//! [heavy](heavy_fence) half has the kernel put a full fence into every running thread of the process.
//! Where the kernel can't do that, whoever is in a hurry has to [fence](crate::atomic::fence) fully too.

use crate::atomic::{Ordering, fence};

#[cfg(mem_loom)]
pub use crate::modelled::{is_fence_light, light_fence};

/// Whether the [light](light_fence) half is enough, which never changes. Else a full fence, sequentially
/// consistent, has to stand in its place.
#[cfg(not(mem_loom))]
#[inline]
#[must_use]
pub fn is_fence_light() -> bool {
    #[cfg(target_os = "linux")]
    return membarrier::is_had();
    #[cfg(not(target_os = "linux"))]
    return false;
}

/// The half that is called often.
#[cfg(not(mem_loom))]
#[inline]
pub fn light_fence() {
    std::sync::atomic::compiler_fence(Ordering::SeqCst);
}

/// The half that is called rarely: some microseconds. Calls the kernel.
#[inline]
pub fn heavy_fence() {
    #[cfg(all(target_os = "linux", not(mem_loom)))]
    if membarrier::is_had() {
        membarrier::fence_all_threads();
        return;
    }
    fence(Ordering::SeqCst);
}

#[cfg(all(target_os = "linux", not(mem_loom)))]
mod membarrier {
    //! The system call. It takes two numbers and no pointer.
    #![expect(
        unsafe_code,
        reason = "no library that is kept up offers membarrier, and a call of the kernel is unsafe"
    )]

    use std::sync::atomic::{AtomicU8, Ordering, fence};

    /// Bits of the answer to a query, and commands: `linux/membarrier.h`.
    const QUERY: libc::c_int = 0;
    const PRIVATE_EXPEDITED: libc::c_int = 1 << 3;
    const REGISTER_PRIVATE_EXPEDITED: libc::c_int = 1 << 4;

    const UNKNOWN: u8 = 0;
    const MISSING: u8 = 1;
    const HAD: u8 = 2;

    /// Once it is not `UNKNOWN` it never changes again, so both halves always agree.
    static STANDING: AtomicU8 = AtomicU8::new(UNKNOWN);

    /// Whether the kernel can fence all threads.
    #[inline]
    pub(super) fn is_had() -> bool {
        STANDING.load(Ordering::Relaxed) == HAD || is_had_at_last()
    }

    #[cold]
    fn is_had_at_last() -> bool {
        STANDING.load(Ordering::Relaxed) == UNKNOWN && register()
    }

    pub(super) fn fence_all_threads() {
        let done = call(PRIVATE_EXPEDITED) == 0;
        assert!(done, "a registered process may have its threads fenced");
    }

    fn register() -> bool {
        let wanted = libc::c_long::from(PRIVATE_EXPEDITED | REGISTER_PRIVATE_EXPEDITED);
        let offered = call(QUERY);
        let had =
            offered >= 0 && offered & wanted == wanted && call(REGISTER_PRIVATE_EXPEDITED) == 0;
        let found = if had { HAD } else { MISSING };
        let standing = STANDING
            .compare_exchange(UNKNOWN, found, Ordering::Relaxed, Ordering::Relaxed)
            .map_or_else(|standing| standing, |_| found);
        fence(Ordering::SeqCst);
        standing == HAD
    }

    fn call(command: libc::c_int) -> libc::c_long {
        const FLAGS: libc::c_uint = 0;
        const ANY_CPU: libc::c_int = 0;
        // SAFETY: membarrier takes integers only and touches no memory of ours; a command that the kernel does not
        // know is an error that it returns.
        unsafe { libc::syscall(libc::SYS_membarrier, command, FLAGS, ANY_CPU) }
    }
}

#[cfg(all(test, not(mem_loom)))]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::sync::{Arc, Barrier};

    use super::*;

    /// Store buffering: without the fences both threads can miss what the other wrote.
    #[test]
    fn at_least_one_sees_the_other() {
        const ROUNDS: usize = 2_000;
        let flags = Arc::new([const { AtomicUsize::new(0) }; 2]);
        let start = Arc::new(Barrier::new(2));
        let light = || match is_fence_light() {
            true => light_fence(),
            false => fence(Ordering::SeqCst),
        };
        let round = |own: usize, fence: fn()| {
            let (flags, start) = (Arc::clone(&flags), Arc::clone(&start));
            move || {
                let mut seen = Vec::new();
                for round in 1..=ROUNDS {
                    start.wait();
                    flags[own].store(round, Ordering::Relaxed);
                    fence();
                    seen.push(flags[1 - own].load(Ordering::Relaxed) == round);
                    start.wait();
                }
                seen
            }
        };
        let light = std::thread::spawn(round(0, light));
        let heavy = round(1, heavy_fence)();
        let light = light.join().unwrap();
        for (round, (light, heavy)) in light.into_iter().zip(heavy).enumerate() {
            assert!(light || heavy, "round {round}: neither saw the other");
        }
    }
}
