//! Events on standard error, a line each: Hearth's own from `info` on, all others from `warn` on.
//!
//! `HEARTH_LOG` says from which level on all are written: `off`, `error`, `warn`, `info`, `debug`, `trace`.

use std::io::{self, Write};

use log::{LevelFilter, Log, Metadata, Record};

/// The variable that says what is written.
const VARIABLE: &str = "HEARTH_LOG";
/// What the targets of this crate's events begin with.
const OURS: &str = "mem_ballista";

static WITHOUT_WORD: Logger = Logger { all: false };
static AS_TOLD: Logger = Logger { all: true };

struct Logger {
    /// One level for all.
    all: bool,
}

/// Has events written. A program that contains this one may have its own logger; then that has them.
pub(super) fn start() {
    let told = std::env::var(VARIABLE).ok();
    let told: Option<LevelFilter> = told.and_then(|level| level.parse().ok());
    let logger = if told.is_some() {
        &AS_TOLD
    } else {
        &WITHOUT_WORD
    };
    if log::set_logger(logger).is_ok() {
        log::set_max_level(told.unwrap_or(LevelFilter::Info));
    }
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.all || metadata.level() <= LevelFilter::Warn || metadata.target().starts_with(OURS)
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let mut stderr = io::stderr().lock();
            // Nobody is left to be told that this fails.
            drop(writeln!(
                stderr,
                "{} {}: {}",
                record.level(),
                record.target(),
                record.args()
            ));
        }
    }

    fn flush(&self) {}
}
