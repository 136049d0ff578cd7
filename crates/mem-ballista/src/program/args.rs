//! The command line of `hearth-executor`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ballista_core::config::TaskSchedulingPolicy;
use clap::{Args as Group, Parser, Subcommand, ValueEnum};
use mem_policy::MemoryConfig;

use super::Failure;

/// Run a Ballista executor, whose tasks share one memory budget
#[derive(Debug, Parser)]
#[command(
    name = "hearth-executor",
    version,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true
)]
pub(super) struct Args {
    #[command(subcommand)]
    other: Option<Other>,
    #[command(flatten)]
    executor: Option<ExecutorArgs>,
}

#[derive(Debug, Subcommand)]
enum Other {
    /// Run a Ballista scheduler, which plans for executors of one memory
    Scheduler(SchedulerArgs),
}

/// What the program is to be.
pub(super) enum Role {
    Executor(ExecutorArgs),
    Scheduler(SchedulerArgs),
}

impl Args {
    pub(super) fn role(self) -> Role {
        match (self.other, self.executor) {
            (Some(Other::Scheduler(args)), _) => Role::Scheduler(args),
            (None, Some(args)) => Role::Executor(args),
            (None, None) => unreachable!("an executor's arguments are required"),
        }
    }
}

/// The arguments of an executor.
#[derive(Debug, Group)]
pub(super) struct ExecutorArgs {
    /// Read settings from FILE: TOML, or the form of spark-defaults.conf
    #[arg(short = 'c', long = "config", value_name = "FILE")]
    pub(super) config: PathBuf,
    /// Join the scheduler there
    #[arg(long, value_name = "HOST:PORT", value_parser = host_and_port)]
    pub(super) scheduler: (String, u16),
    /// Wait so many seconds for the scheduler
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    pub(super) wait: Duration,
    /// How tasks come, which has to be as the scheduler has it
    #[arg(long, value_enum, default_value_t = Policy::Push)]
    pub(super) policy: Policy,
    /// Run tasks on N cores; as many as there are
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) vcores: Option<u16>,
    /// Listen on this address
    #[arg(long, value_name = "IP", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    pub(super) bind: IpAddr,
    /// Be known to others by this name; else by the address that the scheduler sees
    #[arg(long, value_name = "HOST")]
    pub(super) advertise: Option<String>,
    /// Serve shuffles on this port; 0: any
    #[arg(long, value_name = "PORT", default_value = "50051")]
    pub(super) port: u16,
    /// Take tasks on this port, where they are pushed; 0: any
    #[arg(long, value_name = "PORT", default_value = "50052")]
    pub(super) task_port: u16,
    /// Put shuffle files into a directory of this one; else of the first of hearth.spill.dirs, or of the
    /// system's for temporary files
    #[arg(long, value_name = "DIRECTORY")]
    pub(super) work_dir: Option<PathBuf>,
    /// Tell the scheduler every so many seconds that it is alive
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    pub(super) heartbeat: Duration,
}

/// The arguments of a scheduler.
#[derive(Debug, Group)]
pub(super) struct SchedulerArgs {
    /// The executors' settings: plans hold in memory only what fits a task there
    #[arg(short = 'c', long = "config", value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// The cores of an executor, between whose tasks its memory is shared
    #[arg(long, value_name = "N", default_value = "2", requires = "config",
          value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) vcores: u16,
    /// Listen there; port 0: any
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:50050")]
    pub(super) listen: SocketAddr,
    /// Be known to executors by this name; else by the address on which it listens
    #[arg(long, value_name = "HOST")]
    pub(super) advertise: Option<String>,
    /// How tasks come to executors
    #[arg(long, value_enum, default_value_t = Policy::Push)]
    pub(super) policy: Policy,
    /// Take an executor for dead that has not been heard of for so many seconds
    #[arg(long, value_name = "SECONDS", default_value = "180", value_parser = seconds)]
    pub(super) executor_timeout: Duration,
}

/// How tasks come to executors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Policy {
    /// The scheduler connects to the executors
    Push,
    /// The executors ask the scheduler, which needs no way to them
    Pull,
}

impl From<Policy> for TaskSchedulingPolicy {
    fn from(policy: Policy) -> Self {
        match policy {
            Policy::Push => Self::PushStaged,
            Policy::Pull => Self::PullStaged,
        }
    }
}

/// Reads the file with the settings.
pub(super) fn settings(path: &PathBuf) -> Result<MemoryConfig, Failure> {
    MemoryConfig::from_file(path).map_err(Failure::Config)
}

fn host_and_port(text: &str) -> Result<(String, u16), String> {
    let expected = || "expected HOST:PORT".to_owned();
    let (host, port) = text.rsplit_once(':').ok_or_else(expected)?;
    let port = port.parse().map_err(|_not_a_port| expected())?;
    if host.is_empty() {
        return Err(expected());
    }
    Ok((host.to_owned(), port))
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("expected a number of seconds, 1 at least".to_owned()),
        Ok(seconds) => Ok(Duration::from_secs(seconds)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Args, clap::Error> {
        Args::try_parse_from(line.split(' '))
    }

    #[test]
    fn an_executor_needs_settings_and_a_scheduler() {
        let line = "hearth-executor -c hearth.toml --scheduler box:50050 --port 0";
        let Role::Executor(args) = parse(line).unwrap().role() else {
            panic!("no subcommand");
        };
        assert_eq!(args.scheduler, ("box".to_owned(), 50_050));
        assert_eq!((args.port, args.task_port), (0, 50_052));
        for wrong in [
            "hearth-executor",
            "hearth-executor -c hearth.toml",
            "hearth-executor -c hearth.toml --scheduler box",
            "hearth-executor -c hearth.toml --scheduler :50050",
            "hearth-executor -c hearth.toml --scheduler box:50050 --vcores 0",
            "hearth-executor -c hearth.toml --scheduler box:50050 --wait 0",
            "hearth-executor -c hearth.toml scheduler",
            "hearth-executor scheduler --vcores 2",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_scheduler_needs_nothing() {
        let Role::Scheduler(args) = parse("hearth-executor scheduler").unwrap().role() else {
            panic!("the subcommand");
        };
        assert_eq!(args.listen.port(), 50_050);
        assert_eq!(args.policy, Policy::Push);
    }
}
