//! Models of parking and of the clock that is moved by hand.
//!
//! Each model says which lines of the source it protects; they are marked there with its name.
#![cfg(mem_loom)]

use std::sync::Arc;
use std::time::Duration;

use mem_sync::atomic::{AtomicBool, Ordering};
use mem_sync::thread::spawn;
use mem_sync::{Clock, Condvar, ManualClock, Mutex, Parker, ThreadWaker};

/// Runs `body` in every interleaving with at most so many preemptions as the environment says, or 3.
fn model(body: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound.get_or_insert(3);
    builder.check(body);
}

/// Time is moved while a thread goes to sleep until then. Protects: that moving time wakes, and that
/// nobody goes to sleep for a time that has come.
#[test]
fn advance_wakes() {
    model(|| {
        let clock = Arc::new(ManualClock::new());
        let until = clock.now() + Duration::from_secs(1);
        let sleeping = spawn({
            let clock = Arc::clone(&clock);
            move || {
                let parker = Parker::new();
                while clock.now() < until {
                    clock.park(&parker, Some(until));
                }
            }
        });
        clock.advance(Duration::from_secs(1));
        sleeping.join().unwrap();
        assert_eq!(clock.parked(), 0);
    });
}

/// Two threads sleep until different moments; both come in one move.
#[test]
fn one_move_wakes_all() {
    model(|| {
        let clock = Arc::new(ManualClock::new());
        let sleeping = [1, 2].map(|seconds| {
            let until = clock.now() + Duration::from_secs(seconds);
            let clock = Arc::clone(&clock);
            spawn(move || {
                let parker = Parker::new();
                while clock.now() < until {
                    clock.park(&parker, Some(until));
                }
            })
        });
        clock.advance(Duration::from_secs(2));
        for sleeping in sleeping {
            sleeping.join().unwrap();
        }
    });
}

/// A waker is woken while its thread goes to sleep. Protects: that either way of waking unparks.
#[test]
fn waker_unparks() {
    model(|| {
        let own = ThreadWaker::new();
        let told = Arc::new([AtomicBool::new(false), AtomicBool::new(false)]);
        let waking = spawn({
            let (told, waker) = (Arc::clone(&told), own.waker().clone());
            move || {
                told[0].store(true, Ordering::SeqCst);
                waker.wake_by_ref();
            }
        });
        while !told[0].load(Ordering::SeqCst) {
            own.parker().park();
        }
        waking.join().unwrap();
        // One token may be left: whoever parks looks again.
        let waking = spawn({
            let (told, waker) = (Arc::clone(&told), own.waker().clone());
            move || {
                told[1].store(true, Ordering::SeqCst);
                waker.wake();
            }
        });
        while !told[1].load(Ordering::SeqCst) {
            own.parker().park();
        }
        waking.join().unwrap();
    });
}

/// The token of a parker is kept until it is taken: unparking first is as good as unparking later.
#[test]
fn a_token_is_kept() {
    model(|| {
        let parker = Parker::new();
        let unparker = parker.unparker().clone();
        let unparking = spawn(move || unparker.unpark());
        parker.park();
        unparking.join().unwrap();
    });
}

/// A condition variable lets the lock go while it waits, and has it again afterwards.
#[test]
fn a_notified_wait_ends() {
    model(|| {
        let shared = Arc::new((Mutex::new(false), Condvar::new()));
        let notifying = spawn({
            let shared = Arc::clone(&shared);
            move || {
                *shared.0.lock() = true;
                shared.1.notify_all();
            }
        });
        let mut ready = shared.0.lock();
        while !*ready {
            ready = shared.1.wait(ready);
        }
        drop(ready);
        notifying.join().unwrap();
    });
}
