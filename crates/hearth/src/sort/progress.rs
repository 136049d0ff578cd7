//! A progress bar, for who watches.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};

/// Shows on standard error how far a sort is, if that is a terminal.
#[derive(Debug, Clone)]
pub struct Progress {
    bar: ProgressBar,
}

impl Default for Progress {
    /// Shows nothing.
    fn default() -> Self {
        Self {
            bar: ProgressBar::hidden(),
        }
    }
}

impl Progress {
    /// A bar for an input of `bytes`, if that is known, if standard error is a terminal.
    #[must_use]
    pub fn on_terminal(bytes: Option<u64>) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self::default();
        }
        let (bar, template) = match bytes {
            Some(bytes) => (
                ProgressBar::new(bytes),
                "{msg:8} {bar:40} {bytes}/{total_bytes} {elapsed}",
            ),
            None => (
                ProgressBar::no_length(),
                "{msg:8} {spinner} {bytes} {elapsed}",
            ),
        };
        let style =
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        Self {
            bar: bar.with_style(style),
        }
    }

    /// The next phase begins, at nothing done.
    pub(crate) fn phase(&self, name: &'static str, bytes: Option<u64>) {
        if let Some(bytes) = bytes {
            self.bar.set_length(bytes);
        }
        self.bar.set_position(0);
        self.bar.set_message(name);
    }

    /// That much is done of the phase.
    pub(crate) fn done(&self, bytes: u64) {
        self.bar.set_position(bytes);
    }

    /// That much more is done of the phase.
    pub(crate) fn advance(&self, bytes: u64) {
        self.bar.inc(bytes);
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
