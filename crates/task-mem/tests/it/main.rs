//! The tests of the public interface, in one binary.

mod allocate_page;
mod hand_off;
mod leaks;
mod memory_manager_suite;
mod metered;
mod pages;
mod random;
mod reentrancy;
mod spilling;
mod support;
mod task_memory_manager_suite;
mod threads;
mod unpaged;
mod waiting;
mod workspace;
