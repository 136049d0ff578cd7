//! What a block's memory holds, together with the reservation that pays for it.

use std::io::{self, Write};

use mem_pool::Reservation;

use crate::bytes::ChunkedBytes;
use crate::error::Form;
use crate::values::StoredValues;

/// A block's bytes or values.
#[derive(Debug)]
pub(crate) enum Data {
    Bytes(ChunkedBytes),
    Values(Box<dyn StoredValues>),
}

impl Data {
    pub(crate) fn form(&self) -> Form {
        match self {
            Self::Bytes(_) => Form::Serialized,
            Self::Values(_) => Form::Deserialized,
        }
    }

    pub(crate) fn write_to(&self, out: &mut dyn Write) -> io::Result<()> {
        match self {
            Self::Bytes(bytes) => bytes.write_to(out),
            Self::Values(values) => values.write_to(out),
        }
    }
}

/// A block in memory. Readers share it; whoever drops it last frees the memory and then gives the
/// reservation back, in the order of the fields, so that nothing is counted as free while it is not.
#[derive(Debug)]
pub(crate) struct Content {
    pub(crate) data: Data,
    /// What it costs, in bytes; the reservation has as many.
    pub(crate) size: u64,
    pub(crate) reservation: Reservation,
}

impl Content {
    pub(crate) fn new(data: Data, reservation: Reservation) -> Self {
        Self {
            data,
            size: reservation.bytes(),
            reservation,
        }
    }

    /// Frees the memory, and keeps its reservation.
    pub(crate) fn free(self) -> Reservation {
        drop(self.data);
        self.reservation
    }
}
