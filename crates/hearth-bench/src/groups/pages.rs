//! TBD

use crate::report::Report;

pub(super) fn run(_report: &mut Report) {}
