//! The recorded form, version 2: the steps of one of our own ledgers, in the order of its lock.

use mem_pool::{Action, ActionOutcome, Kind, LedgerStep, PoolLevels, TaskId};
use serde::{Deserialize, Serialize};

use super::Mode;

/// What memory is held for, as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// A task's work.
    Execution,
    /// A cached block.
    Storage,
    /// A block that is being unrolled.
    Unroll,
}

impl From<Kind> for Purpose {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Execution => Self::Execution,
            Kind::Storage => Self::Storage,
            Kind::Unroll => Self::Unroll,
        }
    }
}

/// What was done to the ledger. Sizes are bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case", deny_unknown_fields)]
#[expect(missing_docs, reason = "the fields are described at mem_pool::Action")]
pub enum StepInput {
    /// A request came.
    Arrive {
        purpose: Purpose,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        task: Option<i64>,
        mode: Mode,
        bytes: u64,
        #[serde(default, skip_serializing_if = "is_zero")]
        unrolling: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        taken_over: Option<u64>,
        may_wait: bool,
    },
    /// The ticket of a queued request looked.
    Revisit { request: u64, may_wait: bool },
    /// The eviction for a queued request is over.
    Settle {
        request: u64,
        freed: u64,
        failed: bool,
    },
    /// The ticket of a queued request was dropped.
    Abandon { request: u64 },
    /// A queued request was ended early.
    GiveUp { request: u64, deadline: bool },
    /// Memory was given back.
    Release {
        purpose: Purpose,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        task: Option<i64>,
        mode: Mode,
        bytes: u64,
    },
    /// All that a task holds was given back, of both modes.
    ReleaseAll { task: i64 },
    /// Execution memory was given back, and is kept for one request.
    ReleaseToCredit {
        credit: u64,
        task: i64,
        mode: Mode,
        bytes: u64,
    },
    /// What a credit held falls free.
    DropCredit { credit: u64 },
    /// A request that is still to arrive took over what a credit held.
    TakeOver {
        credit: u64,
        number: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        task: Option<i64>,
        mode: Mode,
        bytes: u64,
    },
    /// A request that took over a credit was dropped before it arrived.
    Return { number: u64 },
    /// A task is known from now on.
    RegisterTask {
        task: i64,
        #[serde(default = "one", skip_serializing_if = "is_one")]
        weight: u32,
    },
    /// A task is over.
    EndTask { task: i64 },
    /// Every waiter is to be looked at.
    NotifyAll {},
    /// Memory in use outside the ledger changed.
    SetUnmanaged { mode: Mode, bytes: u64 },
    /// A total changed.
    SetLimit { mode: Mode, total: u64 },
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature is serde's"
)]
fn is_zero(bytes: &u64) -> bool {
    *bytes == 0
}

fn one() -> u32 {
    1
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature is serde's"
)]
fn is_one(weight: &u32) -> bool {
    *weight == 1
}

impl From<&Action> for StepInput {
    fn from(action: &Action) -> Self {
        Self::of_request(action).unwrap_or_else(|| Self::of_books(action))
    }
}

impl StepInput {
    /// What is done to one request on its way; none where it is something else.
    fn of_request(action: &Action) -> Option<Self> {
        Some(match *action {
            Action::Arrive {
                kind,
                task,
                mode,
                bytes,
                unrolling,
                taken_over,
                may_wait,
            } => Self::Arrive {
                purpose: kind.into(),
                task: task.map(TaskId::get),
                mode: mode.into(),
                bytes,
                unrolling,
                taken_over,
                may_wait,
            },
            Action::Revisit { request, may_wait } => Self::Revisit { request, may_wait },
            Action::Settle {
                request,
                freed,
                failed,
            } => Self::Settle {
                request,
                freed,
                failed,
            },
            Action::Abandon { request } => Self::Abandon { request },
            Action::GiveUp { request, deadline } => Self::GiveUp { request, deadline },
            Action::TakeOver {
                credit,
                number,
                task,
                mode,
                bytes,
            } => Self::TakeOver {
                credit,
                number,
                task: task.map(TaskId::get),
                mode: mode.into(),
                bytes,
            },
            Action::Return { number } => Self::Return { number },
            _ => return None,
        })
    }

