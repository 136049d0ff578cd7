//! Where an executor puts shuffle files: a directory of its own, that does not outlive it for long.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use ballista_core::ids::new_instance_id;

/// How the directories of executors begin.
const PREFIX: &str = "hearth-executor-";
/// Names that are tried.
const TRIES: usize = 8;

/// A directory for shuffle files, readable by this user only and removed when this is dropped.
///
/// It is locked as long as its executor lives, in whatever way that ends: what a killed one has left is
/// removed by the next executor that begins or ends with the same parent directory.
#[derive(Debug)]
pub(crate) struct WorkDir {
    path: PathBuf,
    /// The lock, which the kernel takes back with the process.
    _lock: File,
}

impl WorkDir {
    /// Makes one in `parent`, and removes what dead executors have left there.
    pub(crate) fn create(parent: &Path) -> io::Result<Self> {
        remove_abandoned(parent);
        for _ in 0..TRIES {
            let path = parent.join(format!("{PREFIX}{}", new_instance_id()));
            fs::DirBuilder::new().mode(0o700).create(&path)?;
            if let Some(lock) = lock(&path)? {
                return Ok(Self { path, _lock: lock });
            }
        }
        // Each was taken for abandoned before it was locked.
        Err(io::Error::from(io::ErrorKind::ResourceBusy))
    }

    /// The path as Ballista takes it.
    pub(crate) fn name(&self) -> io::Result<&str> {
        let not_text = || io::Error::new(io::ErrorKind::InvalidInput, "the path is not UTF-8");
        self.path.to_str().ok_or_else(not_text)
    }
}

impl Drop for WorkDir {
    fn drop(&mut self) {
        remove(&self.path);
        if let Some(parent) = self.path.parent() {
            remove_abandoned(parent);
        }
    }
}

/// Locks a directory; `None` where it is another's, or gone.
fn lock(path: &Path) -> io::Result<Option<File>> {
    let directory = File::open(path)?;
    if directory.try_lock().is_err() {
        return Ok(None);
    }
    // One that is removed can be locked, too.
    let here = fs::metadata(path).ok().map(|here| here.ino());
    let same = here == Some(directory.metadata()?.ino());
    Ok(same.then_some(directory))
}

/// Removes the directories of executors that are no more.
fn remove_abandoned(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else {
        return;
    };
    for entry in entries.flatten() {
        let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let is_ours = is_directory && entry.file_name().to_string_lossy().starts_with(PREFIX);
        if is_ours && let Ok(Some(_lock)) = lock(&entry.path()) {
            log::info!("removes what a dead executor has left: {:?}", entry.path());
            remove(&entry.path());
        }
    }
}

fn remove(path: &Path) {
    if let Err(error) = fs::remove_dir_all(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        log::warn!("{path:?} can't be removed: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(parent: &Path) -> Vec<String> {
        let names = fs::read_dir(parent).unwrap().map(|entry| {
            let name = entry.unwrap().file_name();
            name.into_string().unwrap()
        });
        names.collect()
    }

    #[test]
    fn one_is_there_until_it_is_dropped_whatever_is_in_it() {
        let parent = tempfile::tempdir().unwrap();
        let one = WorkDir::create(parent.path()).unwrap();
        let two = WorkDir::create(parent.path()).unwrap();
        fs::create_dir_all(one.path.join("job/1/0")).unwrap();
        fs::write(one.path.join("job/1/0/data.arrow"), b"rows").unwrap();
        assert_eq!(names(parent.path()).len(), 2);
        drop(one);
        assert_eq!(
            names(parent.path()),
            [two.path.file_name().unwrap().to_str().unwrap()]
        );
    }

    #[test]
    fn what_a_dead_one_has_left_goes_and_all_else_stays() {
        let parent = tempfile::tempdir().unwrap();
        for name in ["hearth-executor-dead", "somebody's"] {
            fs::create_dir_all(parent.path().join(name).join("job")).unwrap();
        }
        fs::write(parent.path().join("hearth-executor-file"), b"").unwrap();
        let alive = WorkDir::create(parent.path()).unwrap();
        let left = names(parent.path());
        assert!(
            !left.contains(&"hearth-executor-dead".to_owned()),
            "{left:?}"
        );
        assert!(left.contains(&"somebody's".to_owned()), "{left:?}");
        drop(alive);
    }
}
