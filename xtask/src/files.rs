//! The files of the checkout: what a person wrote, not what a build left.
//!
//! Git is not asked, so that a copy without its history can be checked too.

use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::{Doing, Result};

/// Cargo writes this file into every target directory.
const BUILD_MARK: &str = "CACHEDIR.TAG";

/// All files below `root`, as paths relative to it, sorted.
pub(crate) fn sources(root: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    collect(root, Path::new(""), &mut files)?;
    files.sort();
    Ok(files)
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let absolute = root.join(folder);
    let entries = fs::read_dir(&absolute).doing(|| format!("reading {}", absolute.display()))?;
    for entry in entries {
        let entry = entry.doing(|| format!("reading {}", absolute.display()))?;
        let path = folder.join(entry.file_name());
        let kind = entry
            .file_type()
            .doing(|| format!("looking at {}", path.display()))?;
        if kind.is_file() {
            files.push(path);
        } else if kind.is_dir() && !is_left_out(&entry.path()) {
            collect(root, &path, files)?;
        }
    }
    Ok(())
}

fn is_left_out(folder: &Path) -> bool {
    let name = folder.file_name().unwrap_or_default();
    name == ".git" || name == "target" || folder.join(BUILD_MARK).exists()
}

pub(crate) fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).doing(|| format!("reading {}", path.display()))
}

pub(crate) fn write(path: &Path, contents: &[u8]) -> Result<()> {
    fs::write(path, contents).doing(|| format!("writing {}", path.display()))
}
