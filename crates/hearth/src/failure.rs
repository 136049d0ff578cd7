//! A failed command: its exit status and its causes.

use std::error::Error;

use mem_policy::ConfigError;

/// The work failed.
const WORK: u8 = 1;
/// Usage or configuration.
const USAGE: u8 = 2;

/// Why a command failed: at least one cause, each of them a line.
#[derive(Debug)]
pub(crate) struct Failure {
    status: u8,
    causes: Vec<String>,
}

impl Failure {
    /// The work failed.
    pub(crate) fn of_work(error: &(dyn Error + 'static)) -> Self {
        Self {
            status: WORK,
            causes: vec![in_one_line(error)],
        }
    }

    /// The work failed, for each of these reasons.
    pub(crate) fn of_causes(causes: Vec<String>) -> Self {
        Self {
            status: WORK,
            causes,
        }
    }

    /// The command line or the configuration can't be meant.
    pub(crate) fn of_usage(cause: impl Into<String>) -> Self {
        Self {
            status: USAGE,
            causes: vec![cause.into()],
        }
    }

    pub(crate) fn status(&self) -> u8 {
        self.status
    }

    pub(crate) fn causes(&self) -> &[String] {
        &self.causes
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        let causes = error
            .diagnostics()
            .iter()
            .map(ToString::to_string)
            .collect();
        Self {
            status: USAGE,
            causes,
        }
    }
}

/// An error and its sources, with colons between. Some repeat their source; that is said once.
pub(crate) fn in_one_line(error: &(dyn Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let text = source.to_string();
        if !line.ends_with(&text) {
            line.push_str(": ");
            line.push_str(&text);
        }
        next = source.source();
    }
    line.replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Link {
        text: &'static str,
        source: Option<Box<Self>>,
    }

    #[test]
    fn a_chain_is_one_line_and_says_nothing_twice() {
        let last = Link {
            text: "disk\nfull",
            source: None,
        };
        let middle = Link {
            text: "spilling: disk\nfull",
            source: Some(Box::new(last)),
        };
        let first = Link {
            text: "can't sort",
            source: Some(Box::new(middle)),
        };
        assert_eq!(in_one_line(&first), "can't sort: spilling: disk full");
    }
}
