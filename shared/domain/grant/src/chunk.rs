//! A chunk of a grant: every row becomes a coupon or a refusal, however often it is worked on.

use std::{collections::BTreeMap, ops::Range, time::Duration};

use domain_coupon::{
    BatchClaimStore, ClaimCoupon, ClaimError, ClaimKey, Claimed, MAX_BATCH, SaleMemory, Source, StoreError,
    claim_batch,
};
use domain_ids::{GrantId, GuestId};
use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::{SignedDuration, Timestamp};

use crate::{
    BadRow, CHUNK_BYTES, Failure, Figures, FileError, Grant, GrantBook, GrantStatus, JobFiles, Outcome,
    Reason, Recipients, Refusal, Row, rows, window_of,
};

/// Transactions of a chunk under way at once. Ten chunks at once make 20 of ten coupons each: less than half of what the
/// 50 shards of an ordinary template bear, so that a sale goes on beside a grant.
pub const CONCURRENCY: usize = 2;

/// Bytes of the largest chunk: a part of a segment whose guest ids are as long as they may be.
const MAX_CHUNK_BYTES: u64 = 2 * CHUNK_BYTES;

/// How long rows wait whose stock was in motion or whose store was throttling, the first time; it doubles. Longer than
/// what the claim itself has tried.
const PAUSE: Duration = Duration::from_millis(250);

/// The longest pause: a table that is not warm needs seconds to take more.
const MAX_PAUSE: Duration = Duration::from_secs(4);

/// Times that rows wait, 20 seconds together. A stock that is nearly gone is searched to its end after one, and a top-up
/// takes less.
const ROUNDS: u32 = 8;

/// What became of a message for a chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChunkDone {
    /// Every row has its outcome now.
    Done(Figures),
    /// It was done before.
    Repeated,
    /// The grant is paused: whoever resumes it sends the chunk again.
    Parked,
    /// The grant has failed, now or before.
    Failed,
}

/// Why a step of a grant was not finished.
#[derive(Debug, thiserror::Error)]
pub enum GrantError {
    /// There is no such grant, or no such chunk of it.
    #[error("no such grant, or no such chunk of it")]
    NotFound,
    /// The range is empty or longer than any chunk.
    #[error("no range of a chunk")]
    BadRange,
    /// The stock stayed in motion, or the store kept throttling. What is issued is issued; a repeat goes on.
    #[error("too much contention")]
    Busy,
    /// There was no time for all rows. What is issued is issued; a repeat goes on.
    #[error("out of time")]
    OutOfTime,
    /// A store failed. What is issued is issued; a repeat goes on.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

impl GrantError {
    /// Whether a repeat may succeed.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::NotFound | Self::BadRange => false,
            Self::Busy | Self::OutOfTime => true,
            Self::Store(error) => error.is_retryable(),
        }
    }
}

/// Gives every guest of a chunk a coupon, and notes who got none.
///
/// A coupon that an earlier attempt issued for a row is found again by its code. So the figures are those of the
/// list, whatever was repeated on the way: as many issued as there are coupons of this grant, and everything else
/// refused for a reason.
///
/// It stops between two transactions once it no longer `has_time`.
pub async fn grant_chunk(
    book: &impl GrantBook,
    files: &impl JobFiles,
    coupons: &impl BatchClaimStore,
    memory: &SaleMemory,
    (id, number, range): (GrantId, u32, Range<u64>),
    at: Timestamp,
    has_time: impl Fn() -> bool + Sync,
) -> Result<ChunkDone, GrantError> {
    if range.is_empty() || range.end - range.start > MAX_CHUNK_BYTES {
        return Err(GrantError::BadRange);
    }
    let grant = book.grant(id).await?.ok_or(GrantError::NotFound)?;
    match grant.status() {
        GrantStatus::Failed => return Ok(ChunkDone::Failed),
        GrantStatus::Done => return Ok(ChunkDone::Repeated),
        GrantStatus::Paused => return Ok(ChunkDone::Parked),
        GrantStatus::Planning | GrantStatus::Running => {}
    }
    let chunk = book.chunk(id, number).await?;
    if chunk.as_ref().is_some_and(|chunk| chunk.outcome.is_some()) {
        return Ok(ChunkDone::Repeated);
    }
    let read = match (&grant.recipients, chunk.and_then(|chunk| chunk.part)) {
        (Recipients::List(list), _) => files.read(&list.key, Some(&list.tag), window_of(&range)).await,
        (Recipients::Segment(_), Some(part)) => files.read(&part.file, None, window_of(&range)).await,
        (Recipients::Segment(_), None) => return Err(GrantError::NotFound),
    };
    let window = match read {
        Ok(window) => window,
        Err(FileError::Store(error)) => return Err(error.into()),
        Err(FileError::Missing) => return fail(book, id, Failure::ListMissing, at).await,
        Err(FileError::Changed) => return fail(book, id, Failure::ListChanged, at).await,
    };

    let found = rows(&window, &range);
    let total = found.rows.len() as u64;
    let issuing = Issuing { coupons, memory, has_time: &has_time };
    let refusals = issuing.issue(claims_for(&grant, number, found.rows, at)).await?;
    let mut refused = BTreeMap::new();
    for refusal in &refusals {
        *refused.entry(refusal.reason).or_insert(0) += 1;
    }
    let report =
        if refusals.is_empty() { None } else { Some(files.write_report(id, number, &refusals).await?) };
    let figures = Figures { issued: total - refusals.len() as u64, refused };
    let outcome = Outcome { lines: found.lines, figures, report };
    let first = book.finish(id, number, &outcome, at).await?;
    Ok(if first { ChunkDone::Done(outcome.figures) } else { ChunkDone::Repeated })
}

