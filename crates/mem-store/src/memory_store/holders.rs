//! What values are collected in: as they are, or as bytes.

use std::sync::Arc;

use super::unroll::Unrolled;
use crate::block_id::BlockId;
use crate::bytes::{BytesBuilder, ChunkedBytes, alloc_error};
use crate::content::Data;
use crate::disk::WriteError;
use crate::error::StoreError;
use crate::values::{SizeTracker, SourceFailure, ValueFormat, Values};

/// Spark's counterpart: `DeserializedValuesHolder`.
pub(crate) struct Deserialized<T, S> {
    values: Vec<T>,
    tracker: S,
    format: Option<Arc<dyn ValueFormat<T>>>,
    /// Where the source of the values says that it failed, and did not just end.
    failure: Option<SourceFailure>,
}

impl<T, S> Deserialized<T, S> {
    pub(crate) fn new(tracker: S, format: Option<Arc<dyn ValueFormat<T>>>) -> Self {
        Self {
            values: Vec::new(),
            tracker,
            format,
            failure: None,
        }
    }

    /// The block is finished only if the source of its values has not failed.
    pub(crate) fn unless(mut self, failure: &SourceFailure) -> Self {
        self.failure = Some(failure.clone());
        self
    }

    pub(super) fn into_values(mut self, head: Option<T>) -> Vec<T> {
        self.values.extend(head);
        self.values
    }
}

impl<T: Send + Sync + 'static, S: SizeTracker<T>> Unrolled<T> for Deserialized<T, S> {
    fn store(&mut self, value: T, _block: &BlockId) -> Result<Option<T>, StoreError> {
        self.tracker.add(&value, None);
        self.values.push(value);
        Ok(None)
    }

    fn granted(&mut self, _bytes: u64) {}

    fn estimate(&mut self) -> u64 {
        self.tracker.estimate()
    }

    fn precise(&mut self) -> u64 {
        self.tracker.precise()
    }

    fn finish(mut self, block: &BlockId) -> Result<Data, StoreError> {
        if let Some(error) = self.failure.and_then(|failure| failure.take()) {
            return Err(WriteError::new(error).of(block));
        }
        self.values.shrink_to_fit();
        Ok(Data::Values(Box::new(Values {
            list: self.values,
            format: self.format,
        })))
    }
}

/// Spark's counterpart: `SerializedValuesHolder`.
pub(crate) struct Serialized<T, S> {
    bytes: BytesBuilder,
    format: Arc<dyn ValueFormat<T>>,
    tracker: S,
}

impl<T, S> Serialized<T, S> {
    pub(crate) fn new(bytes: BytesBuilder, format: Arc<dyn ValueFormat<T>>, tracker: S) -> Self {
        Self {
            bytes,
            format,
            tracker,
        }
    }

    pub(super) fn into_parts(self) -> (ChunkedBytes, Arc<dyn ValueFormat<T>>) {
        (self.bytes.finish(), self.format)
    }
}

impl<T, S: SizeTracker<T>> Unrolled<T> for Serialized<T, S> {
    /// A value that the allocator has no memory for is taken out again to the last byte.
    fn store(&mut self, value: T, block: &BlockId) -> Result<Option<T>, StoreError> {
        let before = self.bytes.written();
        match self.format.write(&value, &mut self.bytes) {
            Ok(()) => {
                let serialized = self.bytes.written().saturating_sub(before);
                self.tracker.add(&value, Some(serialized));
                Ok(None)
            }
            Err(error) if alloc_error(&error).is_some() => {
                self.bytes.truncate(before);
                Ok(Some(value))
            }
            Err(source) => Err(StoreError::Format {
                block: block.clone(),
                source,
            }),
        }
    }

    fn granted(&mut self, bytes: u64) {
        self.bytes.grant(bytes);
    }

    fn estimate(&mut self) -> u64 {
        self.tracker.estimate()
    }

    fn precise(&mut self) -> u64 {
        self.bytes.written()
    }

    fn finish(self, _block: &BlockId) -> Result<Data, StoreError> {
        Ok(Data::Bytes(self.bytes.finish()))
    }
}
