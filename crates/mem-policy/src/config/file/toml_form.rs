//! The TOML form: `"spark.memory.fraction" = 0.6`, or the same by tables and dotted keys.

use toml::Spanned;
use toml::de::{DeArray, DeInteger, DeTable, DeValue};

use super::{Assignment, SyntaxError, Written};

/// Reads a TOML text; assignments come in the order of their lines.
pub(super) fn assignments(text: &str) -> Result<Vec<Assignment>, Vec<SyntaxError>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut reading = Reading {
        text,
        assignments: Vec::new(),
        errors: Vec::new(),
    };
    if errors.is_empty() {
        reading.table("", table.get_ref());
    }
    for error in errors {
        reading.error(
            error.span().map_or(0, |span| span.start),
            error.message().to_owned(),
        );
    }
    // One mistake tends to give several messages for its line; the first names it.
    reading.errors.sort_by_key(|error| error.line);
    reading.errors.dedup_by_key(|error| error.line);
    if reading.errors.is_empty() {
        reading
            .assignments
            .sort_by_key(|assignment| assignment.line);
        Ok(reading.assignments)
    } else {
        Err(reading.errors)
    }
}

/// A parsed text on its way to assignments.
struct Reading<'a> {
    text: &'a str,
    assignments: Vec<Assignment>,
    errors: Vec<SyntaxError>,
}

impl Reading<'_> {
    /// Collects the assignments of a table; the parser has limited how deep tables are.
    fn table(&mut self, prefix: &str, table: &DeTable<'_>) {
        for (name, value) in table.iter() {
            let key = match prefix {
                "" => name.get_ref().to_string(),
                _ => format!("{prefix}.{}", name.get_ref()),
            };
            let at = name.span().start;
            match value.get_ref() {
                DeValue::Table(inner) => self.table(&key, inner),
                DeValue::Array(items) => match list(items) {
                    Ok(items) => self.assign(at, key, Written::List(items)),
                    Err(what) => self.error(at, format!("{key}: a list cannot hold {what} here")),
                },
                value => match scalar(value) {
                    Ok(text) => self.assign(at, key, Written::Text(text)),
                    Err(what) => self.error(at, format!("{key}: {what} cannot be used here")),
                },
            }
        }
    }

    fn assign(&mut self, at: usize, key: String, written: Written) {
        let line = self.line(at);
        self.assignments.push(Assignment { line, key, written });
    }

    fn error(&mut self, at: usize, message: String) {
        let line = self.line(at);
        self.errors.push(SyntaxError { line, message });
    }

    /// The line, from 1, of a byte of the text.
    fn line(&self, at: usize) -> usize {
        let before = &self.text.as_bytes()[..at.min(self.text.len())];
        1 + before.iter().filter(|byte| **byte == b'\n').count()
    }
}

/// A value in the text form that Spark's settings have; else what it is.
fn scalar(value: &DeValue<'_>) -> Result<String, &'static str> {
    match value {
        DeValue::String(text) => Ok(text.to_string()),
        DeValue::Integer(integer) => Ok(whole(integer)),
        DeValue::Float(float) => Ok(float.as_str().to_owned()),
        DeValue::Boolean(flag) => Ok(flag.to_string()),
        DeValue::Datetime(_) => Err("a date or time of day"),
        DeValue::Array(_) => Err("a list"),
        DeValue::Table(_) => Err("a table"),
    }
}

/// A whole number in decimal; one of more than 127 bits stays as it was written, and no setting takes it.
fn whole(integer: &DeInteger<'_>) -> String {
    match i128::from_str_radix(integer.as_str(), integer.radix()) {
        Ok(number) => number.to_string(),
        Err(_) => integer.to_string(),
    }
}

fn list(items: &DeArray<'_>) -> Result<Vec<String>, &'static str> {
    items
        .iter()
        .map(|item: &Spanned<DeValue<'_>>| scalar(item.get_ref()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(usize, String, String)> {
        let assignments = assignments(text).expect("this is TOML");
        assignments
            .into_iter()
            .map(|a| (a.line, a.key, a.written.text()))
            .collect()
    }

    fn check(text: &str, expected: &[(usize, &str, &str)]) {
        let expected: Vec<_> = expected
            .iter()
            .map(|(line, key, value)| (*line, (*key).to_owned(), (*value).to_owned()))
            .collect();
        assert_eq!(read(text), expected, "{text}");
    }

    #[test]
    fn quoted_dotted_and_table_keys_are_the_same_keys() {
        check(
            "\"spark.memory.fraction\" = 0.6",
            &[(1, "spark.memory.fraction", "0.6")],
        );
        check(
            "\nspark.memory.fraction = 0.6",
            &[(2, "spark.memory.fraction", "0.6")],
        );
        check(
            "[spark.memory]\nfraction = 0.6\noffHeap.enabled = true\n[spark.memory.offHeap2]\nsize = 1",
            &[
                (2, "spark.memory.fraction", "0.6"),
                (3, "spark.memory.offHeap.enabled", "true"),
                (5, "spark.memory.offHeap2.size", "1"),
            ],
        );
    }

    #[test]
    fn values_become_the_text_that_spark_would_have() {
        check(
            "a = 1_000\nb = 0x10\nc = '2g'\nd = 1e-3\ne = nan\nf = [\"x\", 'y']\ng = 1_0.5",
            &[
                (1, "a", "1000"),
                (2, "b", "16"),
                (3, "c", "2g"),
                (4, "d", "1e-3"),
                (5, "e", "nan"),
                (6, "f", "x,y"),
                (7, "g", "10.5"),
            ],
        );
    }

    #[test]
    fn what_is_not_toml_is_named_by_line() {
        for (text, line) in [
            ("a = 1\nb = = 2", 2),
            ("a = 1\na = 2", 2),
            ("\n\n[x", 3),
            ("a = 1979-05-27", 1),
        ] {
            let errors = assignments(text).expect_err(text);
            assert_eq!(
                errors.first().map(|e| e.line),
                Some(line),
                "{text}: {errors:?}"
            );
        }
    }

    #[test]
    fn hostile_depth_is_refused() {
        let dotted = format!("{}x = 1", "a.".repeat(10_000));
        assert!(assignments(&dotted).is_err());
        let arrays = format!("a = {}", "[".repeat(10_000));
        assert!(assignments(&arrays).is_err());
    }
}
