//! Planning: what the chunks of a grant are.

use std::ops::Range;

use domain_coupon::StoreError;
use domain_ids::{GrantId, GuestId};
use jiff::Timestamp;

use crate::{
    Failure, Grant, GrantBook, GrantError, GrantStatus, JobFiles, ListFile, Part, Recipients, Segment, Work,
    WorkQueue, chunks_of,
};

/// Guests of a part, from which on it is closed: what a chunk of a list has, about.
pub const GUESTS_PER_PART: usize = 1_800;

/// Parts listed for one message: 300 pages of Cognito, 60 guests each, take about half a minute.
pub const PARTS_PER_PLAN: u32 = 10;

/// Pages read for one part. Where guests are few among many who may not sign in, the part is small.
const PAGES_PER_PART: u32 = 60;

/// Some guests of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuestPage {
    /// The guests, at most some hundreds.
    pub guests: Vec<GuestId>,
    /// Where the listing goes on; `None` at its end.
    pub next: Option<String>,
}

/// A segment could not be listed.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// There is no such segment, or where the listing went on is not known any more.
    #[error("the segment cannot be listed")]
    Refused(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The directory failed.
    #[error("the directory of guests failed")]
    Store(#[from] StoreError),
}

/// The directory of guests.
pub trait Segments: Sync {
    /// A page of a segment, from `token` on.
    fn page(
        &self,
        segment: &Segment,
        token: Option<&str>,
    ) -> impl Future<Output = Result<GuestPage, ListError>> + Send;
}

/// What became of a message that asks to plan.
#[derive(Debug)]
pub enum PlanDone {
    /// What it answers for is in the queue.
    Sent,
    /// Another message goes on, or whoever resumes the grant sends it again.
    Left,
    /// The grant has failed: the segment cannot be listed.
    Failed(ListError),
}

/// Finds out what the chunks of a grant are, from chunk `from` on, and puts them into the queue.
///
/// A list is cut by its length alone. A segment is listed into parts, a chunk each: a part and where the listing goes
/// on are noted together, and a message answers for [`PARTS_PER_PLAN`] parts. Repeated, it sends again what it answers
/// for; of two that list the same part, the second stops, since the first is alive or will be repeated.
pub async fn plan(
    book: &impl GrantBook,
    files: &impl JobFiles,
    queue: &impl WorkQueue,
    segments: &impl Segments,
    (id, from): (GrantId, u32),
    at: Timestamp,
) -> Result<PlanDone, GrantError> {
    let grant = book.grant(id).await?.ok_or(GrantError::NotFound)?;
    match grant.status() {
        // Whoever resumes it sends this again.
        GrantStatus::Failed | GrantStatus::Done | GrantStatus::Paused => Ok(PlanDone::Left),
        GrantStatus::Planning | GrantStatus::Running => match &grant.recipients {
            Recipients::List(_) if grant.planned => Ok(PlanDone::Left),
            Recipients::List(list) => {
                queue.send(&work_of_list(id, list, |_| true)).await?;
                book.planned(id, at).await?;
                Ok(PlanDone::Sent)
            }
            Recipients::Segment(segment) => {
                let listing = Listing { book, files, queue, segments, at };
                listing.plan(&grant, segment, from).await
            }
        },
    }
}

/// The chunks of a list that are `wanted`.
pub(crate) fn work_of_list(id: GrantId, list: &ListFile, wanted: impl Fn(u32) -> bool) -> Vec<Work> {
    let numbered = (0_u32..).zip(chunks_of(list.bytes));
    numbered
        .filter(|(number, _)| wanted(*number))
        .map(|(number, range)| Work::Chunk { grant: id, number, range })
        .collect()
}

/// All of a part is its chunk.
pub(crate) fn work_of_part(id: GrantId, number: u32, part: &Part) -> Work {
    Work::Chunk { grant: id, number, range: Range { start: 0, end: part.bytes } }
}

struct Listing<'a, B, F, Q, S> {
    book: &'a B,
    files: &'a F,
    queue: &'a Q,
    segments: &'a S,
    at: Timestamp,
}

impl<B: GrantBook, F: JobFiles, Q: WorkQueue, S: Segments> Listing<'_, B, F, Q, S> {
    async fn plan(&self, grant: &Grant, segment: &Segment, from: u32) -> Result<PlanDone, GrantError> {
        let until = from.saturating_add(PARTS_PER_PLAN);
        let mut known = grant.chunks;
        for number in from..known.min(until) {
            let chunk = self.book.chunk(grant.id, number).await?;
            if let Some(part) = chunk.filter(|chunk| chunk.outcome.is_none()).and_then(|chunk| chunk.part) {
                self.queue.send(&[work_of_part(grant.id, number, &part)]).await?;
            }
        }
        let mut token = grant.listed_to.clone();
        let mut ended = grant.planned;
        while !ended && known < until {
            let page = match self.list_part(segment, token).await {
                Ok(page) => page,
                Err(ListError::Store(error)) => return Err(error.into()),
                Err(refused @ ListError::Refused(_)) => {
                    self.book.fail(grant.id, Failure::SegmentUnreadable, self.at).await?;
                    return Ok(PlanDone::Failed(refused));
                }
            };
            token = page.next;
            ended = token.is_none();
            if page.guests.is_empty() {
                // Only the end of a listing is empty.
                self.book.planned(grant.id, self.at).await?;
                return Ok(PlanDone::Sent);
            }
            let part = self.files.write_part(grant.id, known, &page.guests).await?;
            if !self.book.add_part(grant.id, known, &part, token.as_deref(), self.at).await? {
                return Ok(PlanDone::Left);
            }
            self.queue.send(&[work_of_part(grant.id, known, &part)]).await?;
            known += 1;
        }
        if ended || known > until {
            return Ok(PlanDone::Sent);
        }
        self.queue.send(&[Work::Plan { grant: grant.id, from: known }]).await?;
        Ok(PlanDone::Sent)
    }

    /// Pages until they are enough for a part; no guests only at the end of the listing.
    async fn list_part(&self, segment: &Segment, mut token: Option<String>) -> Result<GuestPage, ListError> {
        let mut guests = Vec::with_capacity(GUESTS_PER_PART);
        let mut pages = 0;
        loop {
            let page = self.segments.page(segment, token.as_deref()).await?;
            guests.extend(page.guests);
            token = page.next;
            pages += 1;
            let closed = guests.len() >= GUESTS_PER_PART || (pages >= PAGES_PER_PART && !guests.is_empty());
            if token.is_none() || closed {
                return Ok(GuestPage { guests, next: token });
            }
        }
    }
}
