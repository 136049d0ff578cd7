//! The causes that make waiters be looked at again, each of which needs a mutant of its notifying call.

use crate::lexer::code_only;

/// The variants of `pub enum Cause` in `source`, if it is declared there.
pub(crate) fn variants(source: &str) -> Option<Vec<String>> {
    let code = String::from_utf8(code_only(source)).ok()?;
    let (_, body) = code.split_once("pub enum Cause {")?;
    let mut depth = 0_usize;
    let mut names = Vec::new();
    // A variant's name is the first word after the opening brace or a comma, what it carries aside.
    let mut is_expected = true;
    for word in split_words(body) {
        match word {
            "(" | "{" | "[" => depth += 1,
            "}" if depth == 0 => break,
            ")" | "}" | "]" => depth -= 1,
            "," if depth == 0 => is_expected = true,
            name if depth == 0 && is_expected && name.starts_with(char::is_uppercase) => {
                names.push(name.to_owned());
                is_expected = false;
            }
            _ => {}
        }
    }
    Some(names)
}

/// Names, and everything else one character at a time.
fn split_words(code: &str) -> impl Iterator<Item = &str> {
    code.split_whitespace().flat_map(|run| {
        run.split_inclusive(|c: char| !c.is_alphanumeric())
            .flat_map(|piece| {
                let name_length = piece.trim_end_matches(|c: char| !c.is_alphanumeric()).len();
                let (name, mark) = piece.split_at(name_length);
                [name, mark]
            })
            .filter(|piece| !piece.is_empty())
    })
}

/// The causes of `variants` for which no name in `names` begins with `notify-` and the cause.
pub(crate) fn without_mutant<'a>(variants: &'a [String], names: &[&str]) -> Vec<&'a str> {
    // The longest cause that a name begins with is the one it is about.
    let cause_of = |name: &str| {
        variants
            .iter()
            .filter(|variant| begins_with(name, &prefix(variant)))
            .max_by_key(|variant| variant.len())
    };
    let covered: Vec<&String> = names.iter().filter_map(|name| cause_of(name)).collect();
    variants
        .iter()
        .filter(|variant| !covered.contains(variant))
        .map(String::as_str)
        .collect()
}

/// `notify-execution-released` for `ExecutionReleased`.
pub(crate) fn prefix(variant: &str) -> String {
    let mut name = "notify".to_owned();
    for c in variant.chars() {
        if c.is_uppercase() {
            name.push('-');
        }
        name.extend(c.to_lowercase());
    }
    name
}

fn begins_with(name: &str, prefix: &str) -> bool {
    name.strip_prefix(prefix)
        .is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variants_are_found_among_comments_and_contents() {
        let source = "/// Why.\n#[derive(Debug)]\npub enum Cause {\n    /// One, Two { Three }\n    \
            ExecutionReleased,\n    #[expect(dead_code, reason = \"x, Y\")]\n    TaskRegistered { Task: Id, B: C },\n    \
            NotifyAll(Vec<A, B>),\n    LimitChanged = 4,\n}\npub enum Other { A }\n";
        let expected = [
            "ExecutionReleased",
            "TaskRegistered",
            "NotifyAll",
            "LimitChanged",
        ];
        assert_eq!(variants(source).unwrap(), expected);
    }

    #[test]
    fn another_enum_is_not_taken_for_it() {
        assert_eq!(variants("// pub enum Cause {\npub enum Causes { A }"), None);
    }

    #[test]
    fn a_cause_without_a_mutant_is_named() {
        let variants = [
            "Released".to_owned(),
            "ReleasedLate".to_owned(),
            "NotifyAll".to_owned(),
        ];
        let missing = |names: &[&str]| without_mutant(&variants, names).join(" ");
        assert_eq!(missing(&[]), "Released ReleasedLate NotifyAll");
        assert_eq!(
            missing(&["notify-released-late @ a", "notify-notify-all"]),
            "Released"
        );
        assert_eq!(
            missing(&["notify-released @ a", "notify-released-late"]),
            "NotifyAll"
        );
        assert_eq!(
            missing(&["notify-releasedness", "released"]),
            "Released ReleasedLate NotifyAll"
        );
    }
}
