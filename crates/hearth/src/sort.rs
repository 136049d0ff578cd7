//! `hearth sort`: lines in byte order, under a memory budget.
//!
//! The way of a line: [`input`] hands chunks of whole lines to the tasks; each task's [`worker`]
//! inserts them into an external sorter, which spills when its share of the memory is used up; when
//! all input is read they [`gather`], and what they have is [merged](merge) by one more task, to which
//! all memory then belongs, into the [`output`]: where that is a file, in as many threads as there were
//! tasks and are processors, each a range of the lines. [`job`] is all of that in order; [`Plan`] says how large
//! everything is.
//!
//! All memory that grows with the budget or the data comes from the memory manager: read buffers,
//! pages, spill and merge buffers, output buffer.

mod args;
mod command;
mod counters;
mod error;
mod gather;
mod input;
mod job;
mod merge;
mod output;
mod plan;
mod progress;
mod report;
mod resident;
mod worker;

pub use args::{SortArgs, StatsForm};
pub use counters::{Counters, TaskCounts};
pub use error::SortFailure;
pub use input::Source;
pub use job::SortJob;
pub use plan::{Plan, PlanError, PlanRequest};
pub use progress::Progress;
pub use report::{PhaseTimes, SortReport, TaskReport};

// What `hearth shuffle` needs too.
pub(crate) use command::{command, show, sources, spill_dirs, stdout, warn};
pub(crate) use input::{Chunk, Splitter};
pub(crate) use plan::{budget, fraction};
pub(crate) use report::{bytes, seconds};
pub(crate) use resident::peak_resident_bytes;
