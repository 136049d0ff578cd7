//! A page of a task, as a value.

use std::sync::Arc;

use mem_block::{AddressError, MemoryBlock, MemoryLocation, MemoryMode, PageAddress};
use mem_pool::Event;

use crate::charge::{Account, Charge};
use crate::consumer::ConsumerId;
use crate::manager::TaskMemoryManager;
use crate::page_table::Entry;

/// A page number that is taken; freed when dropped, unless it was given a page.
#[derive(Debug)]
pub(crate) struct PageNumber {
    task: Arc<TaskMemoryManager>,
    number: u16,
    epoch: u64,
    /// Nobody's any more: page and number stay until they are freed by number.
    left: bool,
}

impl PageNumber {
    /// The lowest free one; none where all are taken.
    pub(crate) fn take(task: &Arc<TaskMemoryManager>, epoch: u64) -> Option<Self> {
        let mut state = task.state.lock();
        if state.epoch != epoch {
            return None;
        }
        let number = state.pages.take_number()?;
        Some(Self {
            task: Arc::clone(task),
            number,
            epoch,
            left: false,
        })
    }
}

impl Drop for PageNumber {
    fn drop(&mut self) {
        if self.left {
            return;
        }
        let freed = {
            let mut state = self.task.state.lock();
            if state.epoch == self.epoch {
                state.pages.free(self.number)
            } else {
                None
            }
        };
        if let Some(entry) = freed {
            self.task.tell_page(self.number, entry.bytes, false);
        }
    }
}

/// A page: a block of memory with a number in its task's page table, charged to a consumer. Dropped,
/// the number becomes free, and the block and its bytes go back.
///
/// Spark's counterpart is a `MemoryBlock` with a page number. That one can be freed at its allocator
/// while it is a page, freed twice, or used after it was freed; a page can't:
///
/// ```compile_fail,E0382
/// fn twice(page: task_mem::Page) {
///     drop(page);
///     page.as_slice();
/// }
/// ```
#[derive(Debug)]
#[must_use = "dropping a page frees it"]
pub struct Page {
    // The order of dropping: a byte is granted to somebody else only when it is free.
    number: PageNumber,
    block: MemoryBlock,
    charge: Charge,
    reduced: bool,
}

impl Page {
    /// `charge` is of the block's bytes. `reduced` where it was made smaller than asked for because
    /// the allocator failed.
    pub(crate) fn new(
        number: PageNumber,
        block: MemoryBlock,
        charge: Charge,
        reduced: bool,
    ) -> Self {
        let page = Self {
            number,
            block,
            charge,
            reduced,
        };
        let entry = Entry {
            owner: page.charge.owner,
            account: page.charge.account,
            bytes: page.block.len(),
            location: page.block.location(),
            left: None,
        };
        {
            let mut state = page.task().state.lock();
            if state.epoch == page.number.epoch {
                state.pages.set(page.number.number, entry);
            }
        }
        page.task().tell_page(page.number(), page.bytes(), true);
        page
    }

    fn task(&self) -> &Arc<TaskMemoryManager> {
        &self.number.task
    }

    /// Its number in the task's page table.
    #[must_use]
    pub fn number(&self) -> u16 {
        self.number.number
    }

    /// Its size in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.block.len()
    }

    /// Which kind of memory it is.
    #[must_use]
    pub fn mode(&self) -> MemoryMode {
        self.block.mode()
    }

    /// The consumer it is charged to.
    #[must_use]
    pub fn consumer(&self) -> ConsumerId {
        self.charge.owner
    }

    /// Whether it was made smaller than the page size because the allocator failed, and is only as
    /// large as was needed.
    #[must_use]
    pub fn is_reduced(&self) -> bool {
        self.reduced
    }

    /// Where it starts.
    #[must_use]
    pub fn location(&self) -> MemoryLocation {
        self.block.location()
    }

    /// Its bytes.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        self.block.as_slice()
    }

    /// Its bytes, for writing.
    #[must_use]
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        self.block.as_mut_slice()
    }

    /// Its whole 8-byte words: Spark's `LongArray`.
    #[must_use]
    pub fn as_words(&self) -> &[u64] {
        self.block.as_words()
    }

    /// Its whole 8-byte words, for writing.
    #[must_use]
    pub fn as_mut_words(&mut self) -> &mut [u64] {
        self.block.as_mut_words()
    }

    /// The address of the byte at `offset` from the page's start: Spark's `encodePageNumberAndOffset`.
    ///
    /// # Errors
    /// [`AddressError`], where the offset has too many bits for an address.
    pub fn encode(&self, offset: u64) -> Result<PageAddress, AddressError> {
        encode(self.number(), self.location(), offset)
    }

    /// The offset, from the page's start, of an address in this page; none for one in another.
    #[must_use]
    pub fn offset_of(&self, address: PageAddress) -> Option<u64> {
        if address.page() != self.number() {
            return None;
        }
        self.location().index_of(address.offset_in(self.location()))
    }

    /// Counts it in its consumer's `used` from now on.
    pub(crate) fn count_as_used(&mut self) {
        self.charge.recount(Account::Used);
        let mut state = self.task().state.lock();
        if state.epoch == self.number.epoch
            && let Some(entry) = state.pages.get_mut(self.number())
        {
            entry.account = Account::Used;
        }
    }
}

impl Page {
    /// Gives up the guard; the page stays until it is freed by its number. Returns the number.
    pub(crate) fn leave(self) -> u16 {
        let Self {
            mut number,
            block,
            charge,
            ..
        } = self;
        let task = Arc::clone(&number.task);
        let mut state = task.state.lock();
        if state.epoch == number.epoch
            && let Some(entry) = state.pages.get_mut(number.number)
        {
            entry.left = Some(block);
            number.left = true;
            charge.forget();
        }
        // What belongs to an earlier epoch is dropped after the lock.
        drop(state);
        number.number
    }
}

impl TaskMemoryManager {
    fn tell_page(&self, number: u16, bytes: u64, taken: bool) {
        let page = number.into();
        self.tell(Event::Page {
            task: self.task(),
            page,
            bytes,
            taken,
        });
    }

    /// Frees a page that no guard has. False where there is none of that number and owner.
    pub(crate) fn free_left_page(&self, number: u16, owner: ConsumerId) -> bool {
        let (entry, mode, credit) = {
            let mut state = self.state.lock();
            let left = |entry: &Entry| entry.owner == owner && entry.left.is_some();
            if !state.pages.get(number).is_some_and(left) {
                return false;
            }
            let Some(entry) = state.pages.free(number) else {
                return false;
            };
            let mode = state.record(owner).mode;
            state.uncount(owner, entry.account, entry.bytes);
            state.lower(mode, entry.bytes);
            (entry, mode, state.credit_for(owner, mode))
        };
        let bytes = entry.bytes;
        // The block first: its bytes may be granted to somebody else at once.
        drop(entry);
        self.release(credit, mode, bytes);
        self.tell_page(number, bytes, false);
        true
    }
}

/// The address of a byte of a page.
pub(crate) fn encode(
    number: u16,
    start: MemoryLocation,
    offset: u64,
) -> Result<PageAddress, AddressError> {
    let absolute = start
        .offset_of(offset)
        .ok_or(AddressError::Offset(offset))?;
    PageAddress::encode(number, start, absolute)
}
