//! Fabricated houses, most of them crooked.

use std::path::PathBuf;

use super::*;

fn member(name: &str, dependencies: &[(Kind, &str)]) -> Member {
    let dependency = |&(kind, name): &(Kind, &str)| Dependency {
        name: name.to_owned(),
        kind,
    };
    Member {
        name: name.to_owned(),
        folder: PathBuf::from(name),
        is_default: true,
        dependencies: dependencies.iter().map(dependency).collect(),
    }
}

#[track_caller]
fn allowed(name: &str, kind: Kind, dependency: &str) {
    let complaints = check(&[member(name, &[(kind, dependency)])]);
    assert_eq!(complaints, [""; 0]);
}

#[track_caller]
fn refused(name: &str, kind: Kind, dependency: &str, because: &str) {
    let complaints = check(&[member(name, &[(kind, dependency)])]);
    assert_eq!(complaints.len(), 1, "{complaints:?}");
    assert!(complaints[0].contains(because), "{complaints:?}");
}

const EACH: [Kind; 3] = [Kind::Normal, Kind::Build, Kind::Dev];

#[test]
fn downward_is_the_way() {
    for kind in EACH {
        allowed("mem-pool", kind, "mem-block");
        allowed("hearth", kind, "mem-sync");
        allowed("mem-datafusion", kind, "mem-trace");
    }
}

#[test]
fn upward_is_refused_whatever_the_kind() {
    for kind in EACH {
        refused(
            "mem-pool",
            kind,
            "mem-policy",
            "upward, from floor 2 to floor 3",
        );
        refused("mem-sync", kind, "hearth", "upward");
    }
}

#[test]
fn sideways_is_refused_whatever_the_kind() {
    for kind in EACH {
        refused("mem-spill", kind, "mem-block", "sideways");
        refused("mem-sql", kind, "mem-ballista", "sideways");
        refused("mem-sort", kind, "mem-store", "sideways");
    }
}

#[test]
fn the_simulation_uses_every_room_and_is_used_by_tests_only() {
    allowed("mem-sim", Kind::Normal, "hearth");
    allowed("mem-sync", Kind::Dev, "mem-sim");
    refused("mem-pool", Kind::Normal, "mem-sim", "only tests");
    refused("mem-pool", Kind::Build, "mem-sim", "only tests");
}

#[test]
fn xtask_stands_outside() {
    refused("xtask", Kind::Normal, "mem-sync", "outside");
    refused("xtask", Kind::Dev, "mem-sim", "outside");
    refused("hearth", Kind::Dev, "xtask", "outside");
    allowed("xtask", Kind::Normal, "serde_json");
}

#[test]
fn a_crate_without_a_floor_is_refused_even_if_it_uses_nothing() {
    let complaints = check(&[member("mem-new", &[])]);
    assert_eq!(complaints.len(), 1);
    assert!(complaints[0].starts_with("mem-new has no floor"));
}

#[test]
fn one_bad_edge_among_good_ones_is_the_one_named() {
    let complaints = check(&[
        member("mem-sync", &[(Kind::Normal, "parking_lot")]),
        member(
            "mem-block",
            &[(Kind::Normal, "mem-sync"), (Kind::Dev, "task-mem")],
        ),
        member("task-mem", &[(Kind::Normal, "mem-block")]),
    ]);
    assert_eq!(
        complaints,
        ["mem-block depends (dev) on task-mem: upward, from floor 1 to floor 4"]
    );
}

#[test]
fn foreign_crates_keep_to_their_rooms() {
    allowed("hearth-bench", Kind::Normal, "memmap2");
    refused(
        "mem-policy",
        Kind::Normal,
        "memmap2",
        "business of hearth-bench alone",
    );
    refused("mem-policy", Kind::Normal, "rustix", "business");
    refused("mem-policy", Kind::Normal, "tempfile", "business");
    allowed("mem-policy", Kind::Dev, "tempfile");
    refused("mem-trace", Kind::Normal, "indicatif", "business");
    allowed("mem-datafusion", Kind::Normal, "datafusion-execution");
    refused("mem-datafusion", Kind::Normal, "datafusion", "business");
    refused("mem-sort", Kind::Build, "arrow-array", "business");
    allowed("mem-pool", Kind::Normal, "thiserror");
}
