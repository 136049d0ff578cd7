//! The configuration, from its file and from the command line.

use std::path::PathBuf;

use clap::Args;
use mem_policy::config::{Origin, Severity};
use mem_policy::{MemoryConfig, SparkRelease, parse_size};

use crate::failure::Failure;

/// Where the configuration comes from.
#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    /// Read settings from FILE: TOML, or the form of spark-defaults.conf
    #[arg(short = 'c', long = "config", value_name = "FILE")]
    file: Option<PathBuf>,
    /// Set one key; goes before the file
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
}

impl ConfigArgs {
    /// Reads it all; what is set on the command line replaces what is in the file.
    pub(crate) fn read(&self) -> Result<MemoryConfig, Failure> {
        let mut config = match &self.file {
            Some(path) => MemoryConfig::from_file(path)?,
            None => MemoryConfig::new(),
        };
        for assignment in &self.set {
            config.set(assignment)?;
        }
        Ok(config)
    }
}

/// Has only off-heap memory used, of the size that `-S` gives.
pub(crate) fn use_off_heap(config: &mut MemoryConfig, size: &str) -> Result<(), Failure> {
    let bytes = sort_size(size).ok_or_else(|| {
        Failure::of_usage(format!(
            "-S: expected a size such as 64m or 2g; got {size:?}"
        ))
    })?;
    let origin = Origin::named("-S");
    config.insert("spark.memory.offHeap.enabled", "true", origin.clone())?;
    config.insert("spark.memory.offHeap.size", &format!("{bytes}b"), origin)?;
    Ok(())
}

/// A size as GNU sort reads it: a number alone counts KiB.
fn sort_size(text: &str) -> Option<u64> {
    let kibibytes = text.ends_with(|c: char| c.is_ascii_digit());
    let text = if kibibytes {
        format!("{text}k")
    } else {
        text.to_owned()
    };
    parse_size(&text, SparkRelease::V4_3).ok()
}

/// The lines that warn of settings that probably do not do what was meant.
pub(crate) fn warnings(config: &MemoryConfig) -> Vec<String> {
    let notes = config.notes().into_iter();
    notes
        .filter(|note| note.severity == Severity::Warning)
        .map(|note| note.to_string())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_gnu_sort_does() {
        assert_eq!(sort_size("64m"), Some(64 << 20));
        assert_eq!(sort_size("2G"), Some(2 << 30));
        assert_eq!(sort_size("100"), Some(100 << 10));
        assert_eq!(sort_size("100b"), Some(100));
        for wrong in ["", "m", "1.5g", "-1", "5x", "99999999999999999999"] {
            assert_eq!(sort_size(wrong), None, "{wrong}");
        }
    }
}
