//! Running a program, and watching how much memory it has.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::measure::time;

/// From one look at a program's memory to the next.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// A program to be run once.
#[derive(Debug)]
pub(super) struct Program {
    command: Command,
    says_time: bool,
}

/// How that went.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ran {
    pub(super) time: Duration,
    /// The most that it was resident with when that was looked at.
    pub(super) peak_bytes: u64,
}

impl Program {
    pub(super) fn new(program: impl AsRef<OsStr>) -> Self {
        let mut command = Command::new(program);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Self {
            command,
            says_time: false,
        }
    }

    pub(super) fn args<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.command.args(arguments);
        self
    }

    pub(super) fn env(mut self, key: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(key, value);
        self
    }

    /// What it prints last is how many seconds count.
    pub(super) fn says_time(mut self) -> Self {
        self.says_time = true;
        self
    }

    /// Runs it to its end, for what it prints.
    pub(super) fn output(mut self) -> io::Result<String> {
        let output = self.command.output()?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Runs it to its end.
    pub(super) fn run(mut self) -> io::Result<Ran> {
        let name: OsString = self.command.get_program().to_owned();
        let mut ran = None;
        let elapsed = time(|| ran = Some(self.command.spawn().and_then(watch)));
        let (output, peak_bytes) = ran.expect("it was run to be timed")?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            let mut lines = said.lines().rev();
            let last = lines.clone().next().unwrap_or_default();
            let reason = lines.find(|line| line.contains("Error")).unwrap_or(last);
            let name = Path::new(&name).display();
            return Err(io::Error::other(format!(
                "{name}: {}: {reason}",
                output.status
            )));
        }
        let said = String::from_utf8_lossy(&output.stdout);
        let seconds = said.lines().last().and_then(|line| line.parse().ok());
        let time = match seconds {
            Some(seconds) if self.says_time => Duration::from_secs_f64(seconds),
            _ => elapsed,
        };
        Ok(Ran { time, peak_bytes })
    }
}

/// Waits for the end of `child`.
fn watch(child: Child) -> io::Result<(Output, u64)> {
    let status = format!("/proc/{}/status", child.id());
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        let looking = scope.spawn(|| {
            let mut peak_bytes = 0;
            while !ended.load(Ordering::Relaxed) {
                peak_bytes = peak_resident_bytes(&status).unwrap_or(0).max(peak_bytes);
                thread::park_timeout(LOOK_AGAIN);
            }
            peak_bytes
        });
        let output = child.wait_with_output();
        ended.store(true, Ordering::Relaxed);
        looking.thread().unpark();
        let peak_bytes = looking.join().unwrap_or(0);
        Ok((output?, peak_bytes))
    })
}

fn peak_resident_bytes(status: &str) -> Option<u64> {
    let status = fs::read_to_string(status).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}
