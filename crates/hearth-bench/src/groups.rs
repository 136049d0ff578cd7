//! The groups of cases, a file each.

mod keys;
mod pages;
mod pool;
mod sort;
mod store;

use clap::ValueEnum;

use crate::report::Report;

/// What is measured together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Group {
    /// Counting bytes: reservations, refusals, hand-over.
    Pool,
    /// Getting memory and giving it back.
    Pages,
    /// Sorting prefixes and pointers in memory.
    Keys,
    /// `hearth sort` as a whole program.
    Sort,
    /// Cached blocks.
    Store,
}

impl Group {
    /// All of them, in the order in which they run.
    pub(crate) const ALL: &[Self] = &[Self::Pool, Self::Pages, Self::Keys, Self::Store, Self::Sort];

    /// Runs the group's cases, each of which adds its row.
    pub(crate) fn run(self, report: &mut Report) {
        match self {
            Self::Pool => pool::run(report),
            Self::Pages => pages::run(report),
            Self::Keys => keys::run(report),
            Self::Sort => sort::run(report),
            Self::Store => store::run(report),
        }
    }
}
