//! The block store through its public interface.

mod block_manager;
mod disk;
mod dropping;
mod exchanging;
mod leaving;
mod locks;
mod memory_store;
mod model;
mod odd_settings;
mod selection;
mod suite;
mod support;
mod threads;
