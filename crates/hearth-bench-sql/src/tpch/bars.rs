//! The bars of TPC-H.

use crate::cell::{Cell, mib};
use crate::contender::Contender;
use crate::report::{Report, Verdict};

/// How much longer Hearth may take than the fastest stock pool.
const SLOWER: f64 = 1.05;

/// Judges the cases, each with a cell for each pool.
pub(crate) fn verdicts(cases: &[Vec<Cell>], report: &mut Report) {
    let ours = Contender::HearthTuned;
    let has_ours = |cells: &Vec<Cell>| cells.iter().any(|cell| cell.contender == ours);
    if cases.is_empty() || !cases.iter().all(has_ours) {
        return;
    }
    for (contender, finished) in finished(cases) {
        report.say(&format!(
            "tpch: {} finishes {finished} of {}",
            contender.name(),
            cases.len()
        ));
    }
    for verdict in judge(cases) {
        report.judge(verdict);
    }
}

/// How many cases each pool finishes four times of five.
fn finished(cases: &[Vec<Cell>]) -> Vec<(Contender, usize)> {
    let finishes = |contender| {
        let cells = cases.iter().flatten();
        let cells = cells.filter(|cell| cell.contender == contender && cell.is_likely());
        (contender, cells.count())
    };
    Contender::all().map(finishes).collect()
}

fn judge(cases: &[Vec<Cell>]) -> Vec<Verdict> {
    let mut verdicts = vec![answers(cases), at_least_as_many(cases), more(cases)];
    let sure = |cells: &&Vec<Cell>| cells.iter().all(Cell::is_sure);
    let common: Vec<_> = cases.iter().filter(sure).collect();
    verdicts.extend(total(
        &common,
        "elapsed at most 1.05 of the fastest",
        |cell| cell.seconds,
        |ours, least| ours <= least * SLOWER,
    ));
    verdicts.extend(total(
        &common,
        "spills no more, in MiB",
        |cell| mib(cell.spilled),
        |ours, least| ours <= least,
    ));
    verdicts
}

fn verdict(bar: &'static str, holds: bool, because: String) -> Verdict {
    Verdict {
        case: "tpch".to_owned(),
        bar,
        holds,
        because,
    }
}

fn answers(cases: &[Vec<Cell>]) -> Verdict {
    let ours = cases
        .iter()
        .flatten()
        .filter(|cell| !cell.contender.is_stock());
    let wrong: usize = ours.map(|cell| cell.wrong).sum();
    let because = format!("{wrong} answers differ from those without a limit");
    verdict("right answers", wrong == 0, because)
}

/// Hearth, tuned, finishes what any stock pool finishes, four times of five.
fn at_least_as_many(cases: &[Vec<Cell>]) -> Verdict {
    let lost = cases.iter().filter_map(|cells| {
        let peer = cells
            .iter()
            .find(|cell| cell.contender.is_stock() && cell.is_likely())?;
        let ours = cells
            .iter()
            .find(|cell| cell.contender == Contender::HearthTuned)?;
        let words = format!(
            "{} ({} of {}, {})",
            ours.case, ours.finished, ours.runs, peer.pool
        );
        (!ours.is_likely()).then_some(words)
    });
    let lost: Vec<_> = lost.collect();
    let because = format!("{} lost: {}", lost.len(), lost.join(", "));
    verdict(
        "finishes what any stock pool does",
        lost.is_empty(),
        because,
    )
}

/// And more than any.
fn more(cases: &[Vec<Cell>]) -> Verdict {
    let all = finished(cases);
    let of = |contender| all.iter().find(|(found, _)| *found == contender);
    let ours = of(Contender::HearthTuned).map_or(0, |(_, count)| *count);
    let stock = all.iter().filter(|(contender, _)| contender.is_stock());
    let best = stock.map(|(_, count)| *count).max().unwrap_or(0);
    let because = format!("{ours} of {}, the best stock pool {best}", cases.len());
    verdict("finishes more", ours > best || ours == cases.len(), because)
}

/// A sum over the cases that all finish each time, beside the least of the stock pools' sums.
fn total(
    common: &[&Vec<Cell>],
    bar: &'static str,
    figure: impl Fn(&Cell) -> f64,
    holds: impl Fn(f64, f64) -> bool,
) -> Option<Verdict> {
    let sum = |contender| {
        let cells = common.iter().flat_map(|cells| cells.iter());
        cells
            .filter(|cell| cell.contender == contender)
            .map(&figure)
            .sum::<f64>()
    };
    let ran = |contender: &Contender| {
        let first = common.first();
        first.is_some_and(|cells| cells.iter().any(|cell| cell.contender == *contender))
    };
    let stock = Contender::all().filter(|contender| contender.is_stock() && ran(contender));
    let least = stock.map(|contender| (contender, sum(contender)));
    let (peer, least) = least.min_by(|(_, a), (_, b)| a.total_cmp(b))?;
    let ours = sum(Contender::HearthTuned);
    let because = format!(
        "{ours:.3}, {} {least:.3}, over {} cases that all finish",
        peer.name(),
        common.len()
    );
    Some(verdict(bar, holds(ours, least), because))
}
