//! Counting bytes: reservations, refusals, hand-over.

mod exact;
mod hand_over;
mod metered;
mod refused;
mod setting;

use crate::report::Report;

/// The peer of the whole group, as the rows name it.
const DATAFUSION: &str = "datafusion-execution 55";

pub(super) fn run(report: &mut Report) {
    report.say("pool: Spark's UnifiedMemoryManager takes 330 ns for acquire + release, 1271 ns with two threads");
    metered::run(report);
    exact::run(report);
    refused::run(report);
    hand_over::run(report);
}
