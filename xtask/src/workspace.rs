//! What `cargo metadata` says about this workspace, as far as the commands need it.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::failure::{Doing, Failure, Result};

#[derive(Debug)]
pub(crate) struct Workspace {
    /// The folder of the virtual manifest.
    pub(crate) root: PathBuf,
    /// Where cargo builds.
    pub(crate) target: PathBuf,
    pub(crate) members: Vec<Member>,
}

/// A crate of the workspace, as its manifest declares it.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) folder: PathBuf,
    /// Whether a plain `cargo test` includes it.
    pub(crate) is_default: bool,
    pub(crate) dependencies: Vec<Dependency>,
}

#[derive(Debug, Clone)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Normal,
    Build,
    Dev,
}

impl Workspace {
    pub(crate) fn load() -> Result<Self> {
        // `cargo run` sets the variable; the checkout it was built in is the fallback for a bare start.
        let own = env::var("CARGO_MANIFEST_DIR")
            .unwrap_or_else(|_| env!("CARGO_MANIFEST_DIR").to_owned());
        let root = Path::new(&own)
            .parent()
            .ok_or_else(|| Failure::new(format!("{own} has no parent folder")))?;
        Self::load_from(root)
    }

    pub(crate) fn load_from(root: &Path) -> Result<Self> {
        let output = cargo(root)
            .args(["metadata", "--format-version", "1", "--no-deps"])
            .output()
            .doing(|| "starting cargo metadata".to_owned())?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(Failure::new(format!("cargo metadata failed:\n{said}")));
        }
        let json = serde_json::from_slice(&output.stdout)
            .doing(|| "reading what cargo metadata wrote".to_owned())?;
        Self::parse(&json).ok_or_else(|| Failure::new("cargo metadata wrote something unexpected"))
    }

    fn parse(json: &Value) -> Option<Self> {
        let defaults = json["workspace_default_members"].as_array()?;
        let members = json["packages"]
            .as_array()?
            .iter()
            .map(|package| Member::parse(package, defaults))
            .collect::<Option<Vec<_>>>()?;
        Some(Self {
            root: path(&json["workspace_root"])?,
            target: path(&json["target_directory"])?,
            members,
        })
    }

    /// Cargo, in this workspace.
    pub(crate) fn cargo(&self) -> Command {
        cargo(&self.root)
    }
}

impl Member {
    fn parse(package: &Value, defaults: &[Value]) -> Option<Self> {
        let dependencies = package["dependencies"]
            .as_array()?
            .iter()
            .map(Dependency::parse)
            .collect::<Option<Vec<_>>>()?;
        Some(Self {
            name: package["name"].as_str()?.to_owned(),
            folder: path(&package["manifest_path"])?.parent()?.to_owned(),
            is_default: defaults.contains(&package["id"]),
            dependencies,
        })
    }
}

impl Dependency {
    fn parse(dependency: &Value) -> Option<Self> {
        let kind = match dependency["kind"].as_str() {
            None => Kind::Normal,
            Some("build") => Kind::Build,
            Some("dev") => Kind::Dev,
            Some(_) => return None,
        };
        let name = dependency["name"].as_str()?.to_owned();
        Some(Self { name, kind })
    }
}

fn path(json: &Value) -> Option<PathBuf> {
    json.as_str().map(PathBuf::from)
}

/// The cargo that started us, in `folder`.
fn cargo(folder: &Path) -> Command {
    let program = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.current_dir(folder);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_dependency_is_read() {
        let json = serde_json::json!({
            "workspace_root": "/w", "target_directory": "/t",
            "workspace_default_members": ["id-a"],
            "packages": [
                {"name": "a", "id": "id-a", "manifest_path": "/w/crates/a/Cargo.toml", "dependencies": [
                    {"name": "n", "kind": null}, {"name": "b", "kind": "build"}, {"name": "d", "kind": "dev"}]},
                {"name": "slow", "id": "id-slow", "manifest_path": "/w/crates/slow/Cargo.toml", "dependencies": []},
            ],
        });
        let workspace = Workspace::parse(&json).unwrap();
        let a = &workspace.members[0];
        let kinds: Vec<Kind> = a.dependencies.iter().map(|d| d.kind).collect();
        assert_eq!(kinds, [Kind::Normal, Kind::Build, Kind::Dev]);
        assert_eq!(a.folder, Path::new("/w/crates/a"));
        assert!(a.is_default);
        assert!(!workspace.members[1].is_default);
    }

    #[test]
    fn an_unknown_kind_is_not_taken_for_a_known_one() {
        let dependency = serde_json::json!({"name": "x", "kind": "artifact"});
        assert!(Dependency::parse(&dependency).is_none());
    }
}
