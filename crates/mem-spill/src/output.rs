//! An output file that replaces its target only when it is whole.

use crate::storage::open_unnamed;
use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// How many symbolic links to files that don't exist yet are followed.
const LINKS_MAX: usize = 40;
/// What a new file may be used for before the umask takes its share.
const NEW_MODE: u32 = 0o666;

/// A file that is being written and will take its target's place.
///
/// It is written without a name in the target's directory. [`commit`](Self::commit) gives it the
/// target's name; until then an existing target is untouched and can even be read as an input.
/// Dropping it leaves nothing, `kill -9` too, with two exceptions:
///
/// - An existing target can't be replaced by a file without a name, so `commit` gives the file a
///   name beside the target and renames it at once. A kill between these two calls leaves the
///   *whole* output under that name, `.NAME.` and random letters.
/// - A file system without `O_TMPFILE` needs the name from the beginning; a kill leaves it.
///
/// The new file has the mode of the one that it replaces, and its owner where that is allowed;
/// hard links, ACLs and extended attributes are not carried over. Symbolic links are followed, what
/// they point to is replaced. A target that is no regular file (a device, a pipe) can't be replaced
/// and is written directly.
///
/// Data are not forced to disk: the promise is about killed processes, not about power failures.
#[derive(Debug)]
pub struct PendingOutput {
    target: PathBuf,
    file: Pending,
}

#[derive(Debug)]
enum Pending {
    /// Without a name.
    Unnamed(File),
    /// With a name that goes when this is dropped.
    Named(NamedTempFile),
    /// The target itself, which is no regular file.
    Direct(File),
}

/// Why an output could not be made.
#[derive(Debug, thiserror::Error)]
#[error("could not {action} {}", path.display())]
pub struct OutputError {
    /// What failed: `write to`, `create a file in`, `replace`.
    pub action: &'static str,
    /// The target or its directory.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

impl PendingOutput {
    /// Begins an output that will be at `path`.
    ///
    /// # Errors
    ///
    /// If `path` exists and may not be written, or is a directory; if no file can be created in
    /// its directory. An existing file is untouched.
    pub fn create(path: &Path) -> Result<Self, OutputError> {
        let fail = |source| OutputError {
            action: "write to",
            path: path.to_owned(),
            source,
        };
        // Opened for writing to see whether that is allowed, as it would be without a detour.
        let target = match OpenOptions::new().write(true).open(path) {
            Ok(existing) if existing.metadata().map_err(fail)?.is_file() => {
                fs::canonicalize(path).map_err(fail)?
            }
            Ok(special) => {
                return Ok(Self {
                    target: path.to_owned(),
                    file: Pending::Direct(special),
                });
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => follow_links(path),
            Err(error) => return Err(fail(error)),
        };
        let file = Self::create_beside(&target)?;
        Ok(Self { target, file })
    }

    fn create_beside(target: &Path) -> Result<Pending, OutputError> {
        let directory = directory_of(target);
        let fail = |source| OutputError {
            action: "create a file in",
            path: directory.to_owned(),
            source,
        };
        let mode = Mode::from_raw_mode(NEW_MODE);
        match open_unnamed(directory, OFlags::empty(), mode).map_err(fail)? {
            Some(file) if path_of(&file).exists() => Ok(Pending::Unnamed(file)),
            // No O_TMPFILE, or no /proc to link from.
            _ => Self::create_named(target).map(Pending::Named).map_err(fail),
        }
    }

    fn create_named(target: &Path) -> io::Result<NamedTempFile> {
        tempfile::Builder::new()
            .prefix(&prefix_of(target))
            .permissions(Permissions::from_mode(NEW_MODE))
            .tempfile_in(directory_of(target))
    }

    /// The file to write to, and to read from, from wherever its cursor is.
    #[must_use]
    pub fn file(&self) -> &File {
        match &self.file {
            Pending::Unnamed(file) | Pending::Direct(file) => file,
            Pending::Named(file) => file.as_file(),
        }
    }

    /// Gives the file its target's name. A file that has appeared there meanwhile is replaced too.
    ///
    /// # Errors
    ///
    /// If the system refuses; then the target is as it was, and nothing is left beside it.
    pub fn commit(self) -> Result<(), OutputError> {
        let target = &self.target;
        let committed = match self.file {
            Pending::Direct(_) => Ok(()),
            Pending::Named(file) => adopt_mode(file.as_file(), target)
                .and_then(|()| file.persist(target).map(drop).map_err(io::Error::from)),
            Pending::Unnamed(file) => {
                adopt_mode(&file, target).and_then(|()| put_in_place(&file, target))
            }
        };
        committed.map_err(|source| OutputError {
            action: "replace",
            path: self.target,
            source,
        })
    }
}

/// Gives a file without a name the name `target`, whether that is taken or not.
fn put_in_place(file: &File, target: &Path) -> io::Result<()> {
    match link(file, target) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let named = tempfile::Builder::new()
                .prefix(&prefix_of(target))
                .make_in(directory_of(target), |name| link(file, name))?;
            named.persist(target).map_err(io::Error::from)
        }
        linked => linked,
    }
}

