//! What a replay found.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::compare::Difference;

/// What came of one trace. Serialized, it is one line of `hearth replay --json`.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct TraceReport {
    /// The file's path, and the trace's own name where a file holds several.
    pub trace: String,
    /// Lines that were replayed and compared, headers included.
    pub operations: u64,
    /// Those that came out differently, in order.
    pub mismatches: Vec<Mismatch>,
}

/// One line that came out differently.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct Mismatch {
    /// The line in its file, from 1.
    pub line: u64,
    /// The operation's number since the last header; none for a header itself.
    pub operation: Option<u64>,
    /// What was asked, as it stands in the file.
    pub input: Box<RawValue>,
    /// Every field that differs; at least one.
    pub differences: Vec<Difference>,
}

/// Why a trace could not be replayed to its end.
#[derive(Debug, thiserror::Error)]
#[error("{trace}{}: {problem}", at(*line))]
#[non_exhaustive]
pub struct TraceError {
    /// The file's path.
    pub trace: String,
    /// The line, from 1; none where the file itself is the matter.
    pub line: Option<u64>,
    /// What is wrong.
    pub problem: Problem,
}

fn at(line: Option<u64>) -> String {
    line.map(|line| format!(":{line}")).unwrap_or_default()
}

/// What is wrong with a trace.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// It could not be read.
    #[error("{0}")]
    Read(#[from] std::io::Error),
    /// A line that is not as the format has it.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    /// A line that makes no sense after those before it.
    #[error("{0}")]
    Sense(String),
}

impl Problem {
    /// A line that makes no sense where it stands.
    pub(crate) fn sense(what: impl Into<String>) -> Self {
        Self::Sense(what.into())
    }
}
