//! The one error of these commands: a text for the person in front of the terminal.

use std::fmt;

/// Why a command failed. Whoever reads it is a person, so it is a text, with the file or command that it is about.
#[derive(Debug)]
pub(crate) struct Failure(String);

pub(crate) type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// A failure of every complaint, one a line; fine if there is none.
    pub(crate) fn unless_empty(heading: &str, complaints: &[String]) -> Result<()> {
        if complaints.is_empty() {
            return Ok(());
        }
        Err(Self(format!(
            "{heading}: {} complaint(s)\n{}",
            complaints.len(),
            complaints.join("\n")
        )))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Says what was being done when an error of the system came.
pub(crate) trait Doing<T> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T>;
}

impl<T, E: fmt::Display> Doing<T> for std::result::Result<T, E> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|error| Failure(format!("{}: {error}", what())))
    }
}
