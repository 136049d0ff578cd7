//! `hearth explain`: what a configuration means.

use std::io::{self, Write};

use clap::{Args, ValueEnum};
use mem_policy::Explanation;
use mem_policy::config::{Collector, Environment};

use crate::failure::Failure;
use crate::settings::ConfigArgs;

/// Show every region in bytes, with the arithmetic and the keys behind it
#[derive(Debug, Args)]
pub struct ExplainArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Cores that memory is divided by; 0: as many as the machine has
    #[arg(long, value_name = "N", default_value_t = 0)]
    cores: u32,
    /// Collector of the JVM that is explained: with G1, Spark's heap pages are 16 bytes smaller
    #[arg(long, value_enum, default_value_t = Gc::Parallel)]
    gc: Gc,
    /// Explain Spark's driver, not its executor: one error differs
    #[arg(long)]
    driver: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A JVM's collector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Gc {
    /// Takes nothing off a page; so does Hearth, which has no collector.
    Parallel,
    /// G1.
    G1,
}

impl From<Gc> for Collector {
    fn from(gc: Gc) -> Self {
        match gc {
            Gc::Parallel => Self::Parallel,
            Gc::G1 => Self::G1,
        }
    }
}

pub(crate) fn command(arguments: &ExplainArgs) -> Result<(), Failure> {
    let config = arguments.config.read()?;
    let environment = Environment {
        is_driver: arguments.driver,
        collector: arguments.gc.into(),
        ..config.environment(arguments.cores)
    };
    let explanation = Explanation::in_environment(&config, &environment)?;
    let text = if arguments.json {
        let json = serde_json::to_string_pretty(&explanation);
        json.map_err(|error| Failure::of_work(&error))? + "\n"
    } else {
        explanation.to_string()
    };
    match io::stdout().write_all(text.as_bytes()) {
        // Whoever reads has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(|error| Failure::of_work(&error)),
    }
}
