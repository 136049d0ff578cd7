//! A setting's value after it was read: numbers with their unit.

use std::path::PathBuf;

/// The value of a setting.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    /// `true` or `false`.
    Flag(bool),
    /// A share or factor.
    Real(f64),
    /// A size in bytes.
    Bytes(u64),
    /// A whole number.
    Whole(i64),
    /// A time in milliseconds.
    Milliseconds(u64),
    /// One of the words of a choice.
    Word(&'static str),
    /// Directories.
    Paths(Vec<PathBuf>),
}
