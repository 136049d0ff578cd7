//! The programs that sort too.

use std::fs;
use std::path::{Path, PathBuf};

use super::files::Files;
use super::program::Program;
use crate::report::Report;

/// The Python wheels: name and version.
const WHEELS: [(&str, &str); 3] = [
    ("duckdb", "2.0.0"),
    ("datafusion", "55.0.0"),
    ("polars", "2.1.0"),
];
/// Sorts with one of them.
const SCRIPT: &str = include_str!("peers.py");

/// Another program that sorts lines.
#[derive(Debug)]
pub(super) struct Peer {
    name: &'static str,
    /// Name and version.
    label: String,
    /// The Python that has the wheel; none for GNU sort.
    python: Option<PathBuf>,
}

impl Peer {
    /// All that can be had. The others are named in the report.
    pub(super) fn all(report: &Report, files: &Files) -> Vec<Self> {
        let mut peers = Vec::new();
        match gnu_version() {
            Some(version) => peers.push(Self {
                name: "sort",
                label: format!("GNU sort {version}"),
                python: None,
            }),
            None => report.say("sort: no GNU sort here"),
        }
        match environment(files) {
            Ok(python) => peers.extend(WHEELS.map(|(name, version)| Self {
                name,
                label: format!("{name} {version}"),
                python: Some(python.clone()),
            })),
            Err(error) => report.say(&format!("sort: without the Python wheels: {error}")),
        }
        peers
    }

    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    pub(super) fn label(&self) -> &str {
        &self.label
    }

    /// What sorts `input` within `limit` bytes, as far as it can be told to.
    pub(super) fn sorts(
        &self,
        files: &Files,
        input: &Path,
        output: &Path,
        limit: u64,
    ) -> impl Fn() -> Program + 'static {
        let (name, python) = (self.name, self.python.clone());
        let (script, temp) = (files.path("peers.py"), files.directory().to_owned());
        let (input, output) = (input.to_owned(), output.to_owned());
        move || match &python {
            None => Program::new("sort")
                .env("LC_ALL", "C")
                .args(["-S", &format!("{limit}b"), "--parallel=2", "-T"])
                .args([&temp, Path::new("-o"), &output, &input]),
            Some(python) => Program::new(python)
                .args([&script, Path::new(name), &input, &output])
                .args([&limit.to_string()])
                .args([&temp])
                .says_time(),
        }
    }
}

/// The version of the `sort` that is here, if it is GNU's.
fn gnu_version() -> Option<String> {
    let said = Program::new("sort").args(["--version"]).output().ok()?;
    let first = said.lines().next()?;
    first
        .strip_prefix("sort (GNU coreutils) ")
        .map(ToOwned::to_owned)
}

/// A virtual environment with the wheels; made where it is not there yet. Gives its Python.
fn environment(files: &Files) -> std::io::Result<PathBuf> {
    fs::write(files.path("peers.py"), SCRIPT)?;
    let environment = files.path("venv");
    let python = environment.join("bin/python");
    let wheels = WHEELS.map(|(name, version)| format!("{name}=={version}"));
    let made = environment.join(wheels.join(" "));
    if !made.exists() {
        let venv = ["-m", "venv", "--clear"];
        Program::new("python3")
            .args(venv)
            .args([&environment])
            .run()?;
        let install = ["-m", "pip", "install", "--quiet", "--only-binary", ":all:"];
        // DataFusion hands its results over as pyarrow's.
        Program::new(&python)
            .args(install)
            .args(wheels)
            .args(["pyarrow==26.0.1"])
            .run()?;
        fs::write(made, [])?;
    }
    Ok(python)
}
