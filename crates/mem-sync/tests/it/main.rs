//! The real primitives behind the crate's names.
#![cfg(not(mem_loom))]

use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use mem_sync::atomic::{AtomicBool, Ordering};
use mem_sync::{
    Clock, Condvar, ManualClock, Moment, Mutex, Parker, SystemClock, ThreadWaker, thread,
    with_thread_waker,
};

#[test]
fn a_parker_keeps_one_token() {
    let parker = Parker::new();
    parker.unparker().unpark();
    parker.unparker().unpark();
    parker.park();
    // The second one was not kept: this waits until the other thread gives one.
    let unparker = parker.unparker().clone();
    let given = Arc::new(AtomicBool::new(false));
    let giving = thread::spawn({
        let given = Arc::clone(&given);
        move || {
            given.store(true, Ordering::SeqCst);
            unparker.unpark();
        }
    });
    parker.park();
    assert!(given.load(Ordering::SeqCst));
    giving.join().expect("it does not panic");
}

#[test]
fn a_threads_waker_unparks_it() {
    let own = ThreadWaker::new();
    own.waker().wake_by_ref();
    own.parker().park();
    let by_value = own.waker().clone();
    by_value.wake();
    own.parker().park();
}

#[test]
fn a_thread_has_one_waker_and_each_its_own() {
    let mine = || with_thread_waker(|own| own.waker().clone());
    assert!(mine().will_wake(&mine()));
    let other = thread::spawn(move || with_thread_waker(|own| own.waker().clone()));
    assert!(!mine().will_wake(&other.join().expect("it does not panic")));
}

#[test]
fn a_nested_wait_on_the_same_waker_is_seen_by_both() {
    with_thread_waker(|outer| {
        with_thread_waker(|inner| inner.waker().wake_by_ref());
        outer.parker().park();
    });
}

#[test]
fn a_lock_is_not_poisoned_by_a_panic() {
    let lock = Arc::new(Mutex::new(1));
    let panicking = thread::spawn({
        let lock = Arc::clone(&lock);
        move || {
            let _guard = lock.lock();
            panic!("with the lock held");
        }
    });
    assert!(panicking.join().is_err());
    assert_eq!(*lock.lock(), 1);
}

#[test]
fn a_condition_wakes_one_or_all() {
    let shared = Arc::new((Mutex::new(0_u32), Condvar::new()));
    let waiting: Vec<_> = (0..3)
        .map(|_| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                let mut tickets = shared.0.lock();
                while *tickets == 0 {
                    tickets = shared.1.wait(tickets);
                }
                *tickets -= 1;
            })
        })
        .collect();
    *shared.0.lock() += 1;
    shared.1.notify_one();
    *shared.0.lock() += 2;
    shared.1.notify_all();
    for waiting in waiting {
        waiting.join().expect("it does not panic");
    }
    assert_eq!(*shared.0.lock(), 0);
}

#[test]
fn a_manual_clock_wakes_those_who_wait_on_it_and_forgets_them() {
    let clock = Arc::new(ManualClock::new());
    let until = clock.now() + Duration::from_secs(2);
    let (woken, hears) = mpsc::channel();
    let waiting = thread::spawn({
        let clock = Arc::clone(&clock);
        move || {
            let parker = Parker::new();
            while clock.now() < until {
                clock.park(&parker, Some(until));
                woken.send(clock.now()).expect("the test listens");
            }
        }
    });
    for second in 1..=2_u64 {
        while clock.parked() == 0 {
            thread::yield_now();
        }
        clock.advance(Duration::from_secs(1));
        assert_eq!(hears.recv(), Ok(Moment::from_nanos(second * 1_000_000_000)));
    }
    waiting.join().expect("it does not panic");
    assert_eq!(clock.parked(), 0);
}

#[test]
fn the_system_clock_waits_no_longer_than_it_is_told() {
    let clock = SystemClock::new();
    let parker = Parker::new();
    let until = clock.now() + Duration::from_millis(3);
    while clock.now() < until {
        clock.park(&parker, Some(until));
    }
    // The past is not waited for, and a token ends a wait for the end of time.
    clock.park(&parker, Some(Moment::from_nanos(0)));
    parker.unparker().unpark();
    clock.park(&parker, Some(Moment::from_nanos(u64::MAX)));
    parker.unparker().unpark();
    clock.park(&parker, None);
}

#[test]
fn moments_are_ordered_and_add_up_without_overflow() {
    let (early, late) = (Moment::from_nanos(5), Moment::from_nanos(9));
    assert!(early < late);
    assert_eq!(late.since(early), Duration::from_nanos(4));
    assert_eq!(early + Duration::from_nanos(4), late);
    assert_eq!(late + Duration::MAX, Moment::from_nanos(u64::MAX));
    assert_eq!(early.as_nanos(), 5);
}
