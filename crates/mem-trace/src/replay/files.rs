//! Finding traces: files, compressed or not, and folders of them.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use super::replay_reader;
use crate::report::{TraceError, TraceReport};

/// Replays the traces of one file: JSON lines, compressed with zstd where its name ends in `.zst`.
///
/// # Errors
/// Where the file can't be read, a line is malformed, or a line makes no sense.
pub fn replay_file(path: &Path) -> Result<Vec<TraceReport>, TraceError> {
    let name = path.display().to_string();
    let failed = |error: io::Error| TraceError {
        trace: name.clone(),
        line: None,
        problem: error.into(),
    };
    let file = File::open(path).map_err(failed)?;
    if path.extension().is_some_and(|extension| extension == "zst") {
        let reader = zstd::stream::read::Decoder::new(file).map_err(failed)?;
        replay_reader(&name, BufReader::new(reader))
    } else {
        replay_reader(&name, BufReader::new(file))
    }
}

/// Replays files, and all `.jsonl` and `.jsonl.zst` files in folders and in the folders in those, in
/// order of name. Each trace is replayed when the iterator comes to it.
pub fn replay_paths<P: AsRef<Path>>(
    paths: impl IntoIterator<Item = P>,
) -> impl Iterator<Item = Result<TraceReport, TraceError>> {
    paths
        .into_iter()
        .flat_map(|path| traces_in(path.as_ref()))
        .flat_map(|found| match found.and_then(|path| replay_file(&path)) {
            Ok(reports) => reports.into_iter().map(Ok).collect(),
            Err(error) => vec![Err(error)],
        })
}

fn traces_in(path: &Path) -> Vec<Result<PathBuf, TraceError>> {
    if !path.is_dir() {
        return vec![Ok(path.to_owned())];
    }
    let mut found = Vec::new();
    match entries(path) {
        Ok(entries) => {
            for entry in entries {
                if entry.is_dir() {
                    found.extend(traces_in(&entry));
                } else if is_trace(&entry) {
                    found.push(Ok(entry));
                }
            }
        }
        Err(error) => {
            let trace = path.display().to_string();
            found.push(Err(TraceError {
                trace,
                line: None,
                problem: error.into(),
            }));
        }
    }
    found
}

/// What is in a folder, by name. Links to folders are left alone: they may lead in circles.
fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if !(entry.file_type()?.is_symlink() && path.is_dir()) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn is_trace(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy());
    name.is_some_and(|name| name.ends_with(".jsonl") || name.ends_with(".jsonl.zst"))
}
