//! The workspace of reading that many readers share.

use crate::buffer::Buffer;
use crate::codec::Decompressor;
use crate::error::SpillError;
use crate::options::SpillOptions;
use mem_sync::{Condvar, Mutex};
use std::fmt;
use std::sync::Arc;

/// Scratch blocks and codec contexts for reading, shared by all readers that are given a handle.
///
/// A reader needs one only while it reads and decodes a block. So a merge of a hundred runs needs
/// as many decoders as it has threads, not a hundred. Who finds none free waits until another has
/// read its block, and no longer. Cloning gives another handle.
pub struct Decoders<B> {
    shared: Arc<Shared<B>>,
}

struct Shared<B> {
    options: SpillOptions,
    idle: Mutex<Vec<Decoder<B>>>,
    /// Notified, once each, when a decoder becomes idle.
    returned: Condvar,
}

pub(crate) struct Decoder<B> {
    pub(crate) scratch: B,
    pub(crate) decompressor: Decompressor,
}

impl<B> Clone for Decoders<B> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<B: Buffer> Decoders<B> {
    /// One decoder for each of `scratch`, which have at least [`SpillOptions::scratch_bytes`].
    /// Without a codec none are needed, and `scratch` may be empty.
    ///
    /// # Errors
    ///
    /// [`SpillError::BufferTooSmall`] if a buffer is too short or there are none, and
    /// [`SpillError::CodecContext`]; the buffers are dropped.
    pub fn new(options: SpillOptions, scratch: Vec<B>) -> Result<Self, SpillError> {
        let needed = options.scratch_bytes();
        let shortest = scratch.iter().map(|each| each.as_ref().len()).min();
        let lent = shortest.unwrap_or(0);
        if lent < needed {
            return Err(SpillError::BufferTooSmall {
                what: "decoder of spill files",
                needed,
                lent,
            });
        }
        let decoder = |scratch| {
            let decompressor = Decompressor::new(options.codec())?;
            Ok(Decoder {
                scratch,
                decompressor,
            })
        };
        let idle = scratch.into_iter().map(decoder);
        Ok(Self {
            shared: Arc::new(Shared {
                options,
                idle: Mutex::new(idle.collect::<Result<_, SpillError>>()?),
                returned: Condvar::new(),
            }),
        })
    }

    /// What can be read with them.
    #[must_use]
    pub fn options(&self) -> SpillOptions {
        self.shared.options
    }

    /// Gives the scratch buffers back and frees the codec contexts.
    ///
    /// # Errors
    ///
    /// Gives `self` back while readers, or other handles, still are there.
    pub fn into_buffers(self) -> Result<Vec<B>, Self> {
        let shared = Arc::try_unwrap(self.shared).map_err(|shared| Self { shared })?;
        let idle = shared.idle.into_inner();
        Ok(idle.into_iter().map(|decoder| decoder.scratch).collect())
    }

    /// Runs `work` with a decoder. The lock is held only to take it out and to put it back.
    pub(crate) fn with<T>(&self, work: impl FnOnce(&mut Decoder<B>) -> T) -> T {
        let mut idle = self.shared.idle.lock();
        let decoder = loop {
            match idle.pop() {
                Some(decoder) => break decoder,
                None => idle = self.shared.returned.wait(idle),
            }
        };
        drop(idle);
        let mut lease = Lease {
            shared: &self.shared,
            decoder: Some(decoder),
        };
        work(lease.decoder.as_mut().expect("taken out only on drop"))
    }
}

/// Puts the decoder back, also when the work panics.
struct Lease<'a, B> {
    shared: &'a Shared<B>,
    decoder: Option<Decoder<B>>,
}

impl<B> Drop for Lease<'_, B> {
    fn drop(&mut self) {
        self.shared.idle.lock().extend(self.decoder.take());
        self.shared.returned.notify_one();
    }
}

impl<B> fmt::Debug for Decoders<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoders")
            .field("options", &self.shared.options)
            .finish_non_exhaustive()
    }
}
