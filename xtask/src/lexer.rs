//! Just enough of Rust's lexical grammar to tell code from comments and literals.

/// `source` with every comment and every literal replaced by spaces.
///
/// Offsets and line breaks stay where they are, so what is found here can be cut out of the original.
pub(crate) fn code_only(source: &str) -> Vec<u8> {
    let bytes = source.as_bytes();
    let mut code = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let (end, is_code) = token(bytes, at);
        if !is_code {
            blank(&mut code[at..end]);
        }
        at = end;
    }
    code
}

/// Replaces everything but line breaks by spaces.
pub(crate) fn blank(text: &mut [u8]) {
    for byte in text.iter_mut().filter(|byte| **byte != b'\n') {
        *byte = b' ';
    }
}

/// Where `word` stands in `text` with no letter, digit or underscore joined to it.
pub(crate) fn find_word(text: &[u8], word: &str) -> Option<usize> {
    let word = word.as_bytes();
    let is_joined = |edge: Option<&u8>, other: Option<&u8>| {
        edge.is_some_and(|&byte| is_word(byte)) && other.is_some_and(|&byte| is_word(byte))
    };
    text.windows(word.len())
        .enumerate()
        .position(|(start, window)| {
            let before = start.checked_sub(1).and_then(|before| text.get(before));
            let after = text.get(start + word.len());
            window == word && !is_joined(word.first(), before) && !is_joined(word.last(), after)
        })
}

fn is_word(byte: u8) -> bool {
    byte == b'_' || byte.is_ascii_alphanumeric() || !byte.is_ascii()
}

/// The token at `at`: where it ends, and whether it is code.
fn token(bytes: &[u8], at: usize) -> (usize, bool) {
    match bytes[at..] {
        [b'/', b'/', ..] => (line_end(bytes, at), false),
        [b'/', b'*', ..] => (block_comment_end(bytes, at), false),
        [b'"', ..] => (quoted_end(bytes, at), false),
        // Without a closing quote it is a lifetime.
        [b'\'', ..] => char_end(bytes, at).map_or((at + 1, true), |end| (end, false)),
        [byte, ..] if is_word(byte) => word(bytes, at),
        _ => (at + 1, true),
    }
}

fn word(bytes: &[u8], at: usize) -> (usize, bool) {
    let length = bytes[at..]
        .iter()
        .take_while(|&&byte| is_word(byte))
        .count();
    let end = at + length;
    if matches!(&bytes[at..end], b"r" | b"br" | b"cr")
        && let Some(end) = raw_string_end(bytes, end)
    {
        return (end, false);
    }
    (end, true)
}

fn line_end(bytes: &[u8], at: usize) -> usize {
    find(bytes, at, b"\n").unwrap_or(bytes.len())
}

fn block_comment_end(bytes: &[u8], at: usize) -> usize {
    let mut depth = 0_usize;
    let mut at = at;
    while at < bytes.len() {
        match bytes[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    bytes.len()
}

fn quoted_end(bytes: &[u8], at: usize) -> usize {
    let mut at = at + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

fn char_end(bytes: &[u8], at: usize) -> Option<usize> {
    let first = *bytes.get(at + 1)?;
    if first == b'\\' {
        // The escaped character itself may be a quote.
        return find(bytes, at + 3, b"'").map(|quote| quote + 1);
    }
    let length = match first {
        0x00..0x80 => 1,
        0x80..0xe0 => 2,
        0xe0..0xf0 => 3,
        0xf0.. => 4,
    };
    let quote = at + 1 + length;
    (bytes.get(quote) == Some(&b'\'')).then_some(quote + 1)
}

/// The end of the raw string whose hashes begin at `at`; none if that is not what begins there.
fn raw_string_end(bytes: &[u8], at: usize) -> Option<usize> {
    let hashes = bytes[at..].iter().take_while(|&&byte| byte == b'#').count();
    if bytes.get(at + hashes) != Some(&b'"') {
        return None;
    }
    let closing = [b"\"".as_slice(), &bytes[at..at + hashes]].concat();
    let end = find(bytes, at + hashes + 1, &closing);
    Some(end.map_or(bytes.len(), |start| start + closing.len()))
}

fn find(bytes: &[u8], from: usize, what: &[u8]) -> Option<usize> {
    let rest = bytes.get(from..)?;
    let offset = rest.windows(what.len()).position(|window| window == what)?;
    Some(from + offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(source: &str, code: &str) {
        let found = String::from_utf8(code_only(source)).unwrap();
        assert_eq!(found.len(), source.len());
        let squeezed: Vec<&str> = found.split(' ').filter(|word| !word.is_empty()).collect();
        assert_eq!(squeezed.join(" "), code);
    }

    #[test]
    fn comments_are_no_code() {
        check("a // unsafe {\nb", "a \nb");
        check("a /* x /* y */ z */ b", "a b");
        check("a /* never closed", "a");
        check("/// unsafe\nfn f() {}", "\nfn f() {}");
    }

    #[test]
    fn literals_are_no_code() {
        check(r#"f("a \" ; }", g)"#, "f( , g)");
        check(r##"let a = r#"x " ; "#; b"##, "let a = ; b");
        check(r#"let a = r"\"; b"#, "let a = ; b");
        check(r#"b"x;" br"y;" c"z;""#, "b c");
        check(r"('}', '\'', '\u{7d}', 'é', b';')", "( , , , , b )");
    }

    #[test]
    fn lifetimes_and_raw_identifiers_are_code() {
        check(
            "fn f<'a>(x: &'a str, y: &'static T) {}",
            "fn f<'a>(x: &'a str, y: &'static T) {}",
        );
        check("r#type + bar\"x\"", "r#type + bar");
    }

    #[test]
    fn a_word_is_found_only_whole() {
        assert_eq!(find_word(b"an unsafe {", "unsafe"), Some(3));
        assert_eq!(find_word(b"unsafe_code, not_unsafe", "unsafe"), None);
        assert_eq!(find_word(b"in /home/x", "/home/"), Some(3));
        assert_eq!(find_word(b"unsafely", "unsafe"), None);
    }
}