fn link(file: &File, name: &Path) -> io::Result<()> {
    // Linking the descriptor itself (AT_EMPTY_PATH) needs a capability on most kernels.
    rustix::fs::linkat(CWD, path_of(file), CWD, name, AtFlags::SYMLINK_FOLLOW)?;
    Ok(())
}

/// A path that stands for an open file, name or not.
fn path_of(file: &File) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

/// Gives `file` the owner and the mode of the file that it will replace, if there is one.
fn adopt_mode(file: &File, target: &Path) -> io::Result<()> {
    let existing = match fs::metadata(target) {
        Ok(existing) => existing,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    // Only a privileged user may give files away. Where that fails, running as the owner (the bits
    // beyond 0o777) must not be passed on to another one.
    let kept = match adopt_owner(file, &existing) {
        Ok(()) => 0o7777,
        Err(_) => 0o777,
    };
    file.set_permissions(Permissions::from_mode(existing.mode() & kept))
}

fn adopt_owner(file: &File, existing: &Metadata) -> io::Result<()> {
    let own = file.metadata()?;
    if (own.uid(), own.gid()) == (existing.uid(), existing.gid()) {
        return Ok(());
    }
    std::os::unix::fs::fchown(file, Some(existing.uid()), Some(existing.gid()))
}

/// What a path stands for behind which there is no file yet: itself, or where its links lead to.
fn follow_links(path: &Path) -> PathBuf {
    let mut target = path.to_owned();
    // Too many links are as good as none: creating the file then says what is wrong.
    for _ in 0..LINKS_MAX {
        match fs::read_link(&target) {
            Ok(next) => target = directory_of(&target).join(next),
            Err(_) => break,
        }
    }
    target
}

/// The directory that a path is in.
pub(crate) fn directory_of(target: &Path) -> &Path {
    match target.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// How temporary names beside `target` begin: hidden, and telling whose they are.
fn prefix_of(target: &Path) -> std::ffi::OsString {
    let mut prefix = std::ffi::OsString::from(".");
    prefix.push(target.file_name().unwrap_or_default());
    prefix.push(".");
    prefix
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn listed(directory: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// The way of file systems without `O_TMPFILE`.
    #[test]
    fn with_a_name_from_the_beginning_it_works_too() {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("out");
        fs::write(&target, "old").unwrap();
        fs::set_permissions(&target, Permissions::from_mode(0o640)).unwrap();
        let pending = |target: &Path| PendingOutput {
            target: target.to_owned(),
            file: Pending::Named(PendingOutput::create_named(target).unwrap()),
        };
        let dropped = pending(&target);
        assert_eq!(listed(directory.path()).len(), 2);
        drop(dropped);
        assert_eq!(listed(directory.path()), ["out"]);

        let kept = pending(&target);
        kept.file().write_all(b"new").unwrap();
        kept.commit().unwrap();
        assert_eq!(listed(directory.path()), ["out"]);
        assert_eq!(fs::read(&target).unwrap(), b"new");
        assert_eq!(fs::metadata(&target).unwrap().mode() & 0o7777, 0o640);
    }

    #[test]
    fn a_bare_name_is_in_the_current_directory() {
        assert_eq!(directory_of(Path::new("out")), Path::new("."));
        assert_eq!(directory_of(Path::new("a/out")), Path::new("a"));
        assert_eq!(directory_of(Path::new("/out")), Path::new("/"));
    }
}
