//! Applies a mark to the source that it stands in.

use crate::failure::{Failure, Result};
use crate::lexer::{blank, code_only};
use crate::mutants::mark::{Edit, Mark};

/// `source` with the edit of `mark` made. Lines keep their numbers.
pub(crate) fn apply(source: &str, mark: &Mark) -> Result<String> {
    let wrong = |what: &str| Failure::new(format!("{}: {what}", mark.location()));
    let code = code_only(source);
    let (start, end) = next_line_of_code(&code, mark.line)
        .ok_or_else(|| wrong("there is no code below the mark"))?;
    match &mark.edit {
        Edit::Delete => {
            let end = statement_end(&code, start);
            if end == start {
                return Err(wrong("there is no statement below the mark"));
            }
            let mut bytes = source.as_bytes().to_vec();
            blank(&mut bytes[start..end]);
            String::from_utf8(bytes).map_err(|error| wrong(&error.to_string()))
        }
        Edit::Replace { old, new } => {
            let line = &source[start..end];
            if line.matches(old.as_str()).count() != 1 {
                return Err(wrong(&format!(
                    "`{old}` does not stand exactly once in the line below"
                )));
            }
            let line = line.replacen(old.as_str(), new, 1);
            Ok([&source[..start], &line, &source[end..]].concat())
        }
    }
}

/// Start (without indentation) and end of the first line below `mark_line` that is more than comment.
fn next_line_of_code(code: &[u8], mark_line: usize) -> Option<(usize, usize)> {
    let mut start = 0;
    for (number, line) in code.split(|&byte| byte == b'\n').enumerate() {
        let indentation = line.iter().position(|byte| !byte.is_ascii_whitespace());
        if let Some(indentation) = indentation
            && number > mark_line
        {
            return Some((start + indentation, start + line.len()));
        }
        start += line.len() + 1;
    }
    None
}

/// Where the statement that begins at `start` ends: after its `;`, after the block that it is, or, for the value of a
/// block, before the brace that closes the block around it.
fn statement_end(code: &[u8], start: usize) -> usize {
    let mut depth = 0_usize;
    for (at, &byte) in code.iter().enumerate().skip(start) {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' if depth == 0 => return trimmed(code, start, at),
            b')' | b']' => depth -= 1,
            b'}' => {
                depth -= 1;
                if depth == 0 && !goes_on(&code[at + 1..]) {
                    return at + 1;
                }
            }
            b';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    trimmed(code, start, code.len())
}

fn trimmed(code: &[u8], start: usize, end: usize) -> usize {
    start + code[start..end].trim_ascii_end().len()
}

/// Whether what follows a closing brace belongs to the same statement.
fn goes_on(rest: &[u8]) -> bool {
    let rest = rest.trim_ascii_start();
    let continuations: [&[u8]; 6] = [b".", b"?", b";", b"=", b"else", b"in "];
    continuations.iter().any(|next| rest.starts_with(next))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::mutants::mark;

    /// Applies the one mark in `body` and compares what is left of the code, without regard to spaces.
    #[track_caller]
    fn check(body: &str, left: &str) {
        let source = format!("fn f() {{\n{body}\n}}\n");
        let marks = mark::parse(mark::MUTANT, Path::new("a.rs"), &source).unwrap();
        let mutant = apply(&source, &marks[0]).unwrap();
        assert_eq!(
            mutant.lines().count(),
            source.lines().count(),
            "lines keep their numbers"
        );
        let code = String::from_utf8(code_only(&mutant)).unwrap();
        let words: Vec<&str> = code.split_whitespace().collect();
        assert_eq!(words.join(" "), format!("fn f() {{ {left} }}"));
    }

    const DELETE: &str = "// mutant(x): delete";

    #[test]
    fn a_statement_goes_up_to_its_semicolon() {
        check(&format!("{DELETE}\nwake(a); b();"), "b();");
        check(
            &format!("{DELETE}\nself.wake(\n  |x| {{ x; }},\n  \"; }}\",\n);\nb();"),
            "b();",
        );
        check(&format!("{DELETE}\nlet x = Y {{ z: 1 }};\nb();"), "b();");
        check(
            &format!("{DELETE}\nlet Some(x) = y else {{ return; }};\nb();"),
            "b();",
        );
        check(
            &format!("{DELETE}\nmatch x {{ _ => 1 }}.wake();\nb();"),
            "b();",
        );
    }

    #[test]
    fn a_block_goes_with_all_its_branches() {
        check(
            &format!("{DELETE}\nfor x in y {{ x.wake(); }}\nb();"),
            "b();",
        );
        check(
            &format!("{DELETE}\nif x {{ a(); }} else if y {{ b(); }}\nelse {{ c(); }}\nd();"),
            "d();",
        );
        check(
            &format!("{DELETE}\nif let P {{ q }} = p {{ q.wake(); }}\nb();"),
            "b();",
        );
    }

    #[test]
    fn the_value_of_a_block_goes_without_the_brace() {
        check(&format!("if x {{\n{DELETE}\nwake(a)\n}}"), "if x { }");
    }

    #[test]
    fn comments_and_other_marks_may_stand_between() {
        check(
            &format!(
                "{DELETE}\n// Wakes who waits.\n// mutant(y): replace a => b\n\nwake(a);\nb();"
            ),
            "b();",
        );
    }

    #[test]
    fn attributes_go_with_the_statement() {
        check(&format!("{DELETE}\n#[cfg(x)]\nwake(a);\nb();"), "b();");
    }

    #[test]
    fn a_replacement_changes_the_next_line_only() {
        check(
            "// mutant(x): replace < => <=\nif a < b {\nc < d;\n}",
            "if a <= b { c < d; }",
        );
    }

    #[test]
    fn what_can_not_be_applied_is_an_error() {
        for body in [
            "// mutant(x): replace q => r\nwake(a);",
            "// mutant(x): replace a => r\nwake(a, a);",
            DELETE,
        ] {
            let source = format!("fn f() {{\n{body}\n}}\n");
            let marks = mark::parse(mark::MUTANT, Path::new("a.rs"), &source).unwrap();
            let failure = apply(&source, &marks[0]).expect_err(body);
            assert!(failure.to_string().starts_with("a.rs:2: "));
        }
    }
}
