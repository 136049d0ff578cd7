//! Why a request was refused, in words that people can act on.

use std::fmt::Write;

use datafusion_common::DataFusionError;
use datafusion_execution::memory_pool::MemoryConsumer;
use mem_pool::{Limit, Reason, Refusal};

use super::HearthMemoryPool;
use super::books::{Account, Books};
use crate::shared::Room;

/// Other tasks that a message names.
const OTHER_TASKS: usize = 2;

/// What stood in the way.
#[derive(Debug)]
pub(super) enum Bar {
    /// The ledger.
    Ledger(Refusal),
    /// That many bytes were refused to one that can't help itself, and are left to it.
    Pressure(u64),
    /// That many bytes are left to its siblings, and to those that would fail.
    Reserve(u64),
    /// It was told to spill, and has not done so.
    Spilling,
    /// That many bytes are overdrawn, and repaid first.
    Overdraft(u64),
}

/// A request that is refused.
#[derive(Debug)]
pub(super) struct Refused {
    bar: Bar,
    /// What could have been granted of it, in bytes.
    granted: u64,
}

impl Refused {
    pub(super) fn of(bar: Bar) -> Self {
        Self { bar, granted: 0 }
    }

    pub(super) fn by_ledger(refusal: Refusal) -> Self {
        let granted = refusal.kept().map_or(0, |kept| kept.bytes());
        Self {
            bar: Bar::Ledger(refusal),
            granted,
        }
    }

    /// The ledger would have granted only so much.
    pub(super) fn short(refusal: Refusal, granted: u64) -> Self {
        Self {
            bar: Bar::Ledger(refusal),
            granted,
        }
    }

    /// Whether waiting for other tasks could help.
    pub(super) fn would_wait(&self) -> bool {
        matches!(&self.bar, Bar::Ledger(refusal) if matches!(refusal.reason(), Reason::WouldWait))
    }
}

impl HearthMemoryPool {
    /// The error for a request that is refused. DataFusion's operators spill on `ResourcesExhausted`,
    /// and look for it at the top only; what can't be helped by spilling is another error.
    pub(super) fn explain(
        &self,
        consumer: &MemoryConsumer,
        asked: u64,
        refused: Refused,
    ) -> DataFusionError {
        if let Bar::Ledger(refusal) = &refused.bar {
            match refusal.reason() {
                Reason::Cancelled => {
                    let message = format!("{refusal}");
                    return DataFusionError::Execution(message);
                }
                Reason::Evict(_) => {
                    let Bar::Ledger(refusal) = refused.bar else {
                        unreachable!("matched above");
                    };
                    return DataFusionError::External(Box::new(refusal));
                }
                _ => {}
            }
        }
        DataFusionError::ResourcesExhausted(self.message(consumer, asked, &refused))
    }

    /// Asked, granted, free, the limit that bit, N, who holds the most, and what would have helped.
    fn message(&self, consumer: &MemoryConsumer, asked: u64, refused: &Refused) -> String {
        let room = self.room();
        let mut text = String::with_capacity(512);
        // Writing to a string can't fail.
        let mut say = |arguments: std::fmt::Arguments<'_>| {
            text.write_fmt(arguments).unwrap_or_default();
        };
        {
            let books = self.books.lock();
            let held = books
                .account(consumer.id())
                .map_or(0, |account| account.held);
            say(format_args!(
                "Hearth refused {asked} bytes to {} of {}, which holds {held}: granted {}, free {} of {}, ",
                consumer.name(),
                self.task,
                refused.granted,
                room.free_for(0).unwrap_or(0),
                room.total,
            ));
            say(format_args!(
                "active tasks {}, at most {} bytes each; ",
                room.active_tasks, room.share
            ));
            bar(&refused.bar, &mut say);
            let key = self.remedy(&refused.bar);
            say(format_args!("; {key} would have helped"));
            holders(&books, &mut say);
        }
        self.other_tasks(&room, &mut say);
        text
    }

    /// The setting that would have helped.
    fn remedy(&self, bar: &Bar) -> &'static str {
        match bar {
            Bar::Ledger(refusal) => refusal.remedy(),
            Bar::Pressure(_) | Bar::Reserve(_) | Bar::Spilling | Bar::Overdraft(_) => {
                let policy = self.shared.ledger().policy();
                policy.remedy(self.shared.mode(), Limit::ExecutionFull)
            }
        }
    }

    fn other_tasks(&self, room: &Room, say: &mut impl FnMut(std::fmt::Arguments<'_>)) {
        if room.active_tasks < 2 {
            return;
        }
        let (ledger, mode) = (self.shared.ledger(), self.shared.mode());
        let largest = ledger.largest_holders(mode, OTHER_TASKS.saturating_add(1));
        let others = largest.iter().filter(|(task, _)| *task != self.task);
        for (task, bytes) in others.take(OTHER_TASKS) {
            say(format_args!("; {task} holds {bytes}"));
        }
    }
}

fn bar(bar: &Bar, say: &mut impl FnMut(std::fmt::Arguments<'_>)) {
    match bar {
        Bar::Ledger(refusal) => match refusal.reason() {
            Reason::Limit(limit) => say(format_args!("{limit}")),
            Reason::WouldWait => say(format_args!(
                "other tasks hold what it is entitled to, and it must not wait here"
            )),
            Reason::Deadlock => say(format_args!("everybody who holds memory is waiting too")),
            Reason::Deadline => say(format_args!(
                "other tasks did not give back in time what it is entitled to"
            )),
            other => say(format_args!("{other:?}")),
        },
        Bar::Pressure(bytes) => say(format_args!(
            "it is to spill for one that was refused {bytes} bytes and can't"
        )),
        Bar::Reserve(bytes) => say(format_args!(
            "{bytes} bytes are left to its siblings and to those that would fail"
        )),
        Bar::Spilling => say(format_args!(
            "it was told to spill, and has not done so yet"
        )),
        Bar::Overdraft(bytes) => say(format_args!(
            "an overdraft of {bytes} bytes is repaid first"
        )),
    }
}

fn holders(books: &Books, say: &mut impl FnMut(std::fmt::Arguments<'_>)) {
    let largest = books.largest();
    if largest[0].is_some() {
        say(format_args!("; largest holders:"));
    }
    for Account {
        name,
        held,
        can_spill,
        ..
    } in largest.into_iter().flatten()
    {
        let why = if *can_spill {
            "spills when it is refused"
        } else {
            "can't spill"
        };
        say(format_args!(" {name} with {held} ({why})"));
    }
}
