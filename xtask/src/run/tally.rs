//! Counts tests by libtest's own summary lines.

use std::fmt;

/// How many tests ran, over any number of test programs.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    /// The beginning of a line whose end has not come yet.
    line: Vec<u8>,
}

impl Tally {
    /// Takes the next piece of a program's output, cut anywhere.
    pub(crate) fn feed(&mut self, mut bytes: &[u8]) {
        while let Some(end) = bytes.iter().position(|&byte| byte == b'\n') {
            self.line.extend_from_slice(&bytes[..end]);
            self.count_line();
            self.line.clear();
            bytes = &bytes[end + 1..];
        }
        self.line.extend_from_slice(bytes);
    }

    /// Adds what another program's output summed up to.
    pub(crate) fn add(&mut self, other: &Self) {
        self.passed = self.passed.saturating_add(other.passed);
        self.failed = self.failed.saturating_add(other.failed);
    }

    /// Adds `test result: ok. 3 passed; 0 failed; …`, wherever in the line it begins.
    fn count_line(&mut self) {
        let line = String::from_utf8_lossy(&self.line);
        let Some((_, result)) = line.split_once("test result: ") else {
            return;
        };
        let count = |what: &str| {
            let (before, _) = result.split_once(what)?;
            before.rsplit(' ').next()?.parse::<u64>().ok()
        };
        if let (Some(passed), Some(failed)) = (count(" passed;"), count(" failed;")) {
            self.passed = self.passed.saturating_add(passed);
            self.failed = self.failed.saturating_add(failed);
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &[u8] = b"running 2 tests\n\
        test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s\n\
        test result: \x1b[31mFAILED\x1b[0m. 40 passed; 1 failed; 0 ignored; 0 measured; 7 filtered out\n\
        a test that prints: 9 passed; 9 failed;\n";

    #[test]
    fn result_lines_are_summed_wherever_the_output_is_cut() {
        for cut in 0..=OUTPUT.len() {
            let mut tally = Tally::default();
            tally.feed(&OUTPUT[..cut]);
            tally.feed(&OUTPUT[cut..]);
            assert_eq!(tally.to_string(), "42 passed, 1 failed", "cut at {cut}");
        }
    }

    #[test]
    fn tallies_add_up() {
        let (mut sum, mut one) = (Tally::default(), Tally::default());
        one.feed(OUTPUT);
        sum.add(&one);
        sum.add(&one);
        assert_eq!((sum.passed, sum.failed), (84, 2));
    }
}
