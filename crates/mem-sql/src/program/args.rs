//! The command line of `hearth-sql`.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use mem_policy::MemoryConfig;
use mem_policy::config::Origin;

use super::Failure;
use crate::statements::split;

/// Run SQL over files, under a memory budget
///
/// Tables are files by their paths: SELECT * FROM 'a.parquet' (Parquet, CSV, JSON). Spark's CACHE TABLE,
/// UNCACHE TABLE and CLEAR CACHE keep tables in memory as long as queries leave room.
#[derive(Debug, Parser)]
#[command(name = "hearth-sql", version)]
pub(super) struct Args {
    /// Read settings from FILE: TOML, or the form of spark-defaults.conf
    #[arg(short = 'c', long = "config", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Set one key; goes before the file
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Use SIZE of memory, such as 512m; the whole budget, before all settings
    #[arg(short = 'S', long = "memory", value_name = "SIZE")]
    memory: Option<String>,
    /// Run up to N queries at once, where several follow each other; output stays in order
    #[arg(long, value_name = "N", default_value = "1", value_parser = at_least_one)]
    pub(super) tasks: usize,
    /// Read statements from FILE, after those that are arguments
    #[arg(short = 'f', long = "file", value_name = "FILE")]
    file: Vec<PathBuf>,
    /// How rows are shown
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(super) format: Format,
    /// Say at the end, on standard error, what memory was used
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

/// How the report is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum StatsForm {
    /// A line for each fact
    Text,
    /// One JSON object
    Json,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("expected a number of at least 1".to_owned()),
        Ok(number) => Ok(number),
    }
}

impl Args {
    /// Reads the settings; what is set on the command line replaces what is in the file.
    pub(super) fn config(&self) -> Result<MemoryConfig, Failure> {
        let mut config = match &self.config {
            Some(path) => MemoryConfig::from_file(path).map_err(Failure::Config)?,
            None => MemoryConfig::new(),
        };
        for assignment in &self.set {
            config.set(assignment).map_err(Failure::Config)?;
        }
        if let Some(size) = &self.memory {
            let origin = Origin::named("-S");
            config
                .insert("spark.memory.offHeap.enabled", "true", origin.clone())
                .and_then(|()| config.insert("spark.memory.offHeap.size", size, origin))
                .map_err(Failure::Config)?;
        }
        Ok(config)
    }

    /// All statements, in order.
    pub(super) fn statements(&self) -> Result<Vec<String>, Failure> {
        let mut statements = Vec::new();
        let mut add = |name: &str, text: &str| -> Result<(), Failure> {
            let split = split(text).map_err(|error| Failure::Usage(format!("{name}: {error}")))?;
            statements.extend(split);
            Ok(())
        };
        for sql in &self.sql {
            add("SQL", sql)?;
        }
        for path in &self.file {
            let name = path.display().to_string();
            let text = std::fs::read_to_string(path);
            let text = text.map_err(|error| Failure::Usage(format!("{name}: {error}")))?;
            add(&name, &text)?;
        }
        if statements.is_empty() {
            return Err(Failure::Usage("no statement is given".to_owned()));
        }
        Ok(statements)
    }
}

/// Whether a statement only reads.
pub(super) fn is_query(statement: &str) -> bool {
    let mut words = statement.split(|c: char| !c.is_ascii_alphabetic());
    let first = words.find(|word| !word.is_empty()).unwrap_or("");
    ["SELECT", "WITH", "VALUES", "TABLE"]
        .iter()
        .any(|word| first.eq_ignore_ascii_case(word))
}
