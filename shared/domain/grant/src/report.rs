use domain_ids::{GrantId, GuestId};

use crate::{FileError, GrantShelf, JobFiles, Outcome, Reason};

/// Files read for one page. Where refusals are few and far between, a page is short and the next goes on.
const FILES_PER_PAGE: usize = 8;

/// Where a page of a report ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReportPosition {
    /// The chunk it goes on in.
    pub chunk: u32,
    /// Refusals of that chunk that were shown.
    pub shown: u32,
}

/// A row that got no coupon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GotNothing {
    /// Which line of the list, from 1; not known while an earlier chunk is not done.
    pub line: Option<u64>,
    /// Whose; `None` where the line does not say.
    pub guest: Option<GuestId>,
    /// Why.
    pub reason: Reason,
}

/// Part of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportPage {
    /// The rows, in the order of the list. May be fewer than asked for although more follow.
    pub items: Vec<GotNothing>,
    /// Where the next page begins; `None` at the end of what is done so far.
    pub next: Option<ReportPosition>,
}

/// Up to `limit` rows of a grant that got no coupon, from `after` on, as far as its chunks are done.
pub async fn report(
    shelf: &impl GrantShelf,
    files: &impl JobFiles,
    id: GrantId,
    after: ReportPosition,
    limit: u16,
) -> Result<ReportPage, FileError> {
    let limit = usize::from(limit);
    let mut items = Vec::new();
    let mut files_read = 0;
    for (number, before, outcome) in done(shelf.chunks(id).await?) {
        let Some(file) = outcome.report.as_deref().filter(|_| number >= after.chunk) else { continue };
        let shown = if number == after.chunk { after.shown } else { 0 };
        if u64::from(shown) >= outcome.figures.refused() {
            continue;
        }
        let next = |shown| Some(ReportPosition { chunk: number, shown });
        if files_read == FILES_PER_PAGE || items.len() == limit {
            return Ok(ReportPage { items, next: next(shown) });
        }
        files_read += 1;
        let refusals = (0..).zip(files.read_report(file).await?);
        for (place, refusal) in refusals.skip_while(|(place, _)| *place < shown) {
            if items.len() == limit {
                return Ok(ReportPage { items, next: next(place) });
            }
            let line = before.map(|before| before + u64::from(refusal.line) + 1);
            items.push(GotNothing { line, guest: refusal.guest, reason: refusal.reason });
        }
    }
    Ok(ReportPage { items, next: None })
}

/// The chunks that are done, each with the number of lines before it where all of those are known.
fn done(chunks: Vec<crate::Chunk>) -> impl Iterator<Item = (u32, Option<u64>, Outcome)> {
    let mut expected = 0;
    let mut lines = Some(0);
    chunks.into_iter().filter_map(move |chunk| {
        if chunk.number != expected || chunk.outcome.is_none() {
            lines = None;
        }
        expected = chunk.number + 1;
        let outcome = chunk.outcome?;
        let before = lines;
        lines = lines.map(|lines| lines + u64::from(outcome.lines));
        Some((chunk.number, before, outcome))
    })
}
