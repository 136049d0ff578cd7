//! `hearth sort` beside other programs that sort the lines of a file.

mod files;
mod peers;
mod program;
mod ready;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use self::files::Files;
use self::peers::Peer;
use self::program::{Program, Ran};
use self::ready::make_memory_ready;
use crate::measure::median;
use crate::report::{Report, Row};

const GROUP: &str = "sort";
const MIB: u64 = 1 << 20;
/// What all are limited to, in bytes.
const LIMIT: u64 = 128 * MIB;
/// How often each program runs; the medians count.
const ROUNDS: usize = 3;
/// The same where there is nobody else; the first may have to read its input from a disk.
const ROUNDS_ALONE: usize = 5;

const AT_LIMIT: &str = "1 GB, 128 MiB, 2 tasks; peers within twice that";
const ANY: &str = "1 GB, 128 MiB, 2 tasks; peers with any memory";
const COPIES: &str = "1 GB, 128 MiB, 2 tasks; copying it twice";
const DOUBLED: &str = "64 MiB, 2 tasks; 2 GB ÷ 1 GB";

pub(super) fn run(report: &mut Report) {
    if let Err(error) = measure(report) {
        report.say(&format!("sort: given up: {error}"));
        report.give_up();
    }
}

fn measure(report: &mut Report) -> io::Result<()> {
    let beside = [AT_LIMIT, ANY, COPIES]
        .iter()
        .any(|case| report.wants(case));
    if !beside && !report.wants(DOUBLED) {
        return Ok(());
    }
    let files = Files::beside_the_program()?;
    let input = files.input("1g")?;
    if beside {
        beside_others(report, &files, &input)?;
    }
    if report.wants(DOUBLED) {
        doubled(report, &files, &input)?;
    }
    Ok(())
}

/// Somebody who sorts, and how that went.
struct Contestant {
    name: String,
    program: Box<dyn Fn() -> Program>,
    output: PathBuf,
    times: Vec<Duration>,
    peak_bytes: u64,
}

impl Contestant {
    /// Somebody whose program writes to `output`.
    fn new(name: String, output: &Path, program: impl Fn() -> Program + 'static) -> Self {
        Self {
            name,
            program: Box::new(program),
            output: output.to_owned(),
            times: Vec::new(),
            peak_bytes: 0,
        }
    }

    fn run(&mut self) -> io::Result<()> {
        // Nobody is to spend time on taking an old output away.
        match fs::remove_file(&self.output) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        // Nor is the disk to be busy with what those before have left to be written.
        let directory = self.output.parent().unwrap_or(&self.output);
        rustix::fs::syncfs(fs::File::open(directory)?)?;
        // Nor memory to be missing that they had.
        make_memory_ready();
        let Ran { time, peak_bytes } = (self.program)().run()?;
        self.times.push(time);
        self.peak_bytes = self.peak_bytes.max(peak_bytes);
        Ok(())
    }

    fn time(&self) -> Duration {
        median(&mut self.times.clone())
    }
}

fn beside_others(report: &mut Report, files: &Files, input: &Path) -> io::Result<()> {
    let output = files.path("hearth.out");
    let program = hearth(files, input, &output, LIMIT);
    let mut ours = Contestant::new("hearth".to_owned(), &output, program);
    let mut others = Vec::new();
    let peers = match [AT_LIMIT, ANY].iter().any(|case| report.wants(case)) {
        true => Peer::all(report, files),
        false => Vec::new(),
    };
    for peer in peers {
        let output = files.path(&format!("{}.out", peer.name()));
        let (name, program) = (
            peer.label().to_owned(),
            peer.sorts(files, input, &output, LIMIT),
        );
        others.push((Contestant::new(name, &output, program), output));
    }
    let mut copies = Vec::new();
    for _ in 0..ROUNDS {
        ours.run()?;
        let mut failed = Vec::new();
        for (index, (other, _)) in others.iter_mut().enumerate() {
            if let Err(error) = other.run() {
                report.say(&format!("sort: {} left out: {error}", other.name));
                failed.push(index);
            }
        }
        for index in failed.into_iter().rev() {
            others.remove(index);
        }
        copies.push(files.copy_twice(input)?);
    }
    check_the_same(report, &output, &others)?;
    judge(report, &ours, &others, median(&mut copies));
    Ok(())
}

fn hearth(
    files: &Files,
    input: &Path,
    output: &Path,
    limit: u64,
) -> impl Fn() -> Program + 'static {
    let (program, input) = (files.hearth(), input.to_owned());
    let (output, temp) = (output.to_owned(), files.directory().to_owned());
    move || {
        let limit = format!("{}b", limit);
        Program::new(&program)
            .args(["sort", "-S", &limit, "--tasks", "2", "--spill-dir"])
            .args([&temp])
            .args(["-o".as_ref(), output.as_os_str(), input.as_os_str()])
    }
}

/// Whoever sorted otherwise than we did is no peer, or we are wrong.
fn check_the_same(
    report: &mut Report,
    ours: &Path,
    others: &[(Contestant, PathBuf)],
) -> io::Result<()> {
    for (other, output) in others {
        if !files::are_the_same(ours, output)? {
            report.say(&format!("sort: the output of {} is not ours", other.name));
            report.give_up();
        }
    }
    Ok(())
}

fn judge(
    report: &mut Report,
    ours: &Contestant,
    others: &[(Contestant, PathBuf)],
    copied: Duration,
) {
    let mut resident = format!(
        "sort: resident at most: hearth {} MiB",
        ours.peak_bytes / MIB
    );
    for (other, _) in others {
        resident += &format!(", {} {} MiB", other.name, other.peak_bytes / MIB);
    }
    report.say(&resident);
    let mut row = |case: &str, peers: &mut dyn Iterator<Item = &Contestant>, bar| {
        if let Some(fastest) = peers.min_by_key(|peer| peer.time())
            && report.wants(case)
        {
            let peer = (fastest.name.as_str(), fastest.time());
            report.add(&Row::new(GROUP, case, ours.time(), peer, 1.0, Some(bar)));
        }
    };
    let peers = || others.iter().map(|(other, _)| other);
    row(
        AT_LIMIT,
        &mut peers().filter(|peer| peer.peak_bytes < 2 * LIMIT),
        0.6,
    );
    row(ANY, &mut peers(), 1.0);
    if report.wants(COPIES) {
        let copied = ("read and write, 1 MiB at a time", copied);
        report.add(&Row::new(GROUP, COPIES, ours.time(), copied, 1.0, None));
    }
}

fn doubled(report: &mut Report, files: &Files, input: &Path) -> io::Result<()> {
    let twice = files.input("2g")?;
    let output = files.path("hearth.out");
    let contestant = |input| {
        let program = hearth(files, input, &output, 64 * MIB);
        Contestant::new("hearth, 1 GB".to_owned(), &output, program)
    };
    let (mut one, mut two) = (contestant(input), contestant(&twice));
    for _ in 0..ROUNDS_ALONE {
        one.run()?;
        two.run()?;
    }
    let peer = (one.name.as_str(), one.time());
    report.add(&Row::new(GROUP, DOUBLED, two.time(), peer, 1.0, Some(2.3)));
    Ok(())
}
