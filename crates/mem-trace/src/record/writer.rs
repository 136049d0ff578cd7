//! The recorder's thread: puts the steps in order, and writes them.

use std::collections::BTreeMap;
use std::io::{self, Write};

use crossbeam_channel::Receiver;
use mem_pool::LedgerStep;
use mem_sync::Moment;
use mem_sync::thread::{Builder, JoinHandle};
use serde::Serialize;

use crate::format::{RecordingHeader, RecordingStart, StepInput, StepOutput};

/// A step on its way to the file.
#[derive(Debug)]
pub(super) struct Stamped {
    pub(super) number: u64,
    /// When it was told of, which is soon after it was made.
    pub(super) at: Moment,
    pub(super) step: LedgerStep,
}

#[derive(Debug)]
pub(super) enum Message {
    Step(Box<Stamped>),
    End,
}

#[derive(Serialize)]
struct HeaderLine<'a> {
    #[serde(rename = "in")]
    input: &'a RecordingHeader,
    out: RecordingStart,
}

#[derive(Serialize)]
struct StepLine {
    number: u64,
    at: u64,
    #[serde(rename = "in")]
    input: StepInput,
    out: StepOutput,
}

/// Writes the header, and starts the thread that writes the steps.
pub(super) fn start(
    mut output: impl Write + Send + 'static,
    header: &RecordingHeader,
    messages: Receiver<Message>,
) -> io::Result<JoinHandle<io::Result<u64>>> {
    write_line(
        &mut output,
        &HeaderLine {
            input: header,
            out: header.start(),
        },
    )?;
    Builder::new()
        .name("hearth-recorder".into())
        .spawn(move || write_steps(output, &messages))
}

/// Steps come in nearly the right order; those that come early are put aside.
fn write_steps(mut output: impl Write, messages: &Receiver<Message>) -> io::Result<u64> {
    let mut written = 0;
    let mut early = BTreeMap::new();
    while let Ok(Message::Step(stamped)) = messages.recv() {
        early.insert(stamped.number, stamped);
        while let Some(next) = early.remove(&(written + 1)) {
            let line = StepLine {
                number: next.number,
                at: next.at.as_nanos(),
                input: (&next.step.action).into(),
                out: (&next.step).into(),
            };
            write_line(&mut output, &line)?;
            written += 1;
        }
    }
    output.flush()?;
    Ok(written)
}

fn write_line(output: &mut impl Write, line: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *output, line)?;
    output.write_all(b"\n")
}
