//! Spark's paired calls: memory and pages as bare numbers, given back by hand.
//!
//! For code that is ported from Spark, and for replaying what Spark did, its errors included. Where a
//! call here fails, what had been granted before stays with the task until it ends, as in Spark.
//! Giving back more than there is gives back what there is.

use std::sync::Arc;

use mem_block::{AddressError, PageAddress};
use mem_pool::Wait;

use crate::charge::Account;
use crate::consumer::MemoryConsumer;
use crate::error::MemoryError;
use crate::face::{Face, drive};
use crate::held::Held;
use crate::manager::TaskMemoryManager;
use crate::page::{Page, encode as encode_in};
use crate::request::Request;
use crate::spill::SelfSpill;

/// Why a paired call failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RawError {
    /// The number of bytes makes no sense; Spark fails an assertion.
    #[error("invalid number of bytes requested: {0}")]
    InvalidBytes(i64),
    /// The consumer has no such page, or a guard has it; Spark asserts that, if at all.
    #[error("the consumer has no page {0} to be freed by number")]
    NoSuchPage(u16),
    /// As the guards' calls.
    #[error(transparent)]
    Memory(#[from] MemoryError),
}

/// A page that no guard has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawPage {
    /// Its number.
    pub number: u16,
    /// Its size in bytes.
    pub bytes: u64,
    /// Whether it is smaller because the allocator failed.
    pub reduced: bool,
}

/// `MemoryConsumer.acquireMemory`: returns the bytes granted, from 0 to `bytes`.
///
/// # Errors
/// [`RawError::InvalidBytes`] below 1, and as [`MemoryConsumer::acquire`].
pub fn acquire_memory<S: SelfSpill + ?Sized>(
    consumer: &MemoryConsumer,
    bytes: i64,
    spill: &mut S,
    wait: &Wait<'_>,
) -> Result<u64, RawError> {
    let positive = positive(bytes)?;
    consumer
        .acquire(positive, spill, wait)
        .map(Held::leave)
        .map_err(left_with_the_task)
}

/// `MemoryConsumer.freeMemory`.
pub fn free_memory(consumer: &MemoryConsumer, bytes: u64) {
    give_back(consumer, Account::Used, bytes);
}

/// `TaskMemoryManager.acquireExecutionMemory` for a consumer, whose `used` does not rise.
///
/// # Errors
/// As [`acquire_memory`].
pub fn acquire_execution_memory<S: SelfSpill + ?Sized>(
    consumer: &MemoryConsumer,
    bytes: i64,
    spill: &mut S,
    wait: &Wait<'_>,
) -> Result<u64, RawError> {
    let positive = positive(bytes)?;
    let request = Request::of(consumer, spill, Face::Block(*wait));
    drive(request.acquire_apart(positive)).map_err(left_with_the_task)
}

/// `TaskMemoryManager.releaseExecutionMemory` for a consumer, whose `used` does not fall.
pub fn release_execution_memory(consumer: &MemoryConsumer, bytes: u64) {
    give_back(consumer, Account::Apart, bytes);
}

/// `MemoryConsumer.allocatePage`.
///
/// # Errors
/// [`RawError::InvalidBytes`] where 0 bytes or fewer would be asked for, and as
/// [`MemoryConsumer::allocate_page`].
pub fn allocate_page<S: SelfSpill + ?Sized>(
    consumer: &MemoryConsumer,
    required: i64,
    spill: &mut S,
    wait: &Wait<'_>,
) -> Result<RawPage, RawError> {
    if required <= 0 && consumer.page_size() == 0 {
        return Err(RawError::InvalidBytes(0));
    }
    let required = u64::try_from(required).unwrap_or(0);
    consumer
        .allocate_page(required, spill, wait)
        .map(leave_page)
        .map_err(left_with_the_task)
}

/// `MemoryConsumer.allocateArray`, whose size wraps as Spark's does.
///
/// # Errors
/// As [`allocate_page`].
pub fn allocate_array<S: SelfSpill + ?Sized>(
    consumer: &MemoryConsumer,
    longs: i64,
    spill: &mut S,
    wait: &Wait<'_>,
) -> Result<RawPage, RawError> {
    let bytes = positive(longs.wrapping_mul(8))?;
    consumer
        .allocate_array(bytes / 8, spill, wait)
        .map(leave_page)
        .map_err(left_with_the_task)
}

/// `TaskMemoryManager.allocatePage`: a page of at most `size` bytes, which is not in the consumer's
/// `used`; none where nothing could be had.
///
/// # Errors
/// As [`MemoryConsumer::allocate_page_up_to`].
pub fn allocate_page_up_to<S: SelfSpill + ?Sized>(
    consumer: &MemoryConsumer,
    size: i64,
    spill: &mut S,
    wait: &Wait<'_>,
) -> Result<Option<RawPage>, RawError> {
    let size = positive(size)?;
    let page = consumer.allocate_page_up_to(size, spill, wait);
    Ok(page.map_err(left_with_the_task)?.map(leave_page))
}

/// `freePage`, of the consumer or of the task's manager, as the page was allocated; and `freeArray`.
///
/// # Errors
/// [`RawError::NoSuchPage`].
pub fn free_page(consumer: &MemoryConsumer, number: u16) -> Result<(), RawError> {
    if consumer.task().free_left_page(number, consumer.id()) {
        Ok(())
    } else {
        Err(RawError::NoSuchPage(number))
    }
}

/// Gives up a page's guard: it is freed by [`free_page`], or at the task's end.
pub fn leave_page(page: Page) -> RawPage {
    let (bytes, reduced) = (page.bytes(), page.is_reduced());
    RawPage {
        number: page.leave(),
        bytes,
        reduced,
    }
}

/// `encodePageNumberAndOffset`: the address of the byte at `offset` from the start of a page; none
/// where the task has no such page.
///
/// # Errors
/// [`AddressError`], where the offset has too many bits for an address.
pub fn encode(
    task: &Arc<TaskMemoryManager>,
    number: u16,
    offset: u64,
) -> Result<Option<PageAddress>, AddressError> {
    let start = task
        .state
        .lock()
        .pages
        .get(number)
        .map(|entry| entry.location);
    start
        .map(|start| encode_in(number, start, offset))
        .transpose()
}

fn positive(bytes: i64) -> Result<u64, RawError> {
    match u64::try_from(bytes) {
        Ok(positive) if positive > 0 => Ok(positive),
        _ => Err(RawError::InvalidBytes(bytes)),
    }
}

fn left_with_the_task(mut error: MemoryError) -> RawError {
    error.leave_kept();
    RawError::Memory(error)
}

/// Spark releases what the task holds of `bytes`, whatever the consumer had.
fn give_back(consumer: &MemoryConsumer, account: Account, bytes: u64) {
    let (task, mode) = (consumer.task(), consumer.mode());
    let credit = {
        let mut state = task.state.lock();
        state.uncount(consumer.id(), account, bytes);
        state.lower(mode, bytes);
        state.credit_for(consumer.id(), mode)
    };
    task.release(credit, mode, bytes);
}

impl<S: SelfSpill + ?Sized> Request<'_, S> {
    async fn acquire_apart(mut self, bytes: u64) -> Result<u64, MemoryError> {
        let _asking = self.begin()?;
        Ok(self.grow(bytes, Account::Apart).await?.forget())
    }
}
