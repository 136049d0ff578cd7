//! What threads do at once, in every interleaving.
//!
//! Run with `RUSTFLAGS="--cfg mem_loom"`.
#![cfg(mem_loom)]
#![expect(clippy::unwrap_used, reason = "a model fails by panicking")]

mod allocators;
mod slab_arc;
