//! Messages of the code queue.

use std::convert::Infallible;

use contracts::CodeExport;
use domain_exchange::{CodeBatchStore, CodeFiles, ExchangeKey, ExportError, Exported, export_batch};
use domain_ids::CodeBatchId;
use jiff::Timestamp;
use platform_batch::{
    BatchResponse, Failure,
    sqs::{self, SqsEvent},
};

/// Batches written at once. The queue hands them over one by one; each needs the whole of a CPU.
const CONCURRENCY: usize = 1;

/// What exporting takes.
#[derive(Debug)]
pub struct Press<B, F> {
    /// Where batches are kept.
    pub batches: B,
    /// Where files are written.
    pub files: F,
    /// What codes are made with.
    pub key: ExchangeKey,
}

/// Writes the file of each batch, or reports the batch to be delivered again.
pub async fn handle<B: CodeBatchStore, F: CodeFiles>(
    press: &Press<B, F>,
    now: Timestamp,
    event: SqsEvent,
) -> Result<BatchResponse, Infallible> {
    Ok(sqs::each(event, CONCURRENCY, sqs::json::<CodeExport>, |message| {
        export(press, now, message.body.batch)
    })
    .await)
}

async fn export<B: CodeBatchStore, F: CodeFiles>(
    press: &Press<B, F>,
    now: Timestamp,
    batch: CodeBatchId,
) -> Result<(), Failure> {
    let outcome = export_batch(&press.batches, &press.files, &press.key, batch, now).await;
    let failed = |error: ExportError| {
        if error.is_retryable() { Failure::again(error) } else { Failure::never(error) }
    };
    let outcome = match outcome.map_err(failed)? {
        Exported::Ready => "ready",
        Exported::Disabled => "disabled",
    };
    metrics::counter!("CodeBatchesExported", "outcome" => outcome).increment(1);
    tracing::info!(batch.id = %batch, export.outcome = outcome, "exported codes");
    Ok(())
}
