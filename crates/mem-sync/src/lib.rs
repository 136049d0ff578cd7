//! Locks, atomics, parking and time for every other crate of Hearth.
//!
//! In a normal build these are parking_lot's, crossbeam's and the standard library's. Under
//! `--cfg mem_loom` they are loom's, so that a model can run every interleaving of the code above.
//! The flag is not loom's usual `--cfg loom` because that one changes other crates too (tokio
//! loses its network and file modules).
//!
//! It is not: a thread pool, a channel, or a place for anything that counts memory.
//!
//! Poisoning: [`Mutex`] does not poison. No foreign code runs under a lock of Hearth's, and every
//! transition under one is complete before it can fail, so a panic elsewhere leaves nothing torn.
//!
//! # Example
//!
//! A thread waits on a clock that a test moves by hand; no real time passes.
//!
//! ```
//! use mem_sync::{Clock, ManualClock, Moment, Parker};
//! use std::{sync::Arc, time::Duration};
//!
//! let clock = Arc::new(ManualClock::new());
//! let deadline = clock.now() + Duration::from_secs(60);
//! let waiting = std::thread::spawn({
//!     let clock = Arc::clone(&clock);
//!     move || {
//!         let parker = Parker::new();
//!         while clock.now() < deadline {
//!             clock.park(&parker, Some(deadline));
//!         }
//!     }
//! });
//! clock.advance(Duration::from_secs(60));
//! waiting.join().unwrap();
//! assert_eq!(clock.now(), deadline);
//! ```
#![deny(unsafe_code)]

mod clock;
mod fence;
#[cfg(not(mem_loom))]
mod native;
mod thread_waker;

#[cfg(mem_loom)]
mod modelled;
#[cfg(mem_loom)]
use modelled as imp;
#[cfg(not(mem_loom))]
use native as imp;

pub use clock::{Clock, ManualClock, Moment, SystemClock};
pub use crossbeam_utils::CachePadded;
pub use fence::{heavy_fence, is_fence_light, light_fence};
#[cfg(mem_loom)]
pub use imp::set_fence_light;
pub use imp::{Condvar, Mutex, MutexGuard, Parker, Unparker, atomic, lock_spinning, thread};
pub use thread_waker::{ThreadWaker, with_thread_waker};
