//! Messages of the grant queue.

use std::convert::Infallible;

use contracts::GrantChunk;
use domain_coupon::{BatchClaimStore, SaleMemory};
use domain_grant::{
    ChunkDone, Figures, GrantBook, GrantError, JobFiles, PlanDone, Segments, Work, WorkQueue, grant_chunk,
    plan,
};
use domain_ids::GrantId;
use jiff::Timestamp;
use platform_batch::{
    BatchResponse, Failure,
    sqs::{self, SqsEvent},
};
use platform_telemetry::Chain;

/// Messages worked on at once. The queue hands over one; were it more, each would have a share of the time-out.
const CONCURRENCY: usize = 1;

/// What an invocation works on, and what its environment remembers of those before.
#[derive(Debug)]
pub struct Stores<B, C, F, Q, S> {
    /// How far grants are.
    pub book: B,
    /// Templates, stock and coupons.
    pub coupons: C,
    /// Lists and reports.
    pub files: F,
    /// Where the next steps go.
    pub queue: Q,
    /// The directory of guests.
    pub segments: S,
    /// Of templates and their stock.
    pub memory: SaleMemory,
}

/// Takes each message's step, or reports the message to be delivered again, which goes on where this one stopped: also
/// because it no longer `has_time`.
pub async fn handle<B, C, F, Q, S>(
    stores: &Stores<B, C, F, Q, S>,
    at: Timestamp,
    has_time: impl Fn() -> bool + Sync,
    event: SqsEvent,
) -> Result<BatchResponse, Infallible>
where
    B: GrantBook,
    C: BatchClaimStore,
    F: JobFiles,
    Q: WorkQueue,
    S: Segments,
{
    let has_time = &has_time;
    let step = |message: sqs::Message<GrantChunk>| async move {
        stores
            .step(grant_sqs::read(message.body), at, has_time)
            .await
            .map_err(|error| if error.is_retryable() { Failure::again(error) } else { Failure::never(error) })
    };
    Ok(sqs::each(event, CONCURRENCY, sqs::json, step).await)
}

impl<B, C, F, Q, S> Stores<B, C, F, Q, S>
where
    B: GrantBook,
    C: BatchClaimStore,
    F: JobFiles,
    Q: WorkQueue,
    S: Segments,
{
    async fn step(
        &self,
        work: Work,
        at: Timestamp,
        has_time: impl Fn() -> bool + Sync,
    ) -> Result<(), GrantError> {
        match work {
            Work::Plan { grant, from } => {
                let Self { book, files, queue, segments, .. } = self;
                let done = plan(book, files, queue, segments, (grant, from), at).await?;
                if let PlanDone::Failed(error) = done {
                    tracing::error!(grant.id = %grant, error = %Chain(&error), "grant failed");
                }
            }
            Work::Chunk { grant, number, range } => {
                let Self { book, files, coupons, memory, .. } = self;
                let chunk = (grant, number, range);
                let done = grant_chunk(book, files, coupons, memory, chunk, at, has_time).await?;
                record(grant, number, &done);
            }
        }
        Ok(())
    }
}

/// One log line and the metrics of a chunk; no guests.
fn record(grant: GrantId, number: u32, done: &ChunkDone) {
    let (outcome, figures) = match done {
        ChunkDone::Done(figures) => ("done", figures.clone()),
        ChunkDone::Repeated => ("repeated", Figures::default()),
        ChunkDone::Parked => ("parked", Figures::default()),
        ChunkDone::Failed => ("failed", Figures::default()),
    };
    metrics::counter!("CouponsGranted").increment(figures.issued);
    for (reason, rows) in &figures.refused {
        metrics::counter!("GrantsRefused", "reason" => reason.as_str()).increment(*rows);
    }
    tracing::info!(
        grant.id = %grant,
        grant.chunk = number,
        grant.outcome = outcome,
        grant.issued = figures.issued,
        grant.refused = figures.refused(),
        "chunk"
    );
}