    /// What is done to the books.
    fn of_books(action: &Action) -> Self {
        match *action {
            Action::Release {
                task,
                mode,
                kind,
                bytes,
            } => Self::Release {
                purpose: kind.into(),
                task: task.map(TaskId::get),
                mode: mode.into(),
                bytes,
            },
            Action::ReleaseAll { task } => Self::ReleaseAll { task: task.get() },
            Action::ReleaseToCredit {
                credit,
                task,
                mode,
                bytes,
            } => Self::ReleaseToCredit {
                credit,
                task: task.get(),
                mode: mode.into(),
                bytes,
            },
            Action::DropCredit { credit } => Self::DropCredit { credit },
            Action::RegisterTask { task, weight } => Self::RegisterTask {
                task: task.get(),
                weight,
            },
            Action::EndTask { task } => Self::EndTask { task: task.get() },
            Action::SetUnmanaged { mode, bytes } => Self::SetUnmanaged {
                mode: mode.into(),
                bytes,
            },
            Action::SetLimit { mode, total } => Self::SetLimit {
                mode: mode.into(),
                total,
            },
            Action::NotifyAll => Self::NotifyAll {},
            Action::Arrive { .. }
            | Action::Revisit { .. }
            | Action::Settle { .. }
            | Action::Abandon { .. }
            | Action::GiveUp { .. }
            | Action::TakeOver { .. }
            | Action::Return { .. } => unreachable!("it is something that is done to a request"),
        }
    }
}

/// What came of a step, and the books after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StepOutput {
    /// Bytes granted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub granted: Option<u64>,
    /// The number under which the request is queued.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queued: Option<u64>,
    /// Bytes that have to be evicted for it first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evict: Option<u64>,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<&'static str>,
    /// Bytes given back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub released: Option<u64>,
    /// The books.
    pub state: StepState,
}

/// The books after a step: by mode `[storage pool size, storage used, execution pool size, execution
/// used]`, and what is kept apart for requests on their way, `[storage, execution]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "described above")]
pub struct StepState {
    pub on: [u64; 4],
    pub off: [u64; 4],
    pub kept_on: [u64; 2],
    pub kept_off: [u64; 2],
    /// N on heap and off heap.
    pub active: [u64; 2],
    /// Requests that are queued.
    pub queued: u64,
}

impl From<&LedgerStep> for StepOutput {
    fn from(step: &LedgerStep) -> Self {
        let mut output = Self {
            granted: None,
            queued: None,
            evict: None,
            refused: None,
            released: None,
            state: StepState::of(step),
        };
        match step.outcome {
            ActionOutcome::Done => {}
            ActionOutcome::Granted(bytes) => output.granted = Some(bytes),
            ActionOutcome::Parked { request } => output.queued = Some(request),
            ActionOutcome::Evict { request, need } => {
                (output.queued, output.evict) = (Some(request), Some(need));
            }
            ActionOutcome::Refused(why) => output.refused = Some(why),
            ActionOutcome::Released(bytes) => output.released = Some(bytes),
        }
        output
    }
}

impl StepState {
    fn of(step: &LedgerStep) -> Self {
        let pools = |levels: &PoolLevels| {
            [
                levels.storage_pool,
                levels.storage_used,
                levels.execution_pool,
                levels.execution_used,
            ]
        };
        let kept = |levels: &PoolLevels| [levels.storage_kept, levels.execution_kept];
        let (on, off) = (&step.on_heap, &step.off_heap);
        Self {
            on: pools(on),
            off: pools(off),
            kept_on: kept(on),
            kept_off: kept(off),
            active: [on.active_tasks, off.active_tasks],
            queued: step.waiting,
        }
    }
}
