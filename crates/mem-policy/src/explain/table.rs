//! An explanation as two aligned tables: the rows, and the settings that they name.

use std::collections::BTreeSet;
use std::fmt;

use super::{KeyUse, Row};

/// The edge that a column is aligned at.
#[derive(Clone, Copy)]
enum Edge {
    Left,
    Right,
}

/// Writes the rows, a line each, with the names of the keys behind them.
pub(super) fn write_rows(f: &mut fmt::Formatter<'_>, rows: &[Row]) -> fmt::Result {
    let cells = rows.iter().map(|row| {
        let keys: Vec<&str> = row.keys.iter().map(|used| used.key).collect();
        let name = row.name.to_owned();
        [
            name,
            row.bytes.to_string(),
            row.size.clone(),
            row.arithmetic.clone(),
            keys.join(", "),
        ]
    });
    let headings = ["", "bytes", "size", "arithmetic", "keys"];
    let edges = [Edge::Left, Edge::Right, Edge::Right, Edge::Left, Edge::Left];
    write_table(f, headings, edges, cells.collect())
}

/// Writes every setting that the rows name, once, with its value and where it was written.
pub(super) fn write_settings(f: &mut fmt::Formatter<'_>, rows: &[Row]) -> fmt::Result {
    let mut seen = BTreeSet::new();
    let used = rows
        .iter()
        .flat_map(|row| &row.keys)
        .filter(|used| seen.insert(used.key));
    let cells = used.map(|used: &KeyUse| {
        let value = used.value.clone().unwrap_or_else(|| "–".to_owned());
        [used.key.to_owned(), value, used.origin.to_string()]
    });
    write_table(
        f,
        ["key", "value", "from"],
        [Edge::Left; 3],
        cells.collect(),
    )
}

/// Writes aligned columns; no line ends in blanks.
fn write_table<const N: usize>(
    f: &mut fmt::Formatter<'_>,
    headings: [&str; N],
    edges: [Edge; N],
    cells: Vec<[String; N]>,
) -> fmt::Result {
    let lines = || std::iter::once(headings.map(str::to_owned)).chain(cells.iter().cloned());
    let mut widths = [0; N];
    for line in lines() {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = (*width).max(cell.chars().count());
        }
    }
    for line in lines() {
        let padded = line
            .iter()
            .zip(widths)
            .zip(edges)
            .map(|((cell, width), edge)| match edge {
                Edge::Left => format!("{cell:<width$}"),
                Edge::Right => format!("{cell:>width$}"),
            });
        writeln!(f, "{}", padded.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}
