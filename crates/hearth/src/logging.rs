//! Events on standard error, for who sets `HEARTH_LOG` (`info`, `hearth=trace`, ...).

use std::io;

use tracing_subscriber::EnvFilter;

/// The variable that says what is logged; without it nothing is.
const VARIABLE: &str = "HEARTH_LOG";

/// Whether events are wanted.
pub(crate) fn is_wanted() -> bool {
    std::env::var_os(VARIABLE).is_some()
}

/// Has events go to standard error if they are wanted. What can't be understood is ignored.
pub(crate) fn start() {
    if is_wanted() {
        let filter = EnvFilter::from_env(VARIABLE);
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(io::stderr);
        // It fails where a program that contains this one has its own.
        drop(subscriber.try_init());
    }
}
