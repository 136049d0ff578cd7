//! The command line of `hearth-sql`.

use std::fs;
use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use mem_policy::config::{Origin, Severity};
use mem_policy::{MemoryConfig, SparkRelease, parse_size};

use super::failure::{Failure, in_one_line};
use crate::statements::Statement;

/// Run SQL over files, under a memory budget
///
/// Tables are files by their paths: SELECT * FROM 'a.parquet' (Parquet, CSV, JSON). Spark's CACHE TABLE,
/// UNCACHE TABLE and CLEAR CACHE keep tables in memory as long as queries leave room.
#[derive(Debug, Parser)]
#[command(name = "hearth-sql", version, args_override_self = true)]
pub(super) struct Args {
    /// Use SIZE of off-heap memory and nothing else (64m, 2g; a number alone counts KiB): short for
    /// spark.memory.offHeap.enabled=true and spark.memory.offHeap.size=SIZE
    #[arg(short = 'S', long = "buffer-size", value_name = "SIZE")]
    size: Option<String>,
    /// Read settings from FILE: TOML, or the form of spark-defaults.conf
    #[arg(short = 'c', long = "config", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Set one key; goes before the file
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Run up to N queries at once, where several follow each other; their output stays in order
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u16).range(1..=1024))]
    tasks: u16,
    /// Spill to DIR; several are used in turn
    #[arg(long = "spill-dir", value_name = "DIR")]
    spill_dirs: Vec<PathBuf>,
    /// Run the statements in FILE, after those that are arguments
    #[arg(short = 'f', long = "file", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// How rows are shown
    #[arg(long, value_enum, value_name = "FORM", default_value_t = Format::Table)]
    pub(super) format: Format,
    /// Say at the end, on standard error, what it took
    #[arg(long, value_enum, value_name = "FORM")]
    pub(super) stats: Option<StatsForm>,
    /// Statements, with semicolons between
    #[arg(value_name = "SQL")]
    sql: Vec<String>,
}

/// How rows are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// Drawn, for people
    Table,
    /// Comma-separated values, with a header
    Csv,
    /// One JSON object a line
    Json,
}

/// The form of `--stats`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum StatsForm {
    /// For people
    Text,
    /// One line of JSON
    Json,
}

impl Args {
    /// Reads the settings; what is set on the command line replaces what is in the file.
    pub(super) fn config(&self) -> Result<MemoryConfig, Failure> {
        let mut config = match &self.config {
            Some(path) => MemoryConfig::from_file(path)?,
            None => MemoryConfig::new(),
        };
        for assignment in &self.set {
            config.set(assignment)?;
        }
        if let Some(size) = &self.size {
            use_off_heap(&mut config, size)?;
        }
        Ok(config)
    }

    /// How many queries may run at once.
    pub(super) fn tasks(&self) -> usize {
        usize::from(self.tasks)
    }

    /// Where to spill, if it is said here.
    pub(super) fn spill_dirs(&self) -> &[PathBuf] {
        &self.spill_dirs
    }

    /// All statements, in order. Each is understood before any is run.
    pub(super) fn statements(&self) -> Result<Vec<Statement>, Failure> {
        let mut statements = Vec::new();
        let mut add = |place: &str, text: &str| -> Result<(), Failure> {
            let parsed = Statement::parse_all(text);
            let parsed = parsed
                .map_err(|error| Failure::of_usage(format!("{place}{}", in_one_line(&error))))?;
            statements.extend(parsed);
            Ok(())
        };
        for sql in &self.sql {
            add("", sql)?;
        }
        for path in &self.files {
            let place = format!("{}: ", path.display());
            let text = fs::read_to_string(path);
            let text = text.map_err(|error| Failure::of_usage(format!("{place}{error}")))?;
            add(&place, &text)?;
        }
        if statements.is_empty() {
            return Err(Failure::of_usage(
                "there is no statement; expected SQL, or a file with -f",
            ));
        }
        Ok(statements)
    }
}

/// Has only off-heap memory used, of the size that `-S` gives.
fn use_off_heap(config: &mut MemoryConfig, size: &str) -> Result<(), Failure> {
    let kibibytes = size.ends_with(|c: char| c.is_ascii_digit());
    let unit = if kibibytes { "k" } else { "" };
    let bytes = parse_size(&format!("{size}{unit}"), SparkRelease::V4_3);
    let Ok(bytes) = bytes else {
        return Err(Failure::of_usage(format!(
            "-S: expected a size such as 64m or 2g; got {size:?}"
        )));
    };
    let origin = Origin::named("-S");
    config.insert("spark.memory.offHeap.enabled", "true", origin.clone())?;
    config.insert("spark.memory.offHeap.size", &format!("{bytes}b"), origin)?;
    Ok(())
}

/// The lines that warn of settings that probably do not do what was meant.
pub(super) fn warnings(config: &MemoryConfig) -> Vec<String> {
    let notes = config.notes().into_iter();
    let warnings = notes.filter(|note| note.severity == Severity::Warning);
    warnings.map(|note| note.to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_hearth_sort_does() {
        for (text, bytes) in [("64m", 64 << 20), ("100", 100 << 10), ("100b", 100)] {
            let mut config = MemoryConfig::new();
            use_off_heap(&mut config, text).unwrap();
            let resolved = config.resolve(1).unwrap();
            assert_eq!(resolved.off_heap.max, bytes, "{text}");
        }
        for wrong in ["", "m", "1.5g", "-1", "5x"] {
            let failure = use_off_heap(&mut MemoryConfig::new(), wrong).unwrap_err();
            assert_eq!(failure.status(), 2, "{wrong}");
        }
    }
}
