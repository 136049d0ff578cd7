//! Sharing, remembering and dropping an object in two threads.

use mem_block::{SlabArc, SlabWeak};
use mem_sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use mem_sync::thread;
use std::sync::Arc;

/// What counts how often it was dropped, and notices who is at it when it is changed.
struct Object {
    word: u64,
    /// Somebody is changing it, who has to be alone.
    changing: AtomicBool,
    /// Added to by who shares it, and complete when it is dropped.
    added: AtomicU64,
    expected: u64,
    drops: Arc<AtomicUsize>,
}

impl Object {
    fn read(&self) -> u64 {
        assert!(!self.changing.load(Ordering::Relaxed));
        self.word
    }

    fn change(&mut self, to: u64) {
        self.changing.store(true, Ordering::Relaxed);
        thread::yield_now();
        self.word = to;
        self.changing.store(false, Ordering::Relaxed);
    }

    fn add(&self) {
        // Relaxed: only the counts make it known to who drops the object.
        let added = self.added.load(Ordering::Relaxed);
        self.added.store(added + 1, Ordering::Relaxed);
    }
}

impl Drop for Object {
    fn drop(&mut self) {
        assert_eq!(self.added.load(Ordering::Relaxed), self.expected);
        self.change(0);
        self.drops.fetch_add(1, Ordering::Relaxed);
    }
}

/// An object to which so much is added, and how often it was dropped.
fn object(expected: u64) -> (SlabArc<Object>, Arc<AtomicUsize>) {
    let drops = Arc::new(AtomicUsize::new(0));
    let object = Object {
        word: 7,
        changing: AtomicBool::new(false),
        added: AtomicU64::new(0),
        expected,
        drops: Arc::clone(&drops),
    };
    (SlabArc::new(object), drops)
}

fn check_dropped(drops: &AtomicUsize) {
    assert_eq!(drops.load(Ordering::Relaxed), 1);
}

/// Fails if the last to leave does not see what the other has done.
#[test]
fn the_last_of_two_drops_it() {
    loom::model(|| {
        let (one, drops) = object(1);
        let other = SlabArc::clone(&one);
        let beside = thread::spawn(move || {
            other.add();
            drop(other);
        });
        drop(one);
        beside.join().unwrap();
        check_dropped(&drops);
    });
}

#[test]
fn the_last_of_two_takes_it_out() {
    loom::model(|| {
        let (one, drops) = object(0);
        let other = SlabArc::clone(&one);
        let beside = thread::spawn(move || SlabArc::into_inner(other).is_some());
        let has_one = SlabArc::into_inner(one).is_some();
        assert!(beside.join().unwrap() != has_one);
        check_dropped(&drops);
    });
}

/// Fails if an object comes back whose last share is gone, or is gone.
#[test]
fn coming_back_beside_the_last_who_leaves() {
    loom::model(|| {
        let (one, drops) = object(0);
        let weak = SlabArc::downgrade(&one);
        let beside = thread::spawn(move || {
            if let Some(back) = weak.upgrade() {
                assert_eq!(back.read(), 7);
            }
        });
        drop(one);
        beside.join().unwrap();
        check_dropped(&drops);
    });
}

/// Fails if somebody is taken to be alone who is not.
#[test]
fn alone_or_not() {
    loom::model(|| {
        let (mut one, drops) = object(0);
        let weak = SlabArc::downgrade(&one);
        let beside = thread::spawn(move || {
            let back = weak.upgrade().unwrap();
            drop(weak);
            assert!([7, 8].contains(&back.read()));
        });
        if let Some(own) = SlabArc::get_mut(&mut one) {
            own.change(8);
        }
        beside.join().unwrap();
        assert!(SlabArc::get_mut(&mut one).is_some());
        drop(one);
        check_dropped(&drops);
    });
}

/// Fails if somebody can leave another behind who remembers, unseen, while it is looked whether there
/// is anybody.
#[test]
fn alone_or_remembered() {
    loom::model(|| {
        let (mut one, drops) = object(0);
        let other = SlabArc::clone(&one);
        let beside = thread::spawn(move || {
            let weak: SlabWeak<Object> = SlabArc::downgrade(&other);
            drop(other);
            let back = weak.upgrade().unwrap();
            assert!([7, 8].contains(&back.read()));
        });
        if let Some(own) = SlabArc::get_mut(&mut one) {
            own.change(8);
        }
        beside.join().unwrap();
        drop(one);
        check_dropped(&drops);
    });
}
