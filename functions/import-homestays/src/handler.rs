//! Messages of the import queue.

use std::convert::Infallible;

use contracts::ImportStep;
use domain_homestay::{
    Checkpoint, ImportBook, ImportEnd, ImportFailure, ImportFiles, ImportQueue, ImportStepDone,
    ImportStepError, ImportStore, import_step,
};
use domain_ids::ImportId;
use jiff::Timestamp;
use platform_batch::{
    BatchResponse, Failure,
    sqs::{self, SqsEvent},
};

/// Messages worked on at once. The queue hands over one; were it more, each would have a share of the time-out.
const CONCURRENCY: usize = 1;

/// What an invocation works on.
#[derive(Debug)]
pub struct Stores<H, F, Q> {
    /// The homestays, and how far imports are.
    pub homestays: H,
    /// Files to import, and reports.
    pub files: F,
    /// Where the next steps go.
    pub queue: Q,
}

/// Takes each message's step, as far as it `has_time`, or reports the message to be delivered again.
pub async fn handle<H, F, Q>(
    stores: &Stores<H, F, Q>,
    at: Timestamp,
    has_time: impl Fn() -> bool + Sync,
    event: SqsEvent,
) -> Result<BatchResponse, Infallible>
where
    H: ImportBook + ImportStore,
    F: ImportFiles,
    Q: ImportQueue,
{
    let has_time = &has_time;
    let step = |message: sqs::Message<ImportStep>| async move {
        let ImportStep { import, from } = message.body;
        let again = message.receive_count > 1;
        let Stores { homestays, files, queue } = stores;
        let done = import_step(homestays, homestays, files, queue, (import, from, again), at, has_time).await;
        match done {
            Ok(done) => {
                record(import, &done);
                Ok(())
            }
            Err(error) => Err(failure(error)),
        }
    };
    Ok(sqs::each(event, CONCURRENCY, sqs::json, step).await)
}

fn failure(error: ImportStepError) -> Failure {
    if error.is_retryable() { Failure::again(error) } else { Failure::never(error) }
}

/// One log line and the metrics of a step; nothing of what rows say.
fn record(import: ImportId, done: &ImportStepDone) {
    let checkpoint = match done {
        ImportStepDone::Moved(checkpoint) => checkpoint,
        ImportStepDone::Repeated => {
            tracing::info!(import.id = %import, import.outcome = "repeated", "step");
            return;
        }
        ImportStepDone::Over => {
            tracing::info!(import.id = %import, import.outcome = "over", "step");
            return;
        }
    };
    let Checkpoint { to, figures, end, .. } = checkpoint;
    let rows = [
        ("created", figures.created),
        ("changed", figures.changed),
        ("unchanged", figures.unchanged),
        ("refused", figures.refused),
    ];
    for (outcome, rows) in rows {
        metrics::counter!("HomestaysImported", "outcome" => outcome).increment(rows);
    }
    if let Some(ImportEnd::Failed(ImportFailure { reason, line, .. })) = end {
        tracing::error!(import.id = %import, import.failure = ?reason, import.line = ?line, "import failed");
    }
    tracing::info!(
        import.id = %import,
        import.outcome = "moved",
        import.position = to,
        import.rows = figures.rows(),
        import.refused = figures.refused,
        import.ended = end.is_some(),
        "step"
    );
}
