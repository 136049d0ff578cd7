//! Why a configuration is refused: one cause a line, each naming place, key and what was expected.

use std::fmt;

use super::origin::Origin;
use super::resolve::ResolveError;

/// One cause for refusing a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Where: a file and its line, an option. `None` where the cause is a file as a whole.
    pub origin: Option<Origin>,
    /// The setting, where there is one.
    pub key: Option<String>,
    /// What is wrong.
    pub problem: Problem,
}

/// What is wrong with a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// The name is not known.
    UnknownKey {
        /// The known name that the fewest edits lead to, and how many.
        nearest: Option<(&'static str, usize)>,
    },
    /// The value is not of its setting's kind.
    BadValue {
        /// What was expected.
        expected: String,
        /// What was given.
        got: String,
    },
    /// The setting was given before, in the same file.
    GivenTwice {
        /// Line of the earlier one.
        first_line: usize,
    },
    /// The text does not parse.
    Syntax(String),
    /// The file cannot be read.
    Unreadable {
        /// The file, as it was named.
        file: String,
        /// Why.
        why: String,
    },
    /// The values are fine one by one and impossible together: Spark's own error.
    Impossible(ResolveError),
}

/// A slip of up to this many edits is called one.
const SLIP_EDITS: usize = 3;

/// `hearth.toml:3: spark.memory.fracton: unknown key; did you mean spark.memory.fraction?`
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(origin) = &self.origin {
            write!(f, "{origin}: ")?;
        }
        if let Some(key) = &self.key {
            write!(f, "{}: ", OneLine(key))?;
        }
        write!(f, "{}", self.problem)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownKey {
                nearest: Some((name, edits)),
            } if *edits <= SLIP_EDITS => {
                write!(f, "unknown key; did you mean {name}?")
            }
            Self::UnknownKey {
                nearest: Some((name, _)),
            } => {
                write!(f, "unknown key; the nearest known one is {name}")
            }
            Self::UnknownKey { nearest: None } => f.write_str("unknown key"),
            Self::BadValue { expected, got } => write!(f, "expected {expected}; got {got:?}"),
            Self::GivenTwice { first_line } => {
                write!(f, "given twice; the first one is in line {first_line}")
            }
            Self::Syntax(message) => write!(f, "{}", OneLine(message)),
            Self::Unreadable { file, why } => write!(f, "{file}: cannot be read: {why}"),
            Self::Impossible(error) => f.write_str(&error.message),
        }
    }
}

/// A text of others, kept to one line: control characters are escaped.
struct OneLine<'a>(&'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            if c.is_control() {
                write!(f, "{}", c.escape_default())?;
            } else {
                write!(f, "{c}")?;
            }
        }
        Ok(())
    }
}

/// A configuration that is refused, with every cause that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    diagnostics: Vec<Diagnostic>,
}

impl ConfigError {
    /// The error of these causes; `Ok` where there are none.
    pub(crate) fn unless_empty(diagnostics: Vec<Diagnostic>) -> Result<(), Self> {
        if diagnostics.is_empty() {
            Ok(())
        } else {
            Err(Self { diagnostics })
        }
    }

    /// The causes, in the order in which they were found: at least one.
    #[must_use]
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }
}

impl From<Diagnostic> for ConfigError {
    fn from(diagnostic: Diagnostic) -> Self {
        Self {
            diagnostics: vec![diagnostic],
        }
    }
}

/// One cause a line, without a line break at the end.
impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, diagnostic) in self.diagnostics.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{diagnostic}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}
