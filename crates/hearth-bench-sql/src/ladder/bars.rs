//! The bars of the ladder.

use crate::cell::{Cell, mib};
use crate::contender::Contender;
use crate::report::Verdict;

/// The verdicts on the cells of one query and limit.
pub(crate) fn verdicts(cells: &[Cell]) -> Vec<Verdict> {
    let of = |contender| cells.iter().find(|cell| cell.contender == contender);
    let mut verdicts = Vec::new();
    if let Some(tuned) = of(Contender::HearthTuned) {
        verdicts.extend(finished(tuned, cells));
        verdicts.extend(spilled(tuned, cells));
        verdicts.push(peak(tuned));
    }
    if let Some(plain) = of(Contender::Hearth) {
        verdicts.extend(finished_plainly(plain, cells));
        verdicts.push(peak(plain));
    }
    verdicts
}

fn stock(cells: &[Cell]) -> impl Iterator<Item = &Cell> {
    cells.iter().filter(|cell| cell.contender.is_stock())
}

/// Tuned, it finishes each time where a stock pool, with either setting, does so four times of five.
fn finished(ours: &Cell, cells: &[Cell]) -> Option<Verdict> {
    let peer = stock(cells).filter(|cell| cell.is_likely());
    let peer = peer.max_by_key(|cell| cell.finished)?;
    Some(Verdict {
        case: ours.case.clone(),
        bar: "hearth tuned finishes",
        holds: ours.is_sure(),
        because: format!(
            "{} of {}, {} {}",
            ours.finished, ours.runs, peer.pool, peer.finished
        ),
    })
}

/// Tuned, it spills no more than the stock pool that spills least of those that finish each time.
fn spilled(ours: &Cell, cells: &[Cell]) -> Option<Verdict> {
    let peer = stock(cells).filter(|cell| cell.is_sure());
    let peer = peer.min_by_key(|cell| cell.spilled)?;
    Some(Verdict {
        case: ours.case.clone(),
        bar: "hearth tuned spills no more",
        holds: ours.is_sure() && ours.spilled <= peer.spilled,
        because: format!(
            "{:.2} MiB, {} {:.2} MiB",
            mib(ours.spilled),
            peer.pool,
            mib(peer.spilled)
        ),
    })
}

/// With DataFusion's settings it finishes each time where a stock pool with the same settings does.
fn finished_plainly(ours: &Cell, cells: &[Cell]) -> Option<Verdict> {
    let mut peers = cells
        .iter()
        .filter(|cell| matches!(cell.contender, Contender::Stock(_)));
    let peer = peers.find(|cell| cell.is_sure())?;
    Some(Verdict {
        case: ours.case.clone(),
        bar: "hearth finishes with DataFusion's settings",
        holds: ours.is_sure(),
        because: format!(
            "{} of {}, {} {}",
            ours.finished, ours.runs, peer.pool, peer.finished
        ),
    })
}

/// What is reserved stays within the limit, overdraft counted.
fn peak(ours: &Cell) -> Verdict {
    Verdict {
        case: ours.case.clone(),
        bar: "peak within the limit",
        holds: ours.peak <= ours.limit,
        because: format!("{}: {} of {} bytes", ours.pool, ours.peak, ours.limit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contender::Stock;

    fn cell(contender: Contender, finished: usize, spilled: u64) -> Cell {
        Cell {
            case: "case".to_owned(),
            pool: contender.name(),
            contender,
            limit: 64 << 20,
            runs: 10,
            finished,
            spilled,
            files: 0,
            seconds: 1.0,
            refusals: 0,
            peak: 64 << 20,
            wrong: 0,
            failure: None,
        }
    }

    fn missed(cells: &[Cell]) -> Vec<&'static str> {
        let verdicts = verdicts(cells).into_iter();
        verdicts
            .filter(|verdict| !verdict.holds)
            .map(|verdict| verdict.bar)
            .collect()
    }

    #[test]
    fn bars_are_set_by_the_stock_pools_that_finish() {
        let greedy = cell(Contender::Stock(Stock::Greedy), 7, 10);
        let fair = cell(Contender::StockLowered(Stock::FairSpill), 10, 80);
        let ours = |finished, spilled| {
            [
                cell(Contender::HearthTuned, finished, spilled),
                cell(Contender::Hearth, 0, 0),
                greedy.clone(),
                fair.clone(),
            ]
        };
        assert_eq!(missed(&ours(10, 80)), [""; 0]);
        assert_eq!(missed(&ours(10, 81)), ["hearth tuned spills no more"]);
        let both = ["hearth tuned finishes", "hearth tuned spills no more"];
        assert_eq!(missed(&ours(9, 10)), both);
    }

    #[test]
    fn the_peak_includes_overdraft() {
        let mut ours = cell(Contender::HearthTuned, 10, 0);
        ours.peak += 1;
        assert_eq!(missed(&[ours]), ["peak within the limit"]);
    }
}
