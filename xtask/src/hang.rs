//! What a hung program and everything that it started is doing; and their end.
//!
//! The kernel's view of each thread comes from `/proc`, the stacks from gdb where that is installed.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::run::{self, Limits, Output};

/// Programs whose stacks say nothing about a test.
const TOOLS: &[&str] = &["cargo", "rustc", "rustdoc", "rustup", "sh"];

/// gdb may hang on a program that hangs.
const GDB_LIMIT: Duration = Duration::from_secs(60);

#[derive(Debug, Clone)]
struct Process {
    id: u32,
    parent: u32,
    name: String,
}

/// Prints the state of each thread of `root` and its descendants.
pub(crate) fn dump(root: u32) {
    for process in tree(root) {
        println!("== process {} ({})", process.id, process.name);
        dump_threads(process.id);
        if !TOOLS.contains(&process.name.as_str()) {
            dump_stacks(process.id);
        }
    }
}

fn dump_threads(process: u32) {
    let tasks = format!("/proc/{process}/task");
    let Ok(entries) = fs::read_dir(&tasks) else {
        println!("   gone");
        return;
    };
    for entry in entries.flatten() {
        let thread = entry.path();
        let facts: Vec<String> = ["comm", "wchan", "syscall"]
            .iter()
            .map(|fact| format!("{fact}={}", fact_of(&thread, fact)))
            .collect();
        println!(
            "   thread {}: {}",
            entry.file_name().to_string_lossy(),
            facts.join(" ")
        );
        // Only the superuser may read it.
        if let Ok(stack) = fs::read_to_string(thread.join("stack")) {
            stack.lines().for_each(|line| println!("      {line}"));
        }
    }
}

fn fact_of(thread: &Path, fact: &str) -> String {
    fs::read_to_string(thread.join(fact))
        .map_or_else(|error| format!("({error})"), |text| text.trim().to_owned())
}

fn dump_stacks(process: u32) {
    let mut gdb = Command::new("gdb");
    gdb.args(["-nx", "-batch", "-p", &process.to_string()])
        .args(["-ex", "set pagination off", "-ex", "thread apply all bt"])
        .env_remove("DEBUGINFOD_URLS");
    match run::run(&mut gdb, Limits::at_most(GDB_LIMIT), Output::Keep) {
        Ok(finished) => print!("{}", String::from_utf8_lossy(&finished.stdout)),
        Err(failure) => println!("   no stacks: {failure}"),
    }
}

/// Kills `root` and all its descendants.
///
/// The tree is walked instead of killing a process group, so that the programs stay in the terminal's own group
/// and an interrupt from the keyboard still reaches them. All are stopped before any is killed: a stopped
/// parent starts nobody new, and a living one keeps its children in the tree.
pub(crate) fn kill_tree(root: u32) {
    let mut known = 0;
    loop {
        let processes = tree(root);
        if processes.len() <= known {
            signal("-KILL", &processes);
            return;
        }
        known = processes.len();
        signal("-STOP", &processes);
    }
}

/// Sends by the shell's own `kill`: the program of that name is not installed everywhere.
fn signal(signal: &str, processes: &[Process]) {
    let sent = Command::new("sh")
        .args(["-c", "kill \"$@\" 2>/dev/null", "kill", signal])
        .args(processes.iter().map(|process| process.id.to_string()))
        .status();
    if let Err(error) = sent {
        println!("== can't send {signal}: {error}");
    }
}

/// `root` and its living descendants, parents first.
fn tree(root: u32) -> Vec<Process> {
    let all = processes();
    let mut found: Vec<Process> = all.iter().filter(|p| p.id == root).cloned().collect();
    let mut next = 0;
    while let Some(parent) = found.get(next).map(|process| process.id) {
        found.extend(all.iter().filter(|p| p.parent == parent).cloned());
        next += 1;
    }
    found
}

fn processes() -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok())
        .filter_map(|stat| parse_stat(&stat))
        .collect()
}

/// Reads `id (name) state parent …`; none for a zombie. The name may contain anything, parentheses and spaces included.
fn parse_stat(stat: &str) -> Option<Process> {
    let (id, rest) = stat.split_once(" (")?;
    let (name, rest) = rest.rsplit_once(") ")?;
    let mut fields = rest.split(' ');
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    let is_dead = matches!(state, "Z" | "X");
    (!is_dead).then_some(Process {
        id: id.parse().ok()?,
        parent,
        name: name.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_is_read_whole() {
        let process = parse_stat("42 (a) S (b) S 7 42 42 0 -1").unwrap();
        assert_eq!((process.id, process.parent), (42, 7));
        assert_eq!(process.name, "a) S (b");
    }

    #[test]
    fn the_dead_are_left_alone() {
        assert!(parse_stat("42 (gone) Z 7 42 42 0 -1").is_none());
    }

    #[test]
    fn we_are_in_our_own_tree() {
        let own = std::process::id();
        assert_eq!(tree(own).first().map(|process| process.id), Some(own));
    }

    #[test]
    fn a_child_is_in_the_tree_until_it_is_killed() {
        let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
        assert!(tree(std::process::id()).iter().any(|p| p.id == child.id()));
        kill_tree(child.id());
        assert!(!child.wait().unwrap().success());
        assert!(tree(child.id()).is_empty());
    }
}
