//! What neither the compiler nor clippy looks at: sizes, words, manifests, and documents that must keep up.
//!
//! Each check takes the files as values and returns complaints, so that its tests can feed it fabricated ones.

mod documents;
mod text;
mod unsafe_code;

use std::path::Path;

use crate::failure::{Failure, Result};
use crate::files;
use crate::workspace::Workspace;

/// What counts as text.
const EXTENSIONS: &[&str] = &["rs", "md", "toml", "yml", "yaml", "sh"];

/// A text of the checkout.
#[derive(Debug, Clone)]
struct File {
    /// Relative to the root, with forward slashes.
    path: String,
    text: String,
}

impl File {
    fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }
}

/// The command: checks this checkout.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let files = load(workspace)?;
    let crates: Vec<&str> = workspace
        .members
        .iter()
        .map(|member| member.name.as_str())
        .collect();
    let mut complaints: Vec<String> = files.iter().flat_map(text::check).collect();
    complaints.extend(text::check_long_files(&files));
    complaints.extend(unsafe_code::check(&files));
    complaints.extend(documents::check(&files, &crates));
    Failure::unless_empty("tidy", &complaints)?;
    println!("tidy: {} files", files.len());
    Ok(())
}

fn load(workspace: &Workspace) -> Result<Vec<File>> {
    files::sources(&workspace.root)?
        .into_iter()
        .filter(|path| is_text(path))
        .map(|path| {
            let text = files::read(&workspace.root.join(&path))?;
            let path = path.to_string_lossy().into_owned();
            Ok(File { path, text })
        })
        .collect()
}

fn is_text(path: &Path) -> bool {
    match path.extension() {
        Some(extension) => EXTENSIONS.iter().any(|text| extension == *text),
        // Scripts of continuous integration have no extension.
        None => path.starts_with(".ci"),
    }
}

#[cfg(test)]
fn file(path: &str, text: &str) -> File {
    File {
        path: path.to_owned(),
        text: text.to_owned(),
    }
}
