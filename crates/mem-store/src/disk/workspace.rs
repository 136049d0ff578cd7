//! The memory that the disk tier works in, taken when it is made.

use mem_block::MemoryBlock;
use mem_policy::MemoryManager;
use mem_pool::{Ask, Reservation};
use mem_spill::{Decoders, Encoder, SpillError, SpillOptions};
use mem_sync::{Condvar, Mutex};

use super::DiskOptions;
use crate::error::StoreError;
use crate::overdraft::{Overdraft, Overdrawn};

/// Encoders for writing, and decoders and blocks for reading.
pub(super) struct Workspace {
    encoders: Mutex<Vec<Encoder<Room>>>,
    /// Notified, once each, when an encoder is put back.
    returned: Condvar,
    decoders: Decoders<Room>,
    reader_blocks: Mutex<Vec<Room>>,
    block_bytes: usize,
    extra: Overdraft,
    /// Last: the memory goes back before what was counted for it.
    reservation: Reservation,
}

/// Memory to work in.
#[derive(Debug)]
pub(super) enum Room {
    /// Of the workspace.
    Own(MemoryBlock),
    /// Beyond it.
    Extra(Overdrawn),
}

impl AsRef<[u8]> for Room {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Own(block) => block.as_slice(),
            Self::Extra(bytes) => bytes.as_ref(),
        }
    }
}

impl AsMut<[u8]> for Room {
    fn as_mut(&mut self) -> &mut [u8] {
        match self {
            Self::Own(block) => block.as_mut_slice(),
            Self::Extra(bytes) => bytes.as_mut(),
        }
    }
}

fn length(bytes: usize) -> u64 {
    u64::try_from(bytes).expect("a length fits 64 bits")
}

/// What a writer and a reader take, in bytes: lent, and from the codec.
fn sizes(options: SpillOptions) -> (u64, u64) {
    let writer = [options.write_buffer_bytes(), options.write_context_bytes()];
    let reader = [
        options.block_bytes(),
        options.scratch_bytes(),
        options.read_context_bytes(),
    ];
    // Each is some megabytes at most.
    (
        writer.map(length).iter().sum(),
        reader.map(length).iter().sum(),
    )
}

impl Workspace {
    pub(super) fn new(
        manager: &dyn MemoryManager,
        options: &DiskOptions,
    ) -> Result<Self, StoreError> {
        let (writers, readers) = (options.writers.max(1), options.readers.max(1));
        let (writer, reader) = sizes(options.spill);
        let bytes = length(writers).saturating_mul(writer);
        let bytes = bytes.saturating_add(length(readers).saturating_mul(reader));
        let ask = Ask::storage(options.mode, bytes, None);
        let reservation = manager.ledger().try_acquire(ask);
        let reservation = reservation.map_err(|refusal| no_workspace(bytes, refusal))?;
        let room = |size| {
            let block = manager.allocator(options.mode).allocate(length(size));
            block
                .map(Room::Own)
                .map_err(|error| no_workspace(bytes, error))
        };
        let rooms = |count, size| {
            (0..count)
                .map(|_| room(size))
                .collect::<Result<Vec<_>, _>>()
        };
        let spill = options.spill;
        let encoder = |room| Encoder::new(spill, room).map_err(|error| no_workspace(bytes, error));
        let encoders = rooms(writers, spill.write_buffer_bytes())?;
        let encoders = encoders
            .into_iter()
            .map(encoder)
            .collect::<Result<_, _>>()?;
        let scratch = match spill.scratch_bytes() {
            0 => Vec::new(),
            size => rooms(readers, size)?,
        };
        let decoders = Decoders::new(spill, scratch).map_err(|error| no_workspace(bytes, error))?;
        Ok(Self {
            encoders: Mutex::new(encoders),
            returned: Condvar::new(),
            decoders,
            reader_blocks: Mutex::new(rooms(readers, spill.block_bytes())?),
            block_bytes: spill.block_bytes(),
            extra: Overdraft::default(),
            reservation,
        })
    }

    pub(super) fn bytes(&self) -> u64 {
        self.reservation.bytes()
    }

    pub(super) fn extra_bytes(&self) -> u64 {
        self.extra.bytes()
    }

    /// Runs `work` with an encoder, waiting until another block has been written where none is free.
    pub(super) fn with_encoder<R>(&self, work: impl FnOnce(&mut Encoder<Room>) -> R) -> R {
        let mut encoders = self.encoders.lock();
        let encoder = loop {
            match encoders.pop() {
                Some(encoder) => break encoder,
                None => encoders = self.returned.wait(encoders),
            }
        };
        drop(encoders);
        let mut lease = Lease {
            workspace: self,
            encoder: Some(encoder),
        };
        work(lease.encoder.as_mut().expect("taken out on drop only"))
    }

    pub(super) fn decoders(&self) -> &Decoders<Room> {
        &self.decoders
    }

    /// A block to read with. Never waits: who reads may be reading something else already.
    pub(super) fn take_reader_block(&self) -> Room {
        let own = self.reader_blocks.lock().pop();
        own.unwrap_or_else(|| self.extra_room(self.block_bytes))
    }

    /// An encoder of its own for one put.
    pub(super) fn extra_encoder(&self, options: SpillOptions) -> Result<Encoder<Room>, SpillError> {
        Encoder::new(options, self.extra_room(options.write_buffer_bytes()))
    }

    fn extra_room(&self, size: usize) -> Room {
        Room::Extra(self.extra.draw(size))
    }

    pub(super) fn put_reader_block(&self, room: Room) {
        match room {
            Room::Own(_) => self.reader_blocks.lock().push(room),
            Room::Extra(_) => {}
        }
    }
}

fn no_workspace(bytes: u64, source: impl std::error::Error + Send + Sync + 'static) -> StoreError {
    StoreError::Workspace {
        bytes,
        source: Box::new(source),
    }
}

/// Puts the encoder back, also when the work panics.
struct Lease<'a> {
    workspace: &'a Workspace,
    encoder: Option<Encoder<Room>>,
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        self.workspace.encoders.lock().extend(self.encoder.take());
        self.workspace.returned.notify_one();
    }
}
