//! The places of a slab where a model runs: memory of its own for each, which no model leaves behind.
//! What is modelled are the counts, so this mutex is none of the model's.

use std::collections::BTreeMap;
use std::io;
use std::ptr::NonNull;
use std::sync::{Mutex, PoisonError};

use crate::raw::Pages;

/// By their addresses.
static TAKEN: Mutex<BTreeMap<usize, Pages>> = Mutex::new(BTreeMap::new());

/// Its address is enough to know.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place;

pub(super) fn take(_size: usize) -> io::Result<(NonNull<u8>, Place)> {
    let pages = Pages::map(Pages::UNIT)?;
    let slot = pages.start();
    let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    taken.insert(slot.addr().get(), pages);
    Ok((slot, Place))
}

pub(super) fn give_back(_size: usize, slot: NonNull<u8>, _place: Place) {
    let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    let pages = taken.remove(&slot.addr().get());
    drop(taken);
    assert!(pages.is_some(), "it was taken, and given back once");
}
