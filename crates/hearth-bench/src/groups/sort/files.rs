//! The files that are sorted, and where they are.

use std::env;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::measure::time;

/// Bytes that are copied and compared at a time.
const PIECE: usize = 1 << 20;

/// A directory for inputs, outputs and what programs spill.
#[derive(Debug)]
pub(super) struct Files {
    /// Where cargo put this program, and `hearth` beside it.
    programs: PathBuf,
    directory: PathBuf,
}

impl Files {
    /// The directory `bench-sort` beside this program.
    pub(super) fn beside_the_program() -> io::Result<Self> {
        let program = env::current_exe()?;
        let programs = program.parent().unwrap_or(Path::new(".")).to_owned();
        let directory = programs.join("bench-sort");
        fs::create_dir_all(&directory)?;
        Ok(Self {
            programs,
            directory,
        })
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// The program that is measured; `cargo xtask bench` builds it.
    pub(super) fn hearth(&self) -> PathBuf {
        self.programs.join("hearth")
    }

    /// Generated text of that size, the same each time; made where it is not there yet.
    pub(super) fn input(&self, size: &str) -> io::Result<PathBuf> {
        let input = self.path(&format!("{size}.txt"));
        if input.exists() {
            return Ok(input);
        }
        let unfinished = self.path("unfinished.txt");
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let generated = Command::new(cargo)
            .args(["run", "--quiet", "--release", "--package", "hearth"])
            .args(["--example", "generate", "--", size])
            .stdout(File::create(&unfinished)?)
            .status()?;
        if !generated.success() {
            return Err(io::Error::other(format!(
                "the input could not be made: {generated}"
            )));
        }
        fs::rename(&unfinished, &input)?;
        Ok(input)
    }

    /// How long it takes to copy a file, and to copy the copy.
    pub(super) fn copy_twice(&self, from: &Path) -> io::Result<Duration> {
        let (once, twice) = (self.path("once.out"), self.path("twice.out"));
        let mut copied = Ok(());
        let elapsed = time(|| copied = copy(from, &once).and_then(|()| copy(&once, &twice)));
        copied?;
        fs::remove_file(once)?;
        fs::remove_file(twice)?;
        Ok(elapsed)
    }
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let (mut from, mut to) = (File::open(from)?, File::create(to)?);
    let mut piece = vec![0; PIECE];
    loop {
        match from.read(&mut piece)? {
            0 => return Ok(()),
            bytes => to.write_all(&piece[..bytes])?,
        }
    }
}

/// Whether two files have the same bytes.
pub(super) fn are_the_same(a: &Path, b: &Path) -> io::Result<bool> {
    let (mut a, mut b) = (File::open(a)?, File::open(b)?);
    if a.metadata()?.len() != b.metadata()?.len() {
        return Ok(false);
    }
    let (mut of_a, mut of_b) = (vec![0; PIECE], vec![0; PIECE]);
    loop {
        let bytes = a.read(&mut of_a)?;
        if bytes == 0 {
            return Ok(true);
        }
        b.read_exact(&mut of_b[..bytes])?;
        if of_a[..bytes] != of_b[..bytes] {
            return Ok(false);
        }
    }
}
