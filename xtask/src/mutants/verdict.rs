//! What became of each mutant, and the table of it.

use std::fmt;

use crate::failure::{Failure, Result};
use crate::mutants::mark::Mark;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The model of that name failed.
    Caught(String),
    /// The model of that name did not come to an end.
    CaughtByTime(String),
    /// Every model passed.
    Survived,
    /// The mutant shows nothing: it does not compile, or its model does not exist.
    Broken(String),
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Caught(model) => write!(f, "caught by {model}"),
            Self::CaughtByTime(model) => write!(f, "caught (timeout) by {model}"),
            Self::Survived => f.write_str("SURVIVED"),
            Self::Broken(why) => write!(f, "ERROR: {}", last_lines(why)),
        }
    }
}

impl Verdict {
    /// In one line.
    fn in_short(&self) -> String {
        let whole = self.to_string();
        whole.lines().next().unwrap_or_default().to_owned()
    }
}

/// The end of what a compiler says, where the errors are.
fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.trim().lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}

/// Prints as a table with a line of sums.
#[derive(Debug, Default)]
pub(crate) struct Report {
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    name: String,
    location: String,
    verdict: Verdict,
    time: String,
}

impl Report {
    pub(crate) fn add(&mut self, mark: &Mark, verdict: Verdict, time: String) {
        self.rows.push(Row {
            name: mark.name.clone(),
            location: mark.location(),
            verdict,
            time,
        });
    }

    pub(crate) fn require_all_caught(&self) -> Result<()> {
        let complaints: Vec<String> = self
            .rows
            .iter()
            .filter(|row| matches!(row.verdict, Verdict::Survived | Verdict::Broken(_)))
            .map(|row| {
                format!(
                    "{} ({}): {}",
                    row.name,
                    row.location,
                    row.verdict.in_short()
                )
            })
            .collect();
        Failure::unless_empty("mutants", &complaints)
    }

    fn count(&self, is_meant: impl Fn(&Verdict) -> bool) -> usize {
        self.rows
            .iter()
            .filter(|row| is_meant(&row.verdict))
            .count()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.rows.iter().map(|row| row.name.chars().count()).max();
        let width = width.unwrap_or_default();
        for row in &self.rows {
            let verdict = row.verdict.in_short();
            writeln!(f, "{:<width$} {:>8}  {verdict}", row.name, row.time)?;
        }
        let timeouts = self.count(|verdict| matches!(verdict, Verdict::CaughtByTime(_)));
        let caught = timeouts + self.count(|verdict| matches!(verdict, Verdict::Caught(_)));
        write!(
            f,
            "{} mutants: {caught} caught ({timeouts} of them by timeout), {} survived, {} errors",
            self.rows.len(),
            self.count(|verdict| *verdict == Verdict::Survived),
            self.count(|verdict| matches!(verdict, Verdict::Broken(_))),
        )
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::mutants::mark::Edit;

    fn report(verdicts: &[Verdict]) -> Report {
        let mut report = Report::default();
        for verdict in verdicts {
            let mark = Mark {
                name: "notify-x".to_owned(),
                file: PathBuf::from("a.rs"),
                line: 6,
                model: None,
                edit: Edit::Delete,
            };
            report.add(&mark, verdict.clone(), "1.0 s".to_owned());
        }
        report
    }

    #[test]
    fn caught_by_whatever_means_is_fine() {
        let verdicts = [
            Verdict::Caught("m".to_owned()),
            Verdict::CaughtByTime("n".to_owned()),
        ];
        let report = report(&verdicts);
        report.require_all_caught().unwrap();
        let table = report.to_string();
        assert!(
            table.ends_with("2 mutants: 2 caught (1 of them by timeout), 0 survived, 0 errors")
        );
    }

    #[test]
    fn one_survivor_or_one_broken_mutant_fails_it() {
        for bad in [
            Verdict::Survived,
            Verdict::Broken("error[E0308]".to_owned()),
        ] {
            let report = report(&[Verdict::Caught("m".to_owned()), bad]);
            let failure = report.require_all_caught().unwrap_err();
            assert!(failure.to_string().contains("notify-x (a.rs:7)"));
        }
    }
}
