//! Why the program failed: its exit status and the causes.

use std::error::Error;

use datafusion::common::DataFusionError;
use mem_datafusion::RuntimeError;
use mem_policy::ConfigError;

/// The work failed.
const WORK: u8 = 1;
/// Usage or configuration.
const USAGE: u8 = 2;

/// Why the program failed: at least one cause, each of them a line.
#[derive(Debug)]
pub(super) struct Failure {
    status: u8,
    causes: Vec<String>,
}

impl Failure {
    /// The work failed.
    pub(super) fn of_work(error: &(dyn Error + 'static)) -> Self {
        Self {
            status: WORK,
            causes: vec![in_one_line(error)],
        }
    }

    /// The command line, or a statement, can't be meant.
    pub(super) fn of_usage(cause: impl Into<String>) -> Self {
        Self {
            status: USAGE,
            causes: vec![cause.into()],
        }
    }

    /// With words before each cause.
    pub(super) fn at(mut self, place: &str) -> Self {
        for cause in &mut self.causes {
            cause.insert_str(0, place);
        }
        self
    }

    pub(super) fn status(&self) -> u8 {
        self.status
    }

    pub(super) fn causes(&self) -> &[String] {
        &self.causes
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        let causes = error.diagnostics().iter().map(ToString::to_string);
        Self {
            status: USAGE,
            causes: causes.collect(),
        }
    }
}

impl From<RuntimeError> for Failure {
    fn from(error: RuntimeError) -> Self {
        match error {
            RuntimeError::Config(error) => error.into(),
            // Its directories, codec and block size, and the memory, are what the configuration says.
            RuntimeError::Spill(_) | RuntimeError::Store(_) => Self::of_usage(in_one_line(&error)),
            other => Self::of_work(&other),
        }
    }
}

/// An error and its sources, with colons between. Some repeat their source; that is said once.
pub(super) fn in_one_line(error: &(dyn Error + 'static)) -> String {
    let mut line = match error.downcast_ref() {
        // DataFusion shows it as a programmer would.
        Some(DataFusionError::SQL(error, _)) => error.to_string(),
        _ => error.to_string(),
    };
    let mut next = error.source();
    while let Some(source) = next {
        let text = source.to_string();
        if !line.contains(&text) {
            line.push_str(": ");
            line.push_str(&text);
        }
        next = source.source();
    }
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn a_chain_is_one_line_and_says_nothing_twice() {
        let io = io::Error::other("disk\n  full");
        let error = DataFusionError::IoError(io).context("writing");
        let line = in_one_line(&error);
        assert!(
            line.contains("writing") && line.ends_with("disk full"),
            "{line}"
        );
        assert_eq!(line.matches("disk full").count(), 1, "{line}");
    }
}