async fn fail(
    book: &impl GrantBook,
    id: GrantId,
    failure: Failure,
    at: Timestamp,
) -> Result<ChunkDone, GrantError> {
    book.fail(id, failure, at).await?;
    Ok(ChunkDone::Failed)
}

/// A row: what it claims, or what is wrong with it.
type Claim = (u32, Result<ClaimCoupon, BadRow>);

fn claims_for(grant: &Grant, chunk: u32, rows: Vec<Row>, at: Timestamp) -> Vec<Claim> {
    let key = format!("grant:{}", grant.id);
    let claim = |line, guest: GuestId| {
        let (code, seed) = grant.secret.code(chunk, line);
        ClaimCoupon {
            key: Some(ClaimKey::new(&guest, grant.template, &key)),
            guest,
            template: grant.template,
            source: Source::Grant,
            campaign: None,
            exchange: None,
            code,
            at,
            seed,
        }
    };
    rows.into_iter().map(|Row { line, guest }| (line, guest.map(|guest| claim(line, guest)))).collect()
}

struct Issuing<'a, C, T> {
    coupons: &'a C,
    memory: &'a SaleMemory,
    has_time: &'a T,
}

impl<C: BatchClaimStore, T: Fn() -> bool + Sync> Issuing<'_, C, T> {
    /// Claims for the rows, several at once, and returns those that got nothing, by their line.
    async fn issue(&self, rows: Vec<Claim>) -> Result<Vec<Refusal>, GrantError> {
        let mut refusals = Vec::new();
        let mut claims = Vec::with_capacity(rows.len());
        for (line, claim) in rows {
            match claim {
                Ok(claim) => claims.push((line, claim)),
                Err(bad) => refusals.push(Refusal { line, guest: None, reason: bad.into() }),
            }
        }
        let batches: Vec<Vec<(u32, ClaimCoupon)>> = claims.chunks(MAX_BATCH).map(<[_]>::to_vec).collect();
        let refused: Vec<Vec<Refusal>> = stream::iter(batches)
            .map(|batch| self.issue_batch(batch))
            .buffer_unordered(CONCURRENCY)
            .try_collect()
            .await?;
        refusals.extend(refused.into_iter().flatten());
        refusals.sort_by_key(|refusal| refusal.line);
        Ok(refusals)
    }

    /// Claims until each row has its outcome, and returns the rows that got nothing.
    async fn issue_batch(&self, batch: Vec<(u32, ClaimCoupon)>) -> Result<Vec<Refusal>, GrantError> {
        let mut refusals = Vec::new();
        let (mut lines, mut claims): (Vec<u32>, Vec<ClaimCoupon>) = batch.into_iter().unzip();
        let mut pause = PAUSE;
        for _ in 0..ROUNDS {
            if !(self.has_time)() {
                return Err(GrantError::OutOfTime);
            }
            let outcomes = claim_batch(self.coupons, self.memory, &claims).await;
            let mut open: (Vec<u32>, Vec<ClaimCoupon>) = (Vec::new(), Vec::new());
            for ((line, mut claim), outcome) in lines.into_iter().zip(claims).zip(outcomes) {
                match settle(&claim, outcome) {
                    Settled::Issued => {}
                    Settled::Refused(reason) => {
                        refusals.push(Refusal { line, guest: Some(claim.guest), reason });
                    }
                    Settled::Later => {
                        claim.at += SignedDuration::try_from(pause).unwrap_or_default();
                        open.0.push(line);
                        open.1.push(claim);
                    }
                    Settled::Failed(error) => return Err(error.into()),
                }
            }
            (lines, claims) = open;
            if claims.is_empty() {
                return Ok(refusals);
            }
            self.coupons.wait(pause).await;
            pause = MAX_PAUSE.min(2 * pause);
        }
        Err(GrantError::Busy)
    }
}

/// What an answer means for a row.
enum Settled {
    Issued,
    Refused(Reason),
    /// Nothing was issued, and it passes.
    Later,
    Failed(StoreError),
}

fn settle(claim: &ClaimCoupon, outcome: Result<Claimed, ClaimError>) -> Settled {
    let refused = |reason| Settled::Refused(reason);
    match outcome {
        // A row's own coupon has the row's code; another's means that the guest is listed twice.
        Ok(claimed) if claimed.coupon.code == claim.code => Settled::Issued,
        Ok(_) => refused(Reason::Duplicate),
        Err(ClaimError::LimitReached { .. }) => refused(Reason::ClaimLimitReached),
        Err(ClaimError::SoldOut) => refused(Reason::CouponSoldOut),
        Err(ClaimError::Ended(_)) => refused(Reason::SaleEnded),
        Err(ClaimError::NotStarted(_)) => refused(Reason::SaleNotStarted),
        Err(ClaimError::Paused(_)) => refused(Reason::SalePaused),
        Err(ClaimError::TemplateNotFound) => refused(Reason::TemplateNotFound),
        Err(
            ClaimError::NotClaimable
            | ClaimError::QueueOnly
            | ClaimError::CampaignOnly
            | ClaimError::CodeUsed,
        ) => refused(Reason::TemplateNotClaimable),
        Err(ClaimError::Busy | ClaimError::Throttled | ClaimError::Store(StoreError::Throttled(_))) => {
            Settled::Later
        }
        Err(ClaimError::Store(error)) => Settled::Failed(error),
    }
}

impl From<BadRow> for Reason {
    fn from(bad: BadRow) -> Self {
        match bad {
            BadRow::NoGuest => Self::InvalidGuestId,
            BadRow::TooLong => Self::LineTooLong,
        }
    }
}
