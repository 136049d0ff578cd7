//! Processes of `hearth-executor` that a test starts, reads, and ends.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use mem_sync::Mutex;

/// One process, killed when this is dropped.
pub(crate) struct Process {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
    readers: Vec<JoinHandle<()>>,
}

impl Process {
    /// Starts one and waits until it says where it listens.
    pub(crate) async fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_hearth-executor"))
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = Arc::default();
        let readers = vec![
            read(child.stdout.take().unwrap(), &lines),
            read(child.stderr.take().unwrap(), &lines),
        ];
        let process = Self {
            child,
            lines,
            readers,
        };
        process
            .line(|line| line.starts_with("hearth-executor: "))
            .await;
        process
    }

    /// A scheduler on any port, and its address.
    pub(crate) async fn scheduler(settings: &Path, more: &[&str]) -> (Self, String) {
        let settings = settings.to_str().unwrap();
        let mut arguments = vec!["scheduler", "-c", settings, "--listen", "127.0.0.1:0"];
        arguments.extend(more);
        let process = Self::start(&arguments).await;
        let line = process.line(|line| line.contains("scheduler on ")).await;
        let address = line.rsplit(' ').next().unwrap().to_owned();
        (process, address)
    }

    /// An executor with two cores on any ports.
    pub(crate) async fn executor(settings: &Path, scheduler: &str, more: &[&str]) -> Self {
        let settings = settings.to_str().unwrap();
        let mut arguments = vec!["-c", settings, "--scheduler", scheduler];
        arguments.extend(["--port", "0", "--task-port", "0", "--vcores", "2"]);
        arguments.extend(more);
        Self::start(&arguments).await
    }

    /// The last line that fits, as soon as there is one.
    pub(crate) async fn line(&self, fits: impl Fn(&str) -> bool) -> String {
        loop {
            if let Some(line) = self.last(&fits) {
                return line;
            }
            // The test's deadline ends this, and so does the end of the process.
            assert!(!self.has_ended(), "it is over: {:#?}", self.lines.lock());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
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

    fn has_ended(&self) -> bool {
        self.readers.iter().all(JoinHandle::is_finished)
    }

    /// Asks it to end, waits for that, and gives what it has written.
    pub(crate) async fn end(mut self) -> (ExitStatus, Vec<String>) {
        self.signal("-TERM");
        while self.child.try_wait().unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
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
