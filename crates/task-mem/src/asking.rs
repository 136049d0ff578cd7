//! The ways in which consumers and tasks ask for memory, each with its three faces.

use std::sync::Arc;

use mem_block::MemoryMode;
use mem_pool::Wait;

use crate::charge::Account;
use crate::consumer::MemoryConsumer;
use crate::error::{Failure, MemoryError};
use crate::face::{Face, drive};
use crate::held::Held;
use crate::manager::TaskMemoryManager;
use crate::page::Page;
use crate::request::Request;
use crate::spill::{NoSpill, SelfSpill};
use crate::unpaged::Unpaged;

/// # Asking for memory
///
/// Where the ledger does not grant all that is asked for, the other consumers of the task that
/// declared [`ByAnyone`](crate::Spillable::ByAnyone) spill for it, best fit first, and at last the
/// requester itself, with the `spill` that comes with the request. What they free is kept for the
/// request until it is answered.
///
/// No lock of the task is held meanwhile. `spill` runs on the thread that drives the request: for a
/// future, where it is polled. `wait` is for each wait of the request in the ledger, of which there
/// is at most one for each spill; spilling itself is not timed.
///
/// All fail with a [`MemoryError`] whose [`Failure`] says why; what had been granted before comes
/// with it.
impl MemoryConsumer {
    /// All of `bytes`, a part of them, or nothing: Spark's `acquireMemory`.
    ///
    /// # Errors
    /// [`MemoryError`]; a short grant is none.
    pub fn acquire<S: SelfSpill + ?Sized>(
        &self,
        bytes: u64,
        spill: &mut S,
        wait: &Wait<'_>,
    ) -> Result<Held, MemoryError> {
        drive(Request::of(self, spill, Face::Block(*wait)).acquire_held(bytes))
    }

    /// [`acquire`](Self::acquire) without waiting: where it would have to, others spill instead.
    ///
    /// # Errors
    /// [`MemoryError`]. It is [`Failure::Refused`] where nobody can spill and waiting would be what
    /// the policy prescribes.
    pub fn try_acquire<S: SelfSpill + ?Sized>(
        &self,
        bytes: u64,
        spill: &mut S,
    ) -> Result<Held, MemoryError> {
        drive(Request::of(self, spill, Face::Try).acquire_held(bytes))
    }

    /// [`acquire`](Self::acquire) as a future. Dropping it cancels the request, and no byte is lost.
    ///
    /// # Errors
    /// [`MemoryError`].
    pub async fn acquire_async<S: SelfSpill + ?Sized>(
        &self,
        bytes: u64,
        spill: &mut S,
        wait: &Wait<'_>,
    ) -> Result<Held, MemoryError> {
        Request::of(self, spill, Face::Poll(*wait))
            .acquire_held(bytes)
            .await
    }

    /// Exactly `bytes`.
    ///
    /// # Errors
    /// As [`acquire`](Self::acquire); a short grant is given back and is [`Failure::OutOfMemory`].
    pub fn reserve<S: SelfSpill + ?Sized>(
        &self,
        bytes: u64,
        spill: &mut S,
        wait: &Wait<'_>,
    ) -> Result<Held, MemoryError> {
        drive(Request::of(self, spill, Face::Block(*wait)).reserve_held(bytes))
    }

    /// Exactly `bytes`, without waiting.
    ///
    /// # Errors
    /// As [`reserve`](Self::reserve) and [`try_acquire`](Self::try_acquire).
    pub fn try_reserve<S: SelfSpill + ?Sized>(
        &self,
        bytes: u64,
        spill: &mut S,
    ) -> Result<Held, MemoryError> {
        drive(Request::of(self, spill, Face::Try).reserve_held(bytes))
    }

    /// [`reserve`](Self::reserve) as a future.
    ///
    /// # Errors
    /// As [`reserve`](Self::reserve).
    pub async fn reserve_async<S: SelfSpill + ?Sized>(
        &self,
        bytes: u64,
        spill: &mut S,
        wait: &Wait<'_>,
    ) -> Result<Held, MemoryError> {
        Request::of(self, spill, Face::Poll(*wait))
            .reserve_held(bytes)
            .await
    }

    /// A page of the consumer's page size, or of `required` bytes where that is more: Spark's
    /// `MemoryConsumer.allocatePage`. Where there is less it may be smaller, down to `required`.
    ///
    /// Where the allocator fails although the ledger granted the bytes, consumers spill and it is
    /// tried again, as often as something is freed; then once with a fresh grant, and with
    /// `required` bytes. What it fails to give then stays
    /// [charged](TaskMemoryManager::acquired_but_not_used) to the task until it ends.
    ///
    /// # Errors
    /// [`Failure::TooLargePage`], [`Failure::PageTableFull`], [`Failure::OutOfMemory`] where the page
    /// would be smaller than `required`, and as [`acquire`](Self::acquire).
    pub fn allocate_page<S: SelfSpill + ?Sized>(
        &self,
        required: u64,
        spill: &mut S,
        wait: &Wait<'_>,
    ) -> Result<Page, MemoryError> {
        let size = self.page_size().max(required);
        drive(Request::of(self, spill, Face::Block(*wait)).used_page(size, required))
    }

