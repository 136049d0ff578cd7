//! Several directories, used in turn.

use crate::error::SpillError;
use crate::file::SpillFile;
use crate::stats::{Counters, SpillStats};
use crate::storage::{StorageProvider, UnnamedFiles};
use mem_sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The directories that spill files are made in. Cloning shares them.
///
/// New files go to the directories in turn. A directory that fails (it is full, read-only,
/// forbidden, gone) is passed over for *new* files until there is no other, or until one of its
/// files has gone and there may be room again; the files that it has stay where they are. Nothing
/// is tried before the first file is wanted.
///
/// Spark's counterpart: `spark.local.dir` and `DiskBlockManager`, whose files have names and
/// outlive a killed executor.
#[derive(Clone, Debug)]
pub struct SpillDirs {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    directories: Vec<Arc<Directory>>,
    provider: Box<dyn StorageProvider>,
    /// Whose turn it is; only its remainder by the number of directories counts.
    turn: AtomicUsize,
    counters: Arc<Counters>,
}

/// One directory, and whether it failed lately.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    failed: AtomicBool,
}

impl Directory {
    pub(crate) fn new(path: PathBuf) -> Arc<Self> {
        Arc::new(Self {
            path,
            failed: AtomicBool::new(false),
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Has new files go elsewhere. Only a hint for the choice, so it is relaxed.
    pub(crate) fn mark_failed(&self) {
        self.failed.store(true, Ordering::Relaxed);
    }

    /// A file here has gone: there may be room again.
    pub(crate) fn clear_failed(&self) {
        self.failed.store(false, Ordering::Relaxed);
    }

    fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }
}

impl Default for SpillDirs {
    /// The system's directory for temporary files, [`std::env::temp_dir`].
    fn default() -> Self {
        Self::with_provider(vec![std::env::temp_dir()], UnnamedFiles)
            .expect("one directory is given")
    }
}

impl SpillDirs {
    /// Files in these directories, in turn. They are not looked at yet.
    ///
    /// # Errors
    ///
    /// [`SpillError::InvalidOption`] if there are none.
    pub fn new(directories: Vec<PathBuf>) -> Result<Self, SpillError> {
        Self::with_provider(directories, UnnamedFiles)
    }

    /// The same with another provider of bytes than the system's files: for tests, see
    /// [`testing`](crate::testing).
    ///
    /// # Errors
    ///
    /// [`SpillError::InvalidOption`] if there are no directories.
    pub fn with_provider(
        directories: Vec<PathBuf>,
        provider: impl StorageProvider + 'static,
    ) -> Result<Self, SpillError> {
        if directories.is_empty() {
            return Err(SpillError::InvalidOption {
                option: "list of directories",
                value: "empty".to_owned(),
                allowed: "one or more",
            });
        }
        Ok(Self {
            shared: Arc::new(Shared {
                directories: directories.into_iter().map(Directory::new).collect(),
                provider: Box::new(provider),
                turn: AtomicUsize::new(0),
                counters: Arc::default(),
            }),
        })
    }

    /// A new, empty file in the directory whose turn it is, or in the next that can take one.
    ///
    /// # Errors
    ///
    /// [`SpillError::NoDirectory`] if none can, with the reason of each.
    pub fn create(&self) -> Result<SpillFile, SpillError> {
        let shared = &*self.shared;
        let mut tried = Vec::new();
        for directory in self.in_order() {
            match shared.provider.create(directory.path()) {
                Ok(storage) => {
                    let counters = Arc::clone(&shared.counters);
                    return Ok(SpillFile::new(
                        storage,
                        Arc::clone(directory),
                        None,
                        counters,
                    ));
                }
                Err(reason) => {
                    directory.mark_failed();
                    tried.push((directory.path.clone(), reason));
                }
            }
        }
        Err(SpillError::NoDirectory { tried })
    }

    /// The directories from the next in turn on, those that failed lately last.
    fn in_order(&self) -> Vec<&Arc<Directory>> {
        let directories = &self.shared.directories;
        let turn = self.shared.turn.fetch_add(1, Ordering::Relaxed) % directories.len();
        let mut order: Vec<_> = directories[turn..]
            .iter()
            .chain(&directories[..turn])
            .collect();
        order.sort_by_key(|directory| directory.has_failed());
        order
    }

    /// The directories, in the order in which they were given.
    pub fn directories(&self) -> impl Iterator<Item = &Path> {
        self.shared.directories.iter().map(|each| each.path())
    }

    /// What has gone through the files of these directories so far.
    #[must_use]
    pub fn stats(&self) -> SpillStats {
        self.shared.counters.snapshot()
    }
}
