//! Counted references to objects that lie close together.
//!
//! What a cache knows of a hundred thousand blocks is looked at in no order. On pages of 4 KiB among all
//! else that a program has, each look first asks for the page, and that answer is in no cache either: a
//! quarter of the time of a get from `mem-store`. In huge pages it is.
#![expect(
    unsafe_code,
    reason = "objects at places of one's own, shared by counts, have no safe form in std"
)]

mod counts;
#[cfg_attr(mem_loom, path = "slab_arc/modelled.rs")]
mod slots;

use std::alloc::{Layout, handle_alloc_error};
use std::cell::UnsafeCell;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::ptr::{self, NonNull};

use counts::Counts;
use slots::Place;

/// Slots are multiples of a line of the processor's cache, and begin with one.
const LINE: usize = 64;
/// How many sizes there are: up to 512 bytes.
const SIZES: usize = 8;

/// An object, and who has it.
#[repr(C)]
struct Slot<T> {
    counts: Counts,
    place: Place,
    value: UnsafeCell<T>,
}

impl<T> Slot<T> {
    /// The number of its size: lines beyond the first.
    const SIZE: usize = {
        assert!(size_of::<Self>() <= SIZES * LINE, "no slot is so large");
        assert!(align_of::<Self>() <= LINE, "no slot is aligned so");
        size_of::<Self>().div_ceil(LINE) - 1
    };

    /// Puts an object into a free slot.
    fn make(value: T) -> NonNull<Self> {
        let Ok((slot, place)) = slots::take(Self::SIZE) else {
            handle_alloc_error(Layout::new::<Self>())
        };
        let slot = slot.cast::<Self>();
        let counts = Counts::of_one();
        let made = Self {
            counts,
            place,
            value: value.into(),
        };
        // SAFETY: the slot has room for it and is aligned, by `SIZE`, and nobody else's until it is
        // given back.
        unsafe { slot.write(made) };
        slot
    }

    /// Gives a slot back, of which nobody knows any more. The object has been taken out.
    fn give_back(slot: NonNull<Self>) {
        // SAFETY: the slot is the caller's alone, and what is borrowed was written when it was made.
        let place = unsafe { slot.as_ref() }.place;
        slots::give_back(Self::SIZE, slot.cast(), place);
    }
}

/// Shares an object with others, as the standard library's `Arc` does, but that lies in a slab: in huge
/// pages, from the beginning of a line of the processor's cache on, behind 16 bytes of counts. Objects of
/// up to 496 bytes, of which there are many. The memory is the process's own and counted nowhere.
///
/// A chunk of 2 MiB goes back to the system when nothing is left in it, but for one.
///
/// ```
/// use mem_block::SlabArc;
///
/// let mut block = SlabArc::new([7_u64; 20]);
/// let other = SlabArc::clone(&block);
/// let weak = SlabArc::downgrade(&block);
/// assert!(SlabArc::get_mut(&mut block).is_none());
/// drop((other, block));
/// assert!(weak.upgrade().is_none());
/// ```
///
/// # Panics
/// Nothing of it; where the system has no memory, or 2^31 share an object, the process ends.
pub struct SlabArc<T> {
    slot: NonNull<Slot<T>>,
    /// It may be the one that drops the object.
    object: PhantomData<T>,
}

// SAFETY: as for `Arc`: whoever has one can reach the object from any thread, and drop it there.
unsafe impl<T: Send + Sync> Send for SlabArc<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for SlabArc<T> {}

impl<T> SlabArc<T> {
    /// Puts an object into a slab.
    #[must_use]
    pub fn new(value: T) -> Self {
        Self::from_slot(Slot::make(value))
    }

    fn from_slot(slot: NonNull<Slot<T>>) -> Self {
        Self {
            slot,
            object: PhantomData,
        }
    }

    #[inline]
    fn slot(&self) -> &Slot<T> {
        // SAFETY: the slot is there as long as somebody shares or remembers its object.
        unsafe { self.slot.as_ref() }
    }

