//! Values: what they cost, and how they become bytes and back.

use std::any::Any;
use std::fmt::{self, Debug};
use std::io::{self, BufRead, Write};
use std::sync::Arc;

use mem_sync::Mutex;

/// What values of type `T` cost in memory, and how they look as bytes. Given by the user: nothing
/// here guesses.
///
/// No mutex is held while a method is called. It must not use the store that it serves: a block may be
/// on its way to disk, in the store's only workspace.
pub trait ValueFormat<T>: Send + Sync {
    /// What `value` costs in memory, in bytes, all that it owns included.
    fn cost(&self, value: &T) -> u64;

    /// Writes `value` so that [`read`](Self::read) can tell where it ends.
    ///
    /// # Errors
    /// Those of `out`, or where the value can't be written.
    fn write(&self, value: &T, out: &mut dyn Write) -> io::Result<()>;

    /// Reads the next value, or `None` where the input ends before its first byte.
    ///
    /// # Errors
    /// Those of `input`, or where the bytes are no value.
    fn read(&self, input: &mut dyn BufRead) -> io::Result<Option<T>>;
}

/// Follows what a block of values of type `T` costs while it grows. Spark's counterpart: the
/// `SizeTracker` behind its `ValuesHolder`, which samples objects and guesses.
pub trait SizeTracker<T> {
    /// `value` has been added; as bytes it took `serialized` bytes, or it was kept as a value.
    fn add(&mut self, value: &T, serialized: Option<u64>);

    /// What the block costs so far, in bytes. Asked for once in a check period.
    fn estimate(&mut self) -> u64;

    /// What the finished block costs, in bytes. Asked for once, at the end.
    fn precise(&mut self) -> u64 {
        self.estimate()
    }
}

impl<T, S: SizeTracker<T> + ?Sized> SizeTracker<T> for &mut S {
    fn add(&mut self, value: &T, serialized: Option<u64>) {
        (**self).add(value, serialized);
    }

    fn estimate(&mut self) -> u64 {
        (**self).estimate()
    }

    fn precise(&mut self) -> u64 {
        (**self).precise()
    }
}

/// Adds up what a function says that each value costs.
#[derive(Debug, Clone)]
pub struct Costs<F> {
    cost: F,
    sum: u64,
}

impl<F> Costs<F> {
    /// Starts at 0 bytes.
    pub const fn new(cost: F) -> Self {
        Self { cost, sum: 0 }
    }
}

impl<T, F: FnMut(&T) -> u64> SizeTracker<T> for Costs<F> {
    fn add(&mut self, value: &T, _serialized: Option<u64>) {
        self.sum = self.sum.saturating_add((self.cost)(value));
    }

    fn estimate(&mut self) -> u64 {
        self.sum
    }
}

/// Adds up the bytes that values took as bytes: exact for blocks that are kept so.
#[derive(Debug, Clone, Default)]
pub struct BytesWritten {
    sum: u64,
}

impl<T> SizeTracker<T> for BytesWritten {
    fn add(&mut self, _value: &T, serialized: Option<u64>) {
        self.sum = self.sum.saturating_add(serialized.unwrap_or(0));
    }

    fn estimate(&mut self) -> u64 {
        self.sum
    }
}

/// An iterator over values can only end; where it ended because its source failed, the error is here.
#[derive(Debug, Clone, Default)]
pub(crate) struct SourceFailure(Arc<Mutex<Option<io::Error>>>);

impl SourceFailure {
    fn set(&self, error: io::Error) {
        *self.0.lock() = Some(error);
    }

    pub(crate) fn take(&self) -> Option<io::Error> {
        self.0.lock().take()
    }
}

/// The values that are read from `input` in a format, up to the end or the first failure.
pub(crate) struct ReadValues<T, R> {
    input: Option<R>,
    format: Arc<dyn ValueFormat<T>>,
    failure: SourceFailure,
}

impl<T, R> ReadValues<T, R> {
    pub(crate) fn new(input: R, format: Arc<dyn ValueFormat<T>>) -> Self {
        Self {
            input: Some(input),
            format,
            failure: SourceFailure::default(),
        }
    }

    /// Where to look once it has ended.
    pub(crate) fn failure(&self) -> SourceFailure {
        self.failure.clone()
    }
}

impl<T, R: BufRead> Iterator for ReadValues<T, R> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        let read = self.format.read(self.input.as_mut()?);
        let value = read.unwrap_or_else(|error| {
            self.failure.set(error);
            None
        });
        if value.is_none() {
            self.input = None;
        }
        value
    }
}

/// The values of a block, whatever their type.
pub(crate) trait StoredValues: Send + Sync {
    fn as_any(&self) -> &dyn Any;
    fn element_type(&self) -> &'static str;
    fn count(&self) -> usize;
    /// Writes them all; an error where they have no format.
    fn write_to(&self, out: &mut dyn Write) -> io::Result<()>;
}

impl Debug for dyn StoredValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} values of {}", self.count(), self.element_type())
    }
}

pub(crate) struct Values<T> {
    pub(crate) list: Vec<T>,
    pub(crate) format: Option<Arc<dyn ValueFormat<T>>>,
}

impl<T: Send + Sync + 'static> StoredValues for Values<T> {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn element_type(&self) -> &'static str {
        std::any::type_name::<T>()
    }

    fn count(&self) -> usize {
        self.list.len()
    }

    fn write_to(&self, out: &mut dyn Write) -> io::Result<()> {
        let Some(format) = &self.format else {
            let message = format!("{} has no format to be written in", self.element_type());
            return Err(io::Error::new(io::ErrorKind::Unsupported, message));
        };
        self.list
            .iter()
            .try_for_each(|value| format.write(value, out))
    }
}
