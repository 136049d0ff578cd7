//! Merging pages that are sorted each on its own.

use crate::code::{DUPLICATE, code_after, common_bytes};
use crate::loser_tree::{Heads, LoserTree};
use crate::order::Order;
use crate::page::{PageCursor, RecordPage};

struct PageHeads<'a>(Vec<PageCursor<'a>>);

impl Heads for PageHeads<'_> {
    #[inline]
    fn record(&self, index: usize) -> &[u8] {
        self.0[index].record()
    }
}

/// Passes the records of sorted pages on in order; each with the number of bytes that it has in
/// common with the one before it. Repetitions are left out if they are to be `unique`.
pub(crate) fn merge_pages<'a, B, E>(
    pages: impl Iterator<Item = &'a RecordPage<B>>,
    order: Order,
    unique: bool,
    mut emit: impl FnMut(usize, &[u8]) -> Result<(), E>,
) -> Result<(), E>
where
    B: AsRef<[u8]> + AsMut<[u8]> + 'a,
{
    let mut heads = PageHeads(pages.map(RecordPage::cursor).collect());
    let codes: Vec<_> = heads.0.iter().map(PageCursor::code).collect();
    let mut tree = LoserTree::new(order, &codes, &heads);
    let mut before: &[u8] = &[];
    while let Some((winner, code)) = tree.winner() {
        let record = heads.0[winner].record();
        if code == DUPLICATE {
            if !unique {
                emit(record.len(), record)?;
            }
        } else {
            // The code knows whole symbols; here the record before is at hand too.
            let (_, common) = code_after(order, before, record, common_bytes(code, record.len()));
            emit(common, record)?;
        }
        before = record;
        heads.0[winner].advance();
        tree.replay(heads.0[winner].code(), &heads);
    }
    Ok(())
}
