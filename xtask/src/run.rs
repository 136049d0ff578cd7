//! Runs a program under watch: its output streams through, its tests are counted, and its silence is limited.
//!
//! A test that hangs says nothing. So a program that says nothing for too long has hung: its threads' stacks are
//! written out, it is killed with everything it started, and that is a failure.

mod tally;

use std::io::{self, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use crate::failure::{Doing, Failure, Result};
use crate::hang;
use crate::stopwatch::Stopwatch;
pub(crate) use tally::Tally;

/// How long a program may say nothing. Above the longest compilation of one crate.
const QUIET: Duration = Duration::from_secs(600);

#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Silence longer than this is a hang: stacks are dumped.
    pub(crate) quiet: Option<Duration>,
    /// A program that takes longer in all is killed without a dump.
    pub(crate) total: Option<Duration>,
}

impl Limits {
    pub(crate) const WATCHED: Self = Self {
        quiet: Some(QUIET),
        total: None,
    };

    pub(crate) const fn at_most(total: Duration) -> Self {
        Self {
            quiet: None,
            total: Some(total),
        }
    }
}

/// Where the program's output goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Output {
    /// To our own standard output and error, as it comes.
    Stream,
    /// Into [`Finished`].
    Keep,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Exited(ExitStatus),
    /// Silent for too long, stacks dumped, killed.
    Hung,
    /// Over its total time, killed.
    TooLong,
}

#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) end: End,
    /// What libtest's `test result:` lines sum up to.
    pub(crate) tally: Tally,
    /// Empty if the output was streamed.
    pub(crate) stdout: Vec<u8>,
    /// Empty if the output was streamed.
    pub(crate) stderr: Vec<u8>,
}

impl Finished {
    pub(crate) fn is_success(&self) -> bool {
        matches!(self.end, End::Exited(status) if status.success())
    }

    pub(crate) fn require_success(&self, what: &str) -> Result<()> {
        match self.end {
            End::Exited(status) if status.success() => Ok(()),
            End::Exited(status) => Err(Failure::new(format!("{what}: {status}"))),
            End::Hung => Err(Failure::new(format!("{what}: hung; see the stacks above"))),
            End::TooLong => Err(Failure::new(format!("{what}: took too long"))),
        }
    }
}

/// Runs `command`, streams its output, and adds its tests to `tally`.
pub(crate) fn step(what: &str, command: &mut Command, tally: &mut Tally) -> Result<()> {
    let finished = run(command, Limits::WATCHED, Output::Stream)?;
    tally.add(&finished.tally);
    finished.require_success(what)
}

/// Runs `command` to its end or to a limit.
///
/// The end is the end of its output: a program left behind in the background that holds it open counts as a hang.
pub(crate) fn run(command: &mut Command, limits: Limits, output: Output) -> Result<Finished> {
    let name = format!("{command:?}");
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .doing(|| format!("starting {name}"))?;
    let chunks = pump(&mut child);
    let mut finished = Finished {
        end: End::TooLong,
        tally: Tally::default(),
        stdout: Vec::new(),
        stderr: Vec::new(),
    };
    finished.end = match listen(&chunks, limits, output, &mut finished) {
        Silence::Closed => End::Exited(child.wait().doing(|| format!("waiting for {name}"))?),
        Silence::Quiet => {
            println!("\n== no output for too long, so this has hung: {name}");
            hang::dump(child.id());
            kill(&mut child);
            End::Hung
        }
        Silence::TooLong => {
            kill(&mut child);
            End::TooLong
        }
    };
    Ok(finished)
}

/// Why there is no more to listen to.
enum Silence {
    Closed,
    Quiet,
    TooLong,
}

fn listen(
    chunks: &Receiver<Chunk>,
    limits: Limits,
    output: Output,
    finished: &mut Finished,
) -> Silence {
    let watch = Stopwatch::start();
    loop {
        let left = limits
            .total
            .map(|total| total.saturating_sub(watch.elapsed()));
        if left == Some(Duration::ZERO) {
            return Silence::TooLong;
        }
        let patience = match (limits.quiet, left) {
            (Some(quiet), Some(left)) => quiet.min(left),
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => Duration::MAX,
        };
        match chunks.recv_timeout(patience) {
            Ok(chunk) => take(&chunk, output, finished),
            Err(RecvTimeoutError::Disconnected) => return Silence::Closed,
            Err(RecvTimeoutError::Timeout) if limits.quiet == Some(patience) => {
                return Silence::Quiet;
            }
            Err(RecvTimeoutError::Timeout) => return Silence::TooLong,
        }
    }
}

