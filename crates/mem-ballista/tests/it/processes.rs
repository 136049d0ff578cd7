//! A scheduler and two executors as processes of their own.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ballista::prelude::{SessionConfigExt, SessionContextExt};
use ballista_core::utils::default_session_builder;
use datafusion::prelude::{SessionConfig, SessionContext};
use mem_sync::{Clock, SystemClock};
use tempfile::TempDir;

use crate::process::{Process, number};
use crate::support::{answer, answers, is_small, register, run, tables, text};

/// Settings, and a directory in which executors put whatever they put on disk.
struct Place {
    _directory: TempDir,
    settings: PathBuf,
    disk: PathBuf,
}

impl Place {
    fn new(memory: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let settings = directory.path().join("hearth.toml");
        let disk = directory.path().join("disk");
        fs::create_dir(&disk).unwrap();
        let text = format!(
            "\"spark.memory.offHeap.enabled\" = true\n\
             \"spark.memory.offHeap.size\" = {memory:?}\n\
             \"hearth.spill.dirs\" = [{disk:?}]\n"
        );
        fs::write(&settings, text).unwrap();
        Self {
            _directory: directory,
            settings,
            disk,
        }
    }

    fn files(&self) -> Vec<PathBuf> {
        files(&self.disk)
    }
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// A session as any client of Ballista has it, but for fewer partitions where there is little data.
async fn session(scheduler: &str) -> SessionContext {
    let config = SessionConfig::new_with_ballista();
    let partitions = if is_small() {
        4
    } else {
        config.target_partitions()
    };
    let state = default_session_builder(config.with_target_partitions(partitions)).unwrap();
    let url = format!("df://{scheduler}");
    let session = SessionContext::remote_with_state(&url, state).await;
    session.unwrap()
}

/// Whether an executor has said of the job that ran last there that none of its tasks runs, and no
/// memory is held; of one that has had no task yet, there is nothing to say.
fn is_at_rest(executor: &Process) -> bool {
    let line = executor.last(|line| line.contains("job="));
    line.is_none_or(|line| {
        line.contains("running=0") && number(&line, "held") == 0 && line.contains("memory 0 of")
    })
}

/// Whether an executor's ledger was empty at its end.
fn ends_with_nothing(lines: &[String]) -> bool {
    let ends = |line: &String| line.contains("ends: memory 0 of 67108864 granted");
    lines.iter().any(ends)
}

/// Four queries, with tasks pushed or pulled.
fn answers_are_right(policy: &'static str) {
    run(async move {
        let (place, clock) = (Place::new("64m"), SystemClock::new());
        let policy = ["--policy", policy];
        let (scheduler, address) = Process::scheduler(&place.settings, &policy).await;
        let one = Process::executor(&place.settings, &address, &policy).await;
        let two = Process::executor(&place.settings, &address, &policy).await;
        let session = session(&address).await;
        register(&session, tables()).await;
        for (query, rows) in answers().await {
            let began = clock.now();
            let got = answer(&session, text(*query)).await.unwrap();
            let seconds = clock.now().since(began).as_secs_f64();
            println!("query {query}: {seconds:.1} s");
            assert_eq!(&got, rows, "query {query}");
            // A task's memory is back before Ballista hears of its end, and that is said before, too.
            for executor in [&one, &two] {
                assert!(is_at_rest(executor), "{:#?}", executor.lines());
                println!("  {:?}", executor.last(|line| line.contains("job=")));
            }
        }
        for executor in [one, two] {
            let (status, lines) = executor.end().await;
            assert!(status.success(), "{lines:#?}");
            assert!(ends_with_nothing(&lines), "{lines:#?}");
            println!("{:?}", lines.iter().rfind(|line| line.contains("ends:")));
            let jobs = lines.iter().filter(|line| line.contains("succeeded="));
            assert!(
                jobs.clone().count() > 0,
                "each has had its part: {lines:#?}"
            );
            assert!(jobs.clone().all(|line| number(line, "leaks") == 0));
        }
        let (status, lines) = scheduler.end().await;
        assert!(status.success(), "{lines:#?}");
        assert_eq!(place.files(), [] as [PathBuf; 0]);
    });
}

#[test]
fn pushed_tasks_answer_right_and_leave_nothing() {
    answers_are_right("push");
}

#[test]
fn pulled_tasks_answer_right_and_leave_nothing() {
    answers_are_right("pull");
}

#[test]
fn a_killed_executor_leaves_the_others_memory_and_no_file() {
    run(async {
        let place = Place::new("64m");
        let timeout = ["--executor-timeout", "3"];
        let heartbeat = ["--heartbeat", "1"];
        let (scheduler, address) = Process::scheduler(&place.settings, &timeout).await;
        let one = Process::executor(&place.settings, &address, &heartbeat).await;
        let two = Process::executor(&place.settings, &address, &heartbeat).await;
        let session = session(&address).await;
        register(&session, tables()).await;
        let (query, rows) = &answers().await[2];

        let job = tokio::spawn(async move { answer(&session, text(*query)).await });
        // What some of its tasks have written is lost with it.
        let has_done = |line: &str| line.contains("succeeded=") && number(line, "succeeded") > 0;
        one.line(has_done).await;
        assert!(!job.is_finished(), "it is in the middle");
        one.kill();
        // What becomes of the job is up to Ballista: it runs what is missing again, or gives up.
        match job.await.unwrap() {
            Ok(got) => {
                println!("query {query}: finished by the other");
                assert_eq!(&got, rows);
            }
            Err(error) => println!("query {query}: {error}"),
        }
        while !is_at_rest(&two) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let (status, lines) = two.end().await;
        assert!(status.success(), "{lines:#?}");
        assert!(ends_with_nothing(&lines), "{lines:#?}");
        // The last executor that ends there removes what the killed one has left.
        assert_eq!(place.files(), [] as [PathBuf; 0]);
        drop(scheduler);
    });
}
