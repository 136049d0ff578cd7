//! Making pages: the grant, the number, the block, and what is done when the allocator fails.
//!
//! Spark: `TaskMemoryManager.allocatePage` as of 4.3.0.

use mem_block::{AllocError, MAXIMUM_PAGE_SIZE_BYTES, MemoryBlock};

use crate::charge::{Account, Charge};
use crate::error::{Failure, MemoryError};
use crate::page::{Page, PageNumber};
use crate::request::Request;
use crate::spill::SelfSpill;

/// What to do after the allocator failed.
enum Next {
    TryAgain,
    GiveUp,
}

/// A block that is being looked for.
struct Search {
    /// Charged for it.
    held: Charge,
    /// Bytes that the allocator is asked for.
    attempt: u64,
    /// Bytes that were freed for it, at most `attempt`.
    progress: u64,
    /// Everything has been spilled: no more recovery.
    last: bool,
    /// Bytes that were asked for at first.
    size: u64,
    /// Bytes that would do.
    minimum: u64,
    reduced: bool,
}

impl Search {
    /// Settles for the minimum, where that is less than what the allocator was asked for. All but
    /// the minimum is given back.
    fn reduce(&mut self) -> Next {
        if self.minimum == 0 || self.minimum >= self.attempt {
            return Next::GiveUp;
        }
        self.held.shrink_to(self.minimum);
        self.attempt = self.minimum;
        self.reduced = true;
        Next::TryAgain
    }
}

impl<S: SelfSpill + ?Sized> Request<'_, S> {
    /// A page of at most `size` bytes, also fewer than `minimum`; none where nothing could be had.
    /// What the allocator fails to give stays charged to the task as acquired but not used.
    pub(crate) async fn allocate(
        &mut self,
        size: u64,
        minimum: u64,
    ) -> Result<Allocated, MemoryError> {
        if self
            .task
            .state
            .lock()
            .spills_here()
            .any(|spill| spill.recovering)
        {
            return Ok(Allocated::default());
        }
        if size > MAXIMUM_PAGE_SIZE_BYTES {
            return Err(Failure::TooLargePage { bytes: size }.into());
        }
        let held = self.grow(size, Account::Apart).await?;
        if held.bytes() == 0 {
            return Ok(Allocated::default());
        }
        let Some(number) = PageNumber::take(self.task, self.epoch) else {
            return Err(Failure::PageTableFull.into());
        };
        let attempt = held.bytes();
        let search = Search {
            held,
            attempt,
            progress: 0,
            last: false,
            size,
            minimum,
            reduced: false,
        };
        self.search(search, number).await
    }

    async fn search(
        &mut self,
        mut search: Search,
        number: PageNumber,
    ) -> Result<Allocated, MemoryError> {
        loop {
            let error = match self.task.allocator(self.mode).allocate(search.attempt) {
                Ok(block) => return Ok(Allocated::page(search, number, block)),
                Err(error) => error,
            };
            let next = if search.last {
                Ok(search.reduce())
            } else {
                self.make_room(&mut search).await
            };
            match next {
                Ok(Next::TryAgain) => {}
                Ok(Next::GiveUp) => {
                    search.held.leave_unused();
                    return Ok(Allocated {
                        page: None,
                        error: Some(error),
                    });
                }
                Err(error) => {
                    search.held.leave_unused();
                    return Err(error);
                }
            }
        }
    }

    /// Has consumers spill for a block that the allocator did not give. Once nobody can any more,
    /// one last grant is asked for, so that there is something to try with; or the minimum is tried.
    async fn make_room(&mut self, search: &mut Search) -> Result<Next, MemoryError> {
        let freed = self.recover(search.attempt)?;
        if freed > 0 {
            search.progress = search.attempt.min(search.progress.saturating_add(freed));
            return Ok(Next::TryAgain);
        }
        search.last = true;
        if search.progress >= search.attempt {
            return Ok(search.reduce());
        }
        self.recovering = true;
        let extra = self.acquire(search.size, Account::Apart).await;
        self.recovering = false;
        let extra = extra?;
        let bytes = extra.bytes();
        if search.progress == 0 && bytes == 0 {
            return Ok(Next::GiveUp);
        }
        search.held.merge(extra);
        if search.progress > 0 && bytes >= search.progress {
            let kept = search.held.bytes().saturating_sub(search.progress);
            search.held.shrink_to(kept);
        }
        search.attempt = if bytes > 0 { bytes } else { search.progress };
        Ok(Next::TryAgain)
    }
}

/// What an allocation came to.
#[derive(Default)]
pub(crate) struct Allocated {
    pub(crate) page: Option<Page>,
    /// What the allocator said, where it was the one that failed.
    pub(crate) error: Option<AllocError>,
}

impl Allocated {
    fn page(mut search: Search, number: PageNumber, block: MemoryBlock) -> Self {
        let charge = search.held.split(search.attempt);
        search.held.leave_unused();
        let page = Page::new(number, block, charge, search.reduced);
        Self {
            page: Some(page),
            error: None,
        }
    }
}
