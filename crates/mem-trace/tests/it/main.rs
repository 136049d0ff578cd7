//! What the crate's users see: traces that replay, recordings that replay, errors that say where.

mod conformance;
mod reading;
mod recording;
