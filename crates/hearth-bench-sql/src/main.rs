//! DataFusion's queries under a limit: Hearth's pool beside the stock ones.
//!
//! `cargo xtask bench datafusion` builds and starts it. Two kinds of cases: `ladder`, three queries over a
//! table in memory under limits that shrink, and `tpch`, the 22 queries of TPC-H under parts of their own
//! peaks. A line for each case and pool, and a verdict for each bar; it ends with 1 where one is missed.
#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for the terminal: rows go to standard output, what it says of itself to standard error"
)]

mod cell;
mod contender;
mod ladder;
mod query;
mod refusals;
mod report;
mod tpch;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use contender::Contender;
use report::Report;

/// Runs DataFusion's queries under a limit, on Hearth's pool and on the stock ones.
#[derive(Debug, Parser)]
#[command(name = "hearth-bench-sql")]
struct Arguments {
    /// Only the cases whose names contain this, as in `ladder`, `ladder sort 64`, `tpch` or `tpch q18`.
    #[arg(long, default_value = "")]
    case: String,
    /// Only the pools of these names, as in `hearth tuned,greedy 1 MiB`; bars are judged by those that ran.
    #[arg(long, value_delimiter = ',')]
    pool: Vec<String>,
    /// How often each query runs; by default 10 times on the ladder, 5 times of TPC-H.
    #[arg(long)]
    runs: Option<usize>,
    /// TPC-H's scale; and the ladder's, of rows and limits alike.
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    /// Where TPC-H's tables are, or are put; by default a directory that is removed afterwards.
    #[arg(long, value_name = "DIRECTORY")]
    data: Option<PathBuf>,
    /// Seconds after which a query is taken to stand still.
    #[arg(long, value_name = "SECONDS", default_value_t = 20)]
    deadline: u64,
    /// Workers of the async runtime.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Writes the rows to FILE too, one JSON object a line.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

impl Arguments {
    fn contenders(&self) -> Vec<Contender> {
        let wanted = |contender: &Contender| {
            let name = contender.name();
            self.pool.is_empty() || self.pool.iter().any(|wanted| wanted == name)
        };
        Contender::all().filter(wanted).collect()
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("hearth-bench-sql: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &Arguments) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(arguments.threads)
        .enable_all()
        .build()?;
    let mut report = Report::new(arguments.case.clone(), arguments.json.as_deref())?;
    let contenders = arguments.contenders();
    let deadline = Duration::from_secs(arguments.deadline);
    ladder::run(
        &runtime,
        &contenders,
        (arguments.runs.unwrap_or(10), arguments.scale, deadline),
        &mut report,
    )?;
    let options = tpch::Options {
        scale: arguments.scale,
        directory: arguments.data.clone(),
        runs: arguments.runs.unwrap_or(5),
        deadline,
    };
    tpch::run(&runtime, &contenders, &options, &mut report)?;
    Ok(report.close())
}
