//! A scheduler and two executors as processes of their own.

use std::fs;
use std::path::{Path, PathBuf};

use ballista::prelude::{SessionConfigExt, SessionContextExt};
use ballista_core::config::BALLISTA_ADAPTIVE_PLANNER_ENABLED;
use ballista_core::utils::default_session_builder;
use datafusion::prelude::{SessionConfig, SessionContext};
use mem_sync::{Clock, SystemClock};
use tempfile::TempDir;

use crate::process::{Patience, Process, number};
use crate::support::{answer, answers, is_small, register, run, tables, text};

/// How often a job is begun in order to meet it in its middle.
const TRIES: u32 = 20;

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
async fn session(scheduler: &str, adaptive: bool) -> SessionContext {
    let config = SessionConfig::new_with_ballista();
    let config = config.set_bool(BALLISTA_ADAPTIVE_PLANNER_ENABLED, adaptive);
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
    let line = executor.last(|line| line.contains("mem_ballista") && line.contains("job="));
    line.is_none_or(|line| {
        line.contains("running=0") && number(&line, "held") == 0 && line.contains("memory 0 of")
    })
}

/// Whether a line says that tasks have done what they were to do.
fn has_succeeded(line: &str) -> bool {
    line.contains("succeeded=") && number(line, "succeeded") > 0
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
        let session = session(&address, true).await;
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

/// Kills an executor in the middle of a job that is planned as it goes, or beforehand.
fn a_killed_executor_leaves_nothing(adaptive: bool) {
    run(async move {
        let place = Place::new("64m");
        let timeout = ["--executor-timeout", "5"];
        let heartbeat = ["--heartbeat", "1"];
        let (scheduler, address) = Process::scheduler(&place.settings, &timeout).await;
        let one = Process::executor(&place.settings, &address, &heartbeat).await;
        let two = Process::executor(&place.settings, &address, &heartbeat).await;
        let patience = Patience::with(&[&scheduler, &one, &two]);
        let session = session(&address, adaptive).await;
        register(&session, tables()).await;
        let (query, rows) = &answers().await[2];

        let mut tries = 1..=TRIES;
        let job = loop {
            let tried = tries.next();
            assert!(tried.is_some(), "it is always over too soon; {patience}");
            let (session, before) = (session.clone(), one.lines().len());
            let job = tokio::spawn(async move { answer(&session, text(*query)).await });
            // What some of its tasks have written is lost with it.
            let has_done = || {
                one.lines()
                    .iter()
                    .skip(before)
                    .any(|line| has_succeeded(line))
            };
            let wait = || has_done() || job.is_finished();
            patience.until("the first has done tasks", wait).await;
            if !job.is_finished() {
                break job;
            }
        };
        one.kill();
        // What becomes of the job is up to Ballista: it runs what is missing again, or gives up. Where it
        // does neither, the scheduler cancels it.
        match patience.wait("the job ends", job).await.unwrap() {
            Ok(got) => {
                println!("query {query}: finished by the other");
                assert_eq!(&got, rows);
            }
            Err(error) => println!("query {query}: {error}"),
        }
        let wait = || is_at_rest(&two) || two.has_ended();
        patience.until("the other holds nothing", wait).await;
        assert!(is_at_rest(&two), "{patience}");
        let (status, lines) = two.end().await;
        assert!(status.success(), "{lines:#?}");
        assert!(ends_with_nothing(&lines), "{lines:#?}");
        // The last executor that ends there removes what the killed one has left.
        assert_eq!(place.files(), [] as [PathBuf; 0]);
        drop(scheduler);
    });
}

#[test]
fn a_killed_executor_leaves_the_others_memory_and_no_file() {
    a_killed_executor_leaves_nothing(true);
}

#[test]
fn a_killed_executor_leaves_nothing_of_a_job_planned_beforehand_either() {
    a_killed_executor_leaves_nothing(false);
}