    /// [`allocate_page`](Self::allocate_page) without waiting.
    ///
    /// # Errors
    /// As [`allocate_page`](Self::allocate_page) and [`try_acquire`](Self::try_acquire).
    pub fn try_allocate_page<S: SelfSpill + ?Sized>(
        &self,
        required: u64,
        spill: &mut S,
    ) -> Result<Page, MemoryError> {
        let size = self.page_size().max(required);
        drive(Request::of(self, spill, Face::Try).used_page(size, required))
    }

    /// [`allocate_page`](Self::allocate_page) as a future.
    ///
    /// # Errors
    /// As [`allocate_page`](Self::allocate_page).
    pub async fn allocate_page_async<S: SelfSpill + ?Sized>(
        &self,
        required: u64,
        spill: &mut S,
        wait: &Wait<'_>,
    ) -> Result<Page, MemoryError> {
        let size = self.page_size().max(required);
        Request::of(self, spill, Face::Poll(*wait))
            .used_page(size, required)
            .await
    }

    /// A page of exactly `longs` words of 8 bytes: Spark's `allocateArray`.
    ///
    /// # Errors
    /// As [`allocate_page`](Self::allocate_page).
    pub fn allocate_array<S: SelfSpill + ?Sized>(
        &self,
        longs: u64,
        spill: &mut S,
        wait: &Wait<'_>,
    ) -> Result<Page, MemoryError> {
        let size = array_bytes(longs)?;
        drive(Request::of(self, spill, Face::Block(*wait)).used_page(size, size))
    }

    /// [`allocate_array`](Self::allocate_array) without waiting.
    ///
    /// # Errors
    /// As [`try_allocate_page`](Self::try_allocate_page).
    pub fn try_allocate_array<S: SelfSpill + ?Sized>(
        &self,
        longs: u64,
        spill: &mut S,
    ) -> Result<Page, MemoryError> {
        let size = array_bytes(longs)?;
        drive(Request::of(self, spill, Face::Try).used_page(size, size))
    }

    /// [`allocate_array`](Self::allocate_array) as a future.
    ///
    /// # Errors
    /// As [`allocate_page`](Self::allocate_page).
    pub async fn allocate_array_async<S: SelfSpill + ?Sized>(
        &self,
        longs: u64,
        spill: &mut S,
        wait: &Wait<'_>,
    ) -> Result<Page, MemoryError> {
        let size = array_bytes(longs)?;
        Request::of(self, spill, Face::Poll(*wait))
            .used_page(size, size)
            .await
    }

    /// A page of at most `size` bytes, as large as can be had, or none: Spark's
    /// `TaskMemoryManager.allocatePage`. It is charged to the consumer, but not counted in its
    /// [`used`](Self::used).
    ///
    /// # Errors
    /// [`Failure::TooLargePage`], [`Failure::PageTableFull`], and as [`acquire`](Self::acquire).
    pub fn allocate_page_up_to<S: SelfSpill + ?Sized>(
        &self,
        size: u64,
        spill: &mut S,
        wait: &Wait<'_>,
    ) -> Result<Option<Page>, MemoryError> {
        drive(Request::of(self, spill, Face::Block(*wait)).page_up_to(size))
    }

    /// [`allocate_page_up_to`](Self::allocate_page_up_to) without waiting.
    ///
    /// # Errors
    /// As [`allocate_page_up_to`](Self::allocate_page_up_to) and [`try_acquire`](Self::try_acquire).
    pub fn try_allocate_page_up_to<S: SelfSpill + ?Sized>(
        &self,
        size: u64,
        spill: &mut S,
    ) -> Result<Option<Page>, MemoryError> {
        drive(Request::of(self, spill, Face::Try).page_up_to(size))
    }

    /// [`allocate_page_up_to`](Self::allocate_page_up_to) as a future.
    ///
    /// # Errors
    /// As [`allocate_page_up_to`](Self::allocate_page_up_to).
    pub async fn allocate_page_up_to_async<S: SelfSpill + ?Sized>(
        &self,
        size: u64,
        spill: &mut S,
        wait: &Wait<'_>,
    ) -> Result<Option<Page>, MemoryError> {
        Request::of(self, spill, Face::Poll(*wait))
            .page_up_to(size)
            .await
    }

    /// A region of exactly `bytes` beside the pages, of whichever mode: charged to this consumer, but
    /// not counted in its [`used`](Self::used), since it is never spilled. Others are, for it.
    ///
    /// # Errors
    /// [`Failure::OutOfMemory`] where less than all could be had, which is given back; and as
    /// [`acquire`](Self::acquire).
    pub fn allocate_unpaged<S: SelfSpill + ?Sized>(
        &self,
        bytes: u64,
        mode: MemoryMode,
        spill: &mut S,
        wait: &Wait<'_>,
    ) -> Result<Unpaged, MemoryError> {
        drive(
            Request::of(self, spill, Face::Block(*wait))
                .in_mode(mode)
                .unpaged(bytes),
        )
    }

