//! Memory that a caller lends.

/// Bytes that a caller lends to this crate and gets back: a page of a task's memory, a vector.
///
/// Implemented by whatever owns bytes and shows them as a slice; dropping it gives the memory back
/// to where it came from. Its length must not change while it is lent.
pub trait Buffer: AsRef<[u8]> + AsMut<[u8]> + Send {}

impl<T: AsRef<[u8]> + AsMut<[u8]> + Send> Buffer for T {}
