//! The shuffle, from outside.

mod damage;
mod faults;
mod outputs;
mod properties;
mod spark;
mod support;