    /// [`allocate_unpaged`](Self::allocate_unpaged) without waiting.
    ///
    /// # Errors
    /// As [`allocate_unpaged`](Self::allocate_unpaged) and [`try_acquire`](Self::try_acquire).
    pub fn try_allocate_unpaged<S: SelfSpill + ?Sized>(
        &self,
        bytes: u64,
        mode: MemoryMode,
        spill: &mut S,
    ) -> Result<Unpaged, MemoryError> {
        drive(
            Request::of(self, spill, Face::Try)
                .in_mode(mode)
                .unpaged(bytes),
        )
    }

    /// [`allocate_unpaged`](Self::allocate_unpaged) as a future.
    ///
    /// # Errors
    /// As [`allocate_unpaged`](Self::allocate_unpaged).
    pub async fn allocate_unpaged_async<S: SelfSpill + ?Sized>(
        &self,
        bytes: u64,
        mode: MemoryMode,
        spill: &mut S,
        wait: &Wait<'_>,
    ) -> Result<Unpaged, MemoryError> {
        Request::of(self, spill, Face::Poll(*wait))
            .in_mode(mode)
            .unpaged(bytes)
            .await
    }
}

/// # Unpaged memory
///
/// As consumers ask for it, for the task itself: charged to no consumer.
impl TaskMemoryManager {
    /// A region of exactly `bytes` beside the pages; consumers spill for it where they have to.
    ///
    /// # Errors
    /// As [`MemoryConsumer::allocate_unpaged`].
    pub fn allocate_unpaged(
        self: &Arc<Self>,
        bytes: u64,
        mode: MemoryMode,
        wait: &Wait<'_>,
    ) -> Result<Unpaged, MemoryError> {
        drive(Request::of_task(self, mode, &mut NoSpill, Face::Block(*wait)).unpaged(bytes))
    }

    /// [`allocate_unpaged`](Self::allocate_unpaged) without waiting.
    ///
    /// # Errors
    /// As [`MemoryConsumer::try_allocate_unpaged`].
    pub fn try_allocate_unpaged(
        self: &Arc<Self>,
        bytes: u64,
        mode: MemoryMode,
    ) -> Result<Unpaged, MemoryError> {
        drive(Request::of_task(self, mode, &mut NoSpill, Face::Try).unpaged(bytes))
    }

    /// [`allocate_unpaged`](Self::allocate_unpaged) as a future.
    ///
    /// # Errors
    /// As [`MemoryConsumer::allocate_unpaged`].
    pub async fn allocate_unpaged_async(
        self: &Arc<Self>,
        bytes: u64,
        mode: MemoryMode,
        wait: &Wait<'_>,
    ) -> Result<Unpaged, MemoryError> {
        Request::of_task(self, mode, &mut NoSpill, Face::Poll(*wait))
            .unpaged(bytes)
            .await
    }
}

fn array_bytes(longs: u64) -> Result<u64, MemoryError> {
    let too_large = || Failure::TooLargePage { bytes: u64::MAX }.into();
    longs.checked_mul(8).ok_or_else(too_large)
}

impl<S: SelfSpill + ?Sized> Request<'_, S> {
    async fn acquire_held(mut self, bytes: u64) -> Result<Held, MemoryError> {
        let _asking = self.begin()?;
        self.grow(bytes, Account::Used).await.map(Held::new)
    }

    pub(crate) async fn reserve_held(mut self, bytes: u64) -> Result<Held, MemoryError> {
        let _asking = self.begin()?;
        let charge = self.grow(bytes, Account::Used).await?;
        match charge.bytes() {
            got if got < bytes => Err(self.out_of_memory(bytes, got, None).into()),
            _ => Ok(Held::new(charge)),
        }
    }

    async fn used_page(mut self, size: u64, required: u64) -> Result<Page, MemoryError> {
        let _asking = self.begin()?;
        let allocated = self.allocate(size, required).await?;
        match allocated.page {
            Some(mut page) if page.bytes() >= required => {
                page.count_as_used();
                Ok(page)
            }
            page => {
                let got = page.as_ref().map_or(0, Page::bytes);
                Err(self.out_of_memory(required, got, allocated.error).into())
            }
        }
    }

    async fn page_up_to(mut self, size: u64) -> Result<Option<Page>, MemoryError> {
        let _asking = self.begin()?;
        self.allocate(size, size)
            .await
            .map(|allocated| allocated.page)
    }

    async fn unpaged(mut self, bytes: u64) -> Result<Unpaged, MemoryError> {
        let _asking = self.begin()?;
        self.allocate_unpaged(bytes).await
    }
}
