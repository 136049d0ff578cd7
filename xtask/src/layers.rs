//! The house has floors: a crate may depend on crates of lower floors only, never on one of its own floor or above.
//!
//! Tests and build scripts are no exception: what a crate needs to be tested it needs to be understood. Beside the
//! floors there is a short list of foreign crates that belong to some rooms only.

mod foreign;

use crate::failure::{Failure, Result};
use crate::workspace::{Dependency, Kind, Member, Workspace};

/// Where a crate stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Floor(u8),
    /// May use any room; rooms may use it in tests only.
    Simulation,
    /// Uses no room, and no room uses it.
    Outside,
}

/// The house, lowest floor first.
const PLACES: &[(&str, Place)] = &[
    ("mem-sync", Place::Floor(0)),
    ("hearth-tpch", Place::Floor(0)),
    ("mem-block", Place::Floor(1)),
    ("mem-spill", Place::Floor(1)),
    ("mem-pool", Place::Floor(2)),
    ("mem-policy", Place::Floor(3)),
    ("task-mem", Place::Floor(4)),
    ("mem-store", Place::Floor(5)),
    ("mem-sort", Place::Floor(5)),
    ("mem-trace", Place::Floor(6)),
    ("mem-datafusion", Place::Floor(7)),
    ("hearth", Place::Floor(8)),
    ("mem-sql", Place::Floor(8)),
    ("mem-ballista", Place::Floor(8)),
    ("hearth-bench", Place::Floor(9)),
    ("hearth-bench-sql", Place::Floor(9)),
    ("mem-sim", Place::Simulation),
    ("xtask", Place::Outside),
];

/// The command: checks this workspace.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let complaints = check(&workspace.members);
    Failure::unless_empty("layers", &complaints)?;
    println!(
        "layers: {} crates, each on its floor",
        workspace.members.len()
    );
    Ok(())
}

/// The floor of a crate of the house; none for crates outside of it and for foreign ones.
pub(crate) fn floor(name: &str) -> Option<u8> {
    match place(name) {
        Some(Place::Floor(floor)) => Some(floor),
        Some(Place::Simulation | Place::Outside) | None => None,
    }
}

/// Every dependency that the house does not allow, in words.
pub(crate) fn check(members: &[Member]) -> Vec<String> {
    let mut complaints = Vec::new();
    for member in members {
        let Some(own) = place(&member.name) else {
            complaints.push(format!(
                "{} has no floor: give it one in xtask/src/layers.rs and in ARCHITECTURE.md",
                member.name
            ));
            continue;
        };
        for dependency in &member.dependencies {
            let forbidden =
                forbidden(own, dependency).or_else(|| foreign::forbidden(&member.name, dependency));
            if let Some(reason) = forbidden {
                let kind = match dependency.kind {
                    Kind::Normal => "depends",
                    Kind::Build => "depends (build)",
                    Kind::Dev => "depends (dev)",
                };
                let (name, dependency) = (&member.name, &dependency.name);
                complaints.push(format!("{name} {kind} on {dependency}: {reason}"));
            }
        }
    }
    complaints
}

fn forbidden(own: Place, dependency: &Dependency) -> Option<String> {
    match (own, place(&dependency.name)?) {
        (Place::Outside, _) => Some("it stands outside and may use no room".to_owned()),
        (_, Place::Outside) => Some("no room may use what stands outside".to_owned()),
        (Place::Simulation, _) => None,
        (Place::Floor(_), Place::Simulation) => {
            let is_for_tests = dependency.kind == Kind::Dev;
            (!is_for_tests).then(|| "only tests may use the simulation".to_owned())
        }
        (Place::Floor(own), Place::Floor(other)) if other > own => {
            Some(format!("upward, from floor {own} to floor {other}"))
        }
        (Place::Floor(own), Place::Floor(other)) if other == own => {
            Some(format!("sideways, both are on floor {own}"))
        }
        (Place::Floor(_), Place::Floor(_)) => None,
    }
}

fn place(name: &str) -> Option<Place> {
    PLACES
        .iter()
        .find(|(room, _)| *room == name)
        .map(|(_, place)| *place)
}

#[cfg(test)]
mod tests;
