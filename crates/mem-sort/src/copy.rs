//! Copying a few bytes: most records are short, and a call of `memcpy` takes longer than they do.

/// Bytes that are copied as one.
const CHUNK: usize = 32;
/// What is copied in chunks: longer ones are worth a call.
const SHORT: usize = 3 * CHUNK;

/// Bytes of room behind what is copied with which chunks can be used always.
pub(crate) const SLACK: u64 = SHORT as u64;

/// Copies the first `length` bytes of `from` to the front of `to`; what is behind them in `to` may be
/// overwritten too. Both have room for them.
#[inline]
pub(crate) fn copy_front(to: &mut [u8], from: &[u8], length: usize) {
    if length <= SHORT
        && let Some(to) = to.first_chunk_mut::<SHORT>()
        && let Some(from) = from.first_chunk::<SHORT>()
    {
        let (to, _) = to.as_chunks_mut::<CHUNK>();
        let (from, _) = from.as_chunks::<CHUNK>();
        to[0] = from[0];
        if length > CHUNK {
            to[1] = from[1];
            to[2] = from[2];
        }
        return;
    }
    to[..length].copy_from_slice(&from[..length]);
}
