//! Where a setting was written, and what is to be said about it.

use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

/// Where a setting's value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// A line of a file.
    File {
        /// The file, as it was named.
        name: Arc<str>,
        /// The line, from 1.
        line: usize,
    },
    /// An option of the command line, or code: whatever the caller calls itself.
    Named(Arc<str>),
}

impl Origin {
    /// An origin that goes by a name of its own, such as `--set`.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self::Named(name.into())
    }
}

/// `default`, `hearth.toml:3`, `--set`.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { name, line } => write!(f, "{name}:{line}"),
            Self::Named(name) => f.write_str(name),
        }
    }
}

impl Serialize for Origin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// How much a note matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The setting is not Hearth's business.
    Note,
    /// The setting probably does not do what was meant.
    Warning,
}

/// Something about a setting that is worth saying and is no error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Note {
    /// How much it matters.
    pub severity: Severity,
    /// Where it was written.
    pub origin: Origin,
    /// The setting.
    pub key: String,
    /// What is to be said.
    pub message: String,
}

/// `hearth.toml:3: note: spark.app.name: …`
impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Note => "note",
            Severity::Warning => "warning",
        };
        write!(
            f,
            "{}: {severity}: {}: {}",
            self.origin, self.key, self.message
        )
    }
}
