//! The marks in the source that say which statement a model protects.
//!
//! A mark is a comment on its own line, above the statement: `mutant(NAME): delete`, or
//! `mutant(NAME): replace OLD => NEW` for a change within the next line of code. OLD and NEW may stand in
//! backticks. `mutant(NAME by MODEL @ PLACE): …` names the model that has to fail, and tells apart marks of one name;
//! either may be left out. Without a model, any may fail.

use std::path::{Path, PathBuf};

use crate::failure::{Failure, Result};

/// The opening of a mark that a loom model has to notice.
pub(crate) const MUTANT: &str = "// mutant";

/// The opening of a mark that the recorded traces and an ordinary test have to notice.
pub(crate) const FAULT: &str = "// fault";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mark {
    /// With the place behind an `@`, if one is given. Unique in the workspace.
    pub(crate) name: String,
    /// Relative to the root of the workspace.
    pub(crate) file: PathBuf,
    /// From 0.
    pub(crate) line: usize,
    /// The model that has to fail, by its function's name.
    pub(crate) model: Option<String>,
    pub(crate) edit: Edit,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Edit {
    /// Removes the statement below.
    Delete,
    /// Replaces a text that stands exactly once in the line of code below.
    Replace { old: String, new: String },
}

impl Mark {
    /// `file:line`, as editors take it.
    pub(crate) fn location(&self) -> String {
        format!("{}:{}", self.file.display(), self.line + 1)
    }
}

/// All marks of one file that begin with `opening`, in order.
pub(crate) fn parse(opening: &str, file: &Path, source: &str) -> Result<Vec<Mark>> {
    source
        .lines()
        .enumerate()
        .filter_map(|(line, text)| Some((line, text.trim().strip_prefix(opening)?)))
        .map(|(line, text)| {
            parse_mark(file, line, text).ok_or_else(|| {
                let place = format!("{}:{}", file.display(), line + 1);
                Failure::new(format!(
                    "{place}: not a mark: write `{opening}(NAME): delete`, or `{opening}(NAME): replace OLD => NEW`"
                ))
            })
        })
        .collect()
}

fn parse_mark(file: &Path, line: usize, text: &str) -> Option<Mark> {
    let (head, edit) = text.strip_prefix('(')?.split_once("):")?;
    let (name, model) = parse_head(head)?;
    Some(Mark {
        name,
        file: file.to_owned(),
        line,
        model,
        edit: parse_edit(edit.trim())?,
    })
}

/// Name, with the place if one is given, and model of `NAME by MODEL @ PLACE`. The model may come last as well.
fn parse_head(head: &str) -> Option<(String, Option<String>)> {
    let mut model = None;
    let mut parts = Vec::new();
    for part in head.splitn(2, " @ ") {
        let part = match part.rsplit_once(" by ") {
            Some((rest, by)) => {
                if model.replace(by.trim().to_owned()).is_some() {
                    return None;
                }
                rest
            }
            None => part,
        };
        parts.push(part.trim());
    }
    let is_blank = parts.contains(&"") || model.as_deref() == Some("");
    (!is_blank).then(|| (parts.join(" @ "), model))
}

fn parse_edit(text: &str) -> Option<Edit> {
    if text == "delete" {
        return Some(Edit::Delete);
    }
    let change = text.strip_prefix("replace ")?.trim();
    let (old, new) = match change.strip_prefix('`') {
        Some(quoted) => quoted.split_once("` => ")?,
        None => change.split_once(" => ")?,
    };
    let new = new.trim();
    let new = new
        .strip_prefix('`')
        .and_then(|new| new.strip_suffix('`'))
        .unwrap_or(new);
    (!old.is_empty()).then(|| Edit::Replace {
        old: old.to_owned(),
        new: new.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(line: &str) -> Result<Mark> {
        let marks = parse(
            MUTANT,
            Path::new("a.rs"),
            &format!("fn f() {{\n    {line}\n    g();\n}}\n"),
        )?;
        assert_eq!(marks.len(), 1);
        Ok(marks.into_iter().next().unwrap())
    }

    #[test]
    fn a_deletion_is_read() {
        let mark = one("// mutant(notify-execution-released @ raw release): delete").unwrap();
        assert_eq!(mark.name, "notify-execution-released @ raw release");
        assert_eq!((mark.model.as_deref(), &mark.edit), (None, &Edit::Delete));
        assert_eq!(mark.location(), "a.rs:2");
    }

    #[test]
    fn the_model_comes_after_the_last_by_on_either_side_of_the_place() {
        for (head, name) in [
            ("freed by hand by task_end_wakes", "freed by hand"),
            (
                "freed by task_end_wakes @ raw release",
                "freed @ raw release",
            ),
            (
                "freed @ raw release by task_end_wakes",
                "freed @ raw release",
            ),
        ] {
            let mark = one(&format!("// mutant({head}): delete")).unwrap();
            assert_eq!(mark.name, name);
            assert_eq!(mark.model.as_deref(), Some("task_end_wakes"));
        }
    }

    #[test]
    fn a_replacement_is_read_with_and_without_backticks() {
        let replace = |old: &str, new: &str| Edit::Replace {
            old: old.to_owned(),
            new: new.to_owned(),
        };
        let edit = |text: &str| one(&format!("// mutant(x): replace {text}")).unwrap().edit;
        assert_eq!(edit("a < b => a <= b"), replace("a < b", "a <= b"));
        assert_eq!(
            edit("`A => 1,` => `A => 2,`"),
            replace("A => 1,", "A => 2,")
        );
        assert_eq!(edit("`.rev()` => ``"), replace(".rev()", ""));
    }

    #[test]
    fn a_spoilt_mark_is_an_error_and_not_silence() {
        for line in [
            "// mutant: delete",
            "// mutant(): delete",
            "// mutant(x): remove",
            "// mutant(x by ): delete",
            "// mutant(x @ ): delete",
            "// mutant(x by one @ y by two): delete",
            "// mutant(x): replace a -> b",
            "// mutant(x) delete",
        ] {
            let failure = one(line).expect_err(line);
            assert!(
                failure.to_string().starts_with("a.rs:2: not a mark"),
                "{line}"
            );
        }
    }

    #[test]
    fn other_comments_are_no_marks() {
        let source = "/// // mutant(x): delete\nlet a = \"// mutant(y): delete\";\n// mutation\n";
        assert_eq!(parse(MUTANT, Path::new("a.rs"), source).unwrap(), []);
    }
}
