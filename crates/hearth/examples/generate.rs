//! Writes text to sort: log-like lines, URLs and hexadecimal keys of 5 to 300 bytes.
//!
//!     cargo run --release -p hearth --example generate -- 1g > input.txt
//!
//! The same size and seed (a second argument, a number) always give the same bytes.

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use mem_policy::{SparkRelease, parse_size};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let size = arguments.next().and_then(|text| size_of(&text));
    let seed = arguments.next().map_or(Some(1), |text| text.parse().ok());
    let (Some(size), Some(seed)) = (size, seed) else {
        return failed("usage: generate SIZE [SEED]");
    };
    let output = BufWriter::with_capacity(1 << 20, io::stdout().lock());
    match generate(size, Random(seed), output) {
        // Whoever reads has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => failed(&error.to_string()),
        Ok(()) => ExitCode::SUCCESS,
    }
}

fn size_of(text: &str) -> Option<u64> {
    parse_size(text, SparkRelease::V4_3).ok()
}

fn failed(message: &str) -> ExitCode {
    drop(writeln!(io::stderr(), "generate: {message}"));
    ExitCode::FAILURE
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).unwrap_or(u64::MAX);
        usize::try_from(self.next() % bound).unwrap_or(0)
    }

    /// One of these, the first ones more often.
    fn one_of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        let bound = self.below(words.len()) + 1;
        words[self.below(bound)]
    }
}

fn generate(size: u64, mut random: Random, mut output: impl Write) -> io::Result<()> {
    let mut line = Vec::new();
    let mut written = 0;
    while written < size {
        line.clear();
        match random.below(10) {
            0..4 => log_line(&mut random, &mut line)?,
            4..7 => url(&mut random, &mut line)?,
            _ => hex_key(&mut random, &mut line),
        }
        line.truncate(300);
        line.push(b'\n');
        output.write_all(&line)?;
        written += u64::try_from(line.len()).unwrap_or(0);
    }
    output.flush()
}

const LEVELS: [&str; 4] = ["INFO ", "DEBUG", "WARN ", "ERROR"];
const WORDS: [&str; 16] = [
    "block",
    "task",
    "shuffle",
    "memory",
    "spill",
    "page",
    "executor",
    "request",
    "stage",
    "broadcast",
    "evicted",
    "granted",
    "released",
    "waiting for",
    "finished",
    "lost",
];

fn log_line(random: &mut Random, line: &mut Vec<u8>) -> io::Result<()> {
    let (hour, minute, second) = (random.below(24), random.below(60), random.below(60));
    let (day, milli) = (1 + random.below(28), random.below(1000));
    write!(
        line,
        "2024-11-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z "
    )?;
    write!(
        line,
        "{} [worker-{}] ",
        random.one_of(&LEVELS),
        random.below(64)
    )?;
    for _ in 0..1 + random.below(6) {
        let word = random.one_of(&WORDS);
        write!(line, "{word} {} ", random.below(1_000_000))?;
    }
    write!(line, "on host-{}:7077", random.below(500))
}

const HOSTS: [&str; 6] = [
    "www.example.com",
    "shop.example.org",
    "cdn.example.net",
    "api.example.com",
    "news.example.org",
    "static.example.net",
];
const SEGMENTS: [&str; 12] = [
    "catalog", "articles", "users", "images", "v2", "search", "archive", "2024", "tags",
    "comments", "orders", "assets",
];

fn url(random: &mut Random, line: &mut Vec<u8>) -> io::Result<()> {
    write!(line, "https://{}", random.one_of(&HOSTS))?;
    for _ in 0..1 + random.below(5) {
        write!(line, "/{}", random.one_of(&SEGMENTS))?;
    }
    write!(line, "/{}", random.below(10_000_000))?;
    if random.below(3) == 0 {
        write!(line, "?session=")?;
        hex_key(random, line);
    }
    Ok(())
}

fn hex_key(random: &mut Random, line: &mut Vec<u8>) {
    let length = match random.below(20) {
        0 => 5 + random.below(296),
        1..5 => 64,
        _ => 5 + random.below(36),
    };
    for _ in 0..length {
        line.push(b"0123456789abcdef"[random.below(16)]);
    }
}
