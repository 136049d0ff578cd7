//! A copy of the checkout to spoil, kept from run to run so that only what changed is built again.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::{Doing, Result};
use crate::files;

/// Makes the files below `to` those below `from`.
///
/// A file that is the same already is not touched: cargo goes by the time of the last change.
pub(crate) fn mirror(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).doing(|| format!("creating {}", to.display()))?;
    let wanted: BTreeSet<PathBuf> = files::sources(from)?.into_iter().collect();
    for path in files::sources(to)? {
        if !wanted.contains(&path) {
            fs::remove_file(to.join(&path)).doing(|| format!("removing {}", path.display()))?;
        }
    }
    for path in &wanted {
        let contents = fs::read(from.join(path)).doing(|| format!("reading {}", path.display()))?;
        put(&to.join(path), &contents)?;
    }
    Ok(())
}

/// Writes `contents` unless that is what the file holds.
pub(crate) fn put(path: &Path, contents: &[u8]) -> Result<()> {
    if fs::read(path).is_ok_and(|held| held == contents) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).doing(|| format!("creating {}", folder.display()))?;
    }
    files::write(path, contents)
}

#[cfg(test)]
mod tests {
    use std::env;
    use std::process;

    use super::*;

    #[test]
    fn a_mirror_follows_its_original_and_leaves_the_same_alone() {
        let base = env::temp_dir().join(format!("xtask-mirror-{}", process::id()));
        let (from, to) = (base.join("from"), base.join("to"));
        put(&from.join("a/b.rs"), b"one").unwrap();
        put(&from.join("c.rs"), b"two").unwrap();
        put(&from.join("target/built"), b"not ours").unwrap();
        mirror(&from, &to).unwrap();
        let written = fs::metadata(to.join("c.rs")).unwrap().modified().unwrap();

        put(&from.join("a/b.rs"), b"changed").unwrap();
        put(&to.join("a/old.rs"), b"stale").unwrap();
        mirror(&from, &to).unwrap();

        assert_eq!(
            files::sources(&to).unwrap(),
            [PathBuf::from("a/b.rs"), PathBuf::from("c.rs")]
        );
        assert_eq!(fs::read(to.join("a/b.rs")).unwrap(), b"changed");
        assert_eq!(
            fs::metadata(to.join("c.rs")).unwrap().modified().unwrap(),
            written
        );
        fs::remove_dir_all(base).unwrap();
    }
}