fn take(chunk: &Chunk, output: Output, finished: &mut Finished) {
    if let Chunk::Out(bytes) = chunk {
        finished.tally.feed(bytes);
    }
    match (chunk, output) {
        (Chunk::Out(bytes), Output::Keep) => finished.stdout.extend_from_slice(bytes),
        (Chunk::Err(bytes), Output::Keep) => finished.stderr.extend_from_slice(bytes),
        (Chunk::Out(bytes), Output::Stream) => pass_on(&mut io::stdout(), bytes),
        (Chunk::Err(bytes), Output::Stream) => pass_on(&mut io::stderr(), bytes),
    }
}

fn pass_on(to: &mut impl Write, bytes: &[u8]) {
    // Nobody may be reading any more; what the program returns still counts.
    if to.write_all(bytes).is_ok() {
        to.flush().unwrap_or_default();
    }
}

enum Chunk {
    Out(Vec<u8>),
    Err(Vec<u8>),
}

/// Both outputs of `child` in one channel, which closes when both have ended.
fn pump(child: &mut Child) -> Receiver<Chunk> {
    let (sender, receiver) = mpsc::channel();
    if let Some(pipe) = child.stdout.take() {
        let sender = sender.clone();
        thread::spawn(move || read_all(pipe, Chunk::Out, &sender));
    }
    if let Some(pipe) = child.stderr.take() {
        thread::spawn(move || read_all(pipe, Chunk::Err, &sender));
    }
    receiver
}

fn read_all(mut pipe: impl Read, chunk: fn(Vec<u8>) -> Chunk, to: &Sender<Chunk>) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match pipe.read(&mut buffer) {
            Ok(0) => return,
            Ok(length) => {
                if to.send(chunk(buffer[..length].to_vec())).is_err() {
                    return;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

fn kill(child: &mut Child) {
    hang::kill_tree(child.id());
    // Reaps it; its status is that of a killed program and says nothing.
    child.wait().map(drop).unwrap_or_default();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    fn after(millis: u64) -> Option<Duration> {
        Some(Duration::from_millis(millis))
    }

    #[test]
    fn output_is_kept_apart_and_tests_are_counted() {
        let script = "echo 'test result: ok. 3 passed; 1 failed; 0 ignored'; echo oops >&2; exit 3";
        let finished = run(&mut shell(script), Limits::WATCHED, Output::Keep).unwrap();
        assert!(matches!(finished.end, End::Exited(status) if status.code() == Some(3)));
        assert_eq!(finished.tally.to_string(), "3 passed, 1 failed");
        assert_eq!(finished.stderr, b"oops\n");
        assert!(finished.require_success("it").is_err());
    }

    #[test]
    fn a_silent_program_is_a_hang_and_its_children_die_with_it() {
        let limits = Limits {
            quiet: after(300),
            total: None,
        };
        // The inner sleep holds the pipe: that `run` returns at all shows that it was killed too.
        let mut command = shell("echo started; sleep 1000 & wait");
        let finished = run(&mut command, limits, Output::Keep).unwrap();
        assert_eq!(finished.end, End::Hung);
        assert_eq!(finished.stdout, b"started\n");
    }

    #[test]
    fn a_talkative_program_is_stopped_at_the_total() {
        let limits = Limits {
            quiet: None,
            total: after(300),
        };
        let mut command = shell("while :; do echo on and on; done");
        let finished = run(&mut command, limits, Output::Keep).unwrap();
        assert_eq!(finished.end, End::TooLong);
        assert!(finished.require_success("it").is_err());
    }

    #[test]
    fn a_program_that_is_not_there_is_an_error() {
        let mut command = Command::new("no-such-program-anywhere");
        assert!(run(&mut command, Limits::WATCHED, Output::Keep).is_err());
    }
}
