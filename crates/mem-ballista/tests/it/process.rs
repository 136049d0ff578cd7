//! Processes of `hearth-executor` that a test starts, reads, and ends.

use std::fmt::{self, Display};
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use mem_sync::Mutex;

use crate::support::is_small;

/// How long anything is waited for that a process says or does, at a small scale.
const PATIENCE: Duration = Duration::from_secs(60);
/// As many times as long at scale 1.
const AT_SCALE_1: u32 = 10;
/// How often that is looked for.
const LOOK: Duration = Duration::from_millis(5);

/// What one process has written so far.
type Lines = Arc<Mutex<Vec<String>>>;

/// One process, killed when this is dropped.
pub(crate) struct Process {
    name: String,
    child: Child,
    lines: Lines,
    readers: Vec<JoinHandle<()>>,
}

/// Waits for a while, and where that is in vain says for what, and what processes have written.
pub(crate) struct Patience {
    processes: Vec<(String, Lines)>,
}

impl Patience {
    /// For what these processes have to do with.
    pub(crate) fn with(processes: &[&Process]) -> Self {
        let lines = |process: &&Process| (process.name.clone(), Arc::clone(&process.lines));
        Self {
            processes: processes.iter().map(lines).collect(),
        }
    }

    /// Waits for `what`.
    ///
    /// # Panics
    /// It does not come.
    pub(crate) async fn wait<T>(&self, what: impl Display, wait: impl Future<Output = T>) -> T {
        let patience = if is_small() {
            PATIENCE
        } else {
            PATIENCE * AT_SCALE_1
        };
        match tokio::time::timeout(patience, wait).await {
            Ok(came) => came,
            Err(_elapsed) => panic!("in {patience:?} there was not: {what}; {self}"),
        }
    }

    /// Waits until it is so.
    ///
    /// # Panics
    /// It is not.
    pub(crate) async fn until(&self, what: impl Display, is_so: impl Fn() -> bool) {
        let wait = async {
            while !is_so() {
                tokio::time::sleep(LOOK).await;
            }
        };
        self.wait(what, wait).await;
    }
}

impl Display for Patience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, lines) in &self.processes {
            write!(f, "{name} has written {:#?} ", lines.lock())?;
        }
        Ok(())
    }
}

impl Process {
    /// Starts one and waits until it says where it listens.
    async fn start(name: &str, arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_hearth-executor"))
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = Lines::default();
        let readers = vec![
            read(child.stdout.take().unwrap(), &lines),
            read(child.stderr.take().unwrap(), &lines),
        ];
        let process = Self {
            name: format!("{name} ({})", child.id()),
            child,
            lines,
            readers,
        };
        process
            .line("it says where it listens", |line| {
                line.starts_with("hearth-executor: ")
            })
            .await;
        process
    }

    /// A scheduler on any port, and its address.
    pub(crate) async fn scheduler(settings: &Path, more: &[&str]) -> (Self, String) {
        let settings = settings.to_str().unwrap();
        let mut arguments = vec!["scheduler", "-c", settings, "--listen", "127.0.0.1:0"];
        arguments.extend(more);
        let process = Self::start("the scheduler", &arguments).await;
        let line = process.last(|line| line.contains("scheduler on ")).unwrap();
        let address = line.rsplit(' ').next().unwrap().to_owned();
        (process, address)
    }

    /// An executor with two cores on any ports.
    pub(crate) async fn executor(settings: &Path, scheduler: &str, more: &[&str]) -> Self {
        let settings = settings.to_str().unwrap();
        let mut arguments = vec!["-c", settings, "--scheduler", scheduler];
        arguments.extend(["--port", "0", "--task-port", "0", "--vcores", "2"]);
        arguments.extend(more);
        Self::start("an executor", &arguments).await
    }

    /// Waits for a line that fits.
    async fn line(&self, what: &str, fits: impl Fn(&str) -> bool) {
        let patience = Patience::with(&[self]);
        let said_or_over = || self.last(&fits).is_some() || self.has_ended();
        patience.until(what, said_or_over).await;
        assert!(self.last(&fits).is_some(), "it is over; {patience}");
    }

    /// The last line that fits.
    pub(crate) fn last(&self, fits: impl Fn(&str) -> bool) -> Option<String> {
        let lines = self.lines.lock();
        lines.iter().rev().find(|line| fits(line)).cloned()
    }

    /// All that it has written.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.lock().clone()
    }

    /// Whether it writes nothing any more.
    pub(crate) fn has_ended(&self) -> bool {
        self.readers.iter().all(JoinHandle::is_finished)
    }

    /// Asks it to end, waits for that, and gives what it has written.
    pub(crate) async fn end(mut self) -> (ExitStatus, Vec<String>) {
        self.signal("-TERM");
        let patience = Patience::with(&[&self]);
        let wait = async {
            while self.child.try_wait().unwrap().is_none() {
                tokio::time::sleep(LOOK).await;
            }
        };
        patience.wait("it ends when it is asked to", wait).await;
        for reader in self.readers.drain(..) {
            reader.join().unwrap();
        }
        (self.child.wait().unwrap(), self.lines())
    }

    /// Kills it.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args([name, &id]).status().unwrap();
        assert!(sent.success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn read(from: impl Read + Send + 'static, to: &Arc<Mutex<Vec<String>>>) -> JoinHandle<()> {
    let to = Arc::clone(to);
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            to.lock().push(line);
        }
    })
}

/// A number of a line's `key=value`.
pub(crate) fn number(line: &str, key: &str) -> u64 {
    let values = line.split([' ', ';']);
    let mut values = values.filter_map(|word| word.strip_prefix(key)?.strip_prefix('='));
    values.next().unwrap().parse().unwrap()
}
