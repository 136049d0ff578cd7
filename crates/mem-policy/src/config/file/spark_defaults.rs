//! The form of `spark-defaults.conf`: Java properties, as `java.util.Properties.load` reads them.

use super::{Assignment, SyntaxError, Written};

/// Reads a text of properties, in order.
pub(super) fn assignments(text: &str) -> Result<Vec<Assignment>, Vec<SyntaxError>> {
    let mut assignments = Vec::new();
    let mut errors = Vec::new();
    for (line, logical) in logical_lines(text) {
        match property(&logical) {
            Ok((key, value)) => {
                assignments.push(Assignment {
                    line,
                    key,
                    written: Written::Text(value),
                });
            }
            Err(message) => errors.push(SyntaxError { line, message }),
        }
    }
    if errors.is_empty() {
        Ok(assignments)
    } else {
        Err(errors)
    }
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\u{c}')
}

/// Lines without blank ones and comments, each with those that continue it, and its first line's number.
///
/// A line is continued when it ends in an odd number of backslashes; the blanks that the next begins
/// with are dropped.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let unified = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut lines = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (index, raw) in unified.split('\n').enumerate() {
        let content = raw.trim_start_matches(is_blank);
        let (first, mut logical) = match open.take() {
            Some(open) => open,
            None if content.is_empty() || content.starts_with(['#', '!']) => continue,
            None => (index + 1, String::new()),
        };
        let is_continued = content.bytes().rev().take_while(|b| *b == b'\\').count() % 2 == 1;
        if is_continued {
            logical.push_str(&content[..content.len() - 1]);
            open = Some((first, logical));
        } else {
            logical.push_str(content);
            lines.push((first, logical));
        }
    }
    lines.extend(open);
    lines
}

/// Parts key and value at the first `=`, `:` or blank that is not escaped.
fn property(logical: &str) -> Result<(String, String), String> {
    let mut is_escaped = false;
    let end = logical
        .find(|c| {
            let ends = !is_escaped && (matches!(c, '=' | ':') || is_blank(c));
            is_escaped = c == '\\' && !is_escaped;
            ends
        })
        .unwrap_or(logical.len());
    let (key, rest) = logical.split_at(end);
    let rest = rest.trim_start_matches(is_blank);
    let value = rest
        .strip_prefix(['=', ':'])
        .unwrap_or(rest)
        .trim_start_matches(is_blank);
    // Spark trims what Java keeps at the end of a value.
    Ok((
        unescape(key)?,
        unescape(value)?.trim_matches(|c| c <= ' ').to_owned(),
    ))
}

/// Resolves backslash escapes; `\uXXXX` is a UTF-16 unit.
fn unescape(text: &str) -> Result<String, String> {
    let mut units = Vec::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        let c = if c == '\\' {
            rest.next().unwrap_or_default()
        } else {
            push(&mut units, c);
            continue;
        };
        match c {
            'u' => {
                let digits: String = rest.by_ref().take(4).collect();
                let is_hex = digits.len() == 4 && digits.bytes().all(|b| b.is_ascii_hexdigit());
                let unit = u16::from_str_radix(&digits, 16).ok().filter(|_| is_hex);
                units.push(unit.ok_or("\\u must be followed by four hexadecimal digits")?);
            }
            't' => push(&mut units, '\t'),
            'n' => push(&mut units, '\n'),
            'r' => push(&mut units, '\r'),
            'f' => push(&mut units, '\u{c}'),
            '\0' => {}
            other => push(&mut units, other),
        }
    }
    String::from_utf16(&units).map_err(|e| format!("\\u escapes form no character: {e}"))
}

fn push(units: &mut Vec<u16>, c: char) {
    units.extend_from_slice(c.encode_utf16(&mut [0; 2]));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[(usize, &str, &str)]) {
        let read: Vec<_> = assignments(text)
            .expect("these are properties")
            .into_iter()
            .map(|a| (a.line, a.key, a.written.text()))
            .collect();
        let expected: Vec<_> = expected
            .iter()
            .map(|(line, key, value)| (*line, (*key).to_owned(), (*value).to_owned()))
            .collect();
        assert_eq!(read, expected, "{text:?}");
    }

    #[test]
    fn key_and_value_are_parted_by_blanks_or_one_sign() {
        for text in [
            "a.b 1g",
            "a.b=1g",
            "a.b : 1g ",
            "  a.b\t=  1g",
            "a.b   1g\r\n",
        ] {
            check(text, &[(1, "a.b", "1g")]);
        }
        check("a == 1", &[(1, "a", "= 1")]);
        check("a", &[(1, "a", "")]);
        check("a\\=b 1\\:2", &[(1, "a=b", "1:2")]);
    }

    #[test]
    fn comments_blank_lines_and_continuations() {
        check(
            "# no\n ! no\n\n \t\na \\\n   1\\\n  g\nb 2\\\\\nc 3\\",
            &[(5, "a", "1g"), (8, "b", "2\\"), (9, "c", "3")],
        );
        check("a 1\rb 2", &[(1, "a", "1"), (2, "b", "2")]);
    }

    #[test]
    fn escapes() {
        check("a \\u0031\\u0067", &[(1, "a", "1g")]);
        check("a x\\ty\\q", &[(1, "a", "x\tyq")]);
        check("a \\uD83D\\uDE00", &[(1, "a", "\u{1f600}")]);
        for text in ["\n a \\u12", "\n a \\u+123", "\na \\ud83d"] {
            let errors = assignments(text).expect_err(text);
            assert_eq!(errors.first().map(|e| e.line), Some(2), "{text:?}");
        }
    }
}