    /// One that remembers the object, and lets it go.
    #[must_use]
    #[inline]
    pub fn downgrade(this: &Self) -> SlabWeak<T> {
        this.slot().counts.remember();
        SlabWeak {
            slot: Some(this.slot),
        }
    }

    /// The object, to be changed, where nobody else shares or remembers it.
    #[inline]
    pub fn get_mut(this: &mut Self) -> Option<&mut T> {
        if !this.slot().counts.is_alone() {
            return None;
        }
        // SAFETY: nobody else shares it, and nobody can come back to it. Others come to share it only
        // by way of `this`, which is borrowed as long as the object.
        Some(unsafe { &mut *this.slot().value.get() })
    }

    /// The object, for the last of those who share it; it is dropped by nobody else then.
    #[must_use]
    #[inline]
    pub fn into_inner(this: Self) -> Option<T> {
        let this = std::mem::ManuallyDrop::new(this);
        if !this.slot().counts.leave() {
            return None;
        }
        // Gives the slot back if nobody remembers the object.
        let _remembers = SlabWeak {
            slot: Some(this.slot),
        };
        // SAFETY: the last of those who shared it takes it out, once; nobody can come back to it.
        Some(unsafe { ptr::read(this.slot().value.get()) })
    }

    /// How many share the object.
    #[must_use]
    #[inline]
    pub fn strong_count(this: &Self) -> usize {
        this.slot().counts.sharing() as usize
    }

    /// How many remember it and don't share it.
    #[must_use]
    #[inline]
    pub fn weak_count(this: &Self) -> usize {
        this.slot().counts.remembering() as usize
    }
}

impl<T> Deref for SlabArc<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the object is there as long as somebody shares it, and borrowed to be changed only
        // where nobody else does.
        unsafe { &*self.slot().value.get() }
    }
}

impl<T> Clone for SlabArc<T> {
    #[inline]
    fn clone(&self) -> Self {
        self.slot().counts.share();
        Self::from_slot(self.slot)
    }
}

impl<T> Drop for SlabArc<T> {
    #[inline]
    fn drop(&mut self) {
        if !self.slot().counts.leave() {
            return;
        }
        // Gives the slot back if nobody remembers the object, also where dropping it panics.
        let _remembers = SlabWeak {
            slot: Some(self.slot),
        };
        // SAFETY: the last of those who shared it drops it, once; nobody can come back to it.
        unsafe { ptr::drop_in_place(self.slot().value.get()) };
    }
}

impl<T: fmt::Debug> fmt::Debug for SlabArc<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// Remembers an object of which it has no share, as the standard library's `Weak` does.
pub struct SlabWeak<T> {
    /// None of an object that never was.
    slot: Option<NonNull<Slot<T>>>,
}

// SAFETY: as for `SlabArc`, which it can become.
unsafe impl<T: Send + Sync> Send for SlabWeak<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for SlabWeak<T> {}

impl<T> SlabWeak<T> {
    /// Remembers nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self { slot: None }
    }

    fn counts(&self) -> Option<&Counts> {
        // SAFETY: the slot is there as long as somebody remembers its object.
        let slot = self.slot.as_ref().map(|slot| unsafe { slot.as_ref() });
        slot.map(|slot| &slot.counts)
    }

    /// The object, if somebody shares it still.
    #[must_use]
    #[inline]
    pub fn upgrade(&self) -> Option<SlabArc<T>> {
        let slot = self.slot?;
        let is_back = self.counts()?.come_back();
        is_back.then(|| SlabArc::from_slot(slot))
    }
}

impl<T> Default for SlabWeak<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Clone for SlabWeak<T> {
    fn clone(&self) -> Self {
        if let Some(counts) = self.counts() {
            counts.remember_too();
        }
        Self { slot: self.slot }
    }
}

impl<T> Drop for SlabWeak<T> {
    #[inline]
    fn drop(&mut self) {
        if let Some(slot) = self.slot
            && self.counts().is_some_and(Counts::forget)
        {
            Slot::give_back(slot);
        }
    }
}

impl<T> fmt::Debug for SlabWeak<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(SlabWeak)")
    }
}
