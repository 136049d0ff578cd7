//! Configuration files: the two forms they can have, read into plain assignments.

mod spark_defaults;
mod toml_form;

use std::path::Path;

/// The form of a configuration file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileForm {
    /// TOML, with Spark's keys quoted, dotted or as tables.
    Toml,
    /// `spark-defaults.conf`: Java properties.
    SparkDefaults,
}

/// One `key = value` of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Assignment {
    /// The line of the key, from 1.
    pub(crate) line: usize,
    /// The key, its parts joined by dots.
    pub(crate) key: String,
    /// The value.
    pub(crate) written: Written,
}

/// A value as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Written {
    /// A single value, in the text form that Spark's settings have.
    Text(String),
    /// A list.
    List(Vec<String>),
}

impl Written {
    /// The value as one text; lists with commas.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::List(items) => items.join(","),
        }
    }
}

/// A place in a file where its form is violated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    /// The line, from 1.
    pub(crate) line: usize,
    /// What is wrong.
    pub(crate) message: String,
}

impl FileForm {
    /// The form that a file's extension names, or that its text looks like.
    pub(crate) fn of(path: &Path, text: &str) -> Self {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("toml") => Self::Toml,
            Some("conf" | "properties") => Self::SparkDefaults,
            Some(_) | None => Self::sniff(text),
        }
    }

    /// TOML, unless it does not parse as that and no line begins in a way that only TOML has.
    fn sniff(text: &str) -> Self {
        let is_marked = |line: &str| line.trim_start().starts_with(['[', '"', '\'']);
        if toml_form::assignments(text).is_ok() || text.lines().any(is_marked) {
            Self::Toml
        } else {
            Self::SparkDefaults
        }
    }

    /// Reads a text of this form.
    ///
    /// # Errors
    ///
    /// Every place where the text violates the form.
    pub(crate) fn assignments(self, text: &str) -> Result<Vec<Assignment>, Vec<SyntaxError>> {
        // Editors on some systems begin a file with a byte order mark.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        match self {
            Self::Toml => toml_form::assignments(text),
            Self::SparkDefaults => spark_defaults::assignments(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_follows_the_extension_and_else_the_text() {
        let of = |path, text| FileForm::of(Path::new(path), text);
        assert_eq!(of("a.toml", "spark.executor.memory 1g"), FileForm::Toml);
        assert_eq!(of("a.conf", "\"a\" = 1"), FileForm::SparkDefaults);
        assert_eq!(of("a.properties", ""), FileForm::SparkDefaults);
        assert_eq!(of("a", "spark.executor.memory 1g"), FileForm::SparkDefaults);
        assert_eq!(of("a", "spark.executor.memory=1g"), FileForm::SparkDefaults);
        assert_eq!(of("a.cfg", "spark.memory.fraction = 0.5"), FileForm::Toml);
        assert_eq!(
            of("a.cfg", "\"spark.memory.fraction\" = 0..5"),
            FileForm::Toml
        );
    }
}
