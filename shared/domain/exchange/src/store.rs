use domain_coupon::{Page, StoreError};
use domain_ids::{CodeBatchId, TemplateId};
use jiff::Timestamp;

use crate::{CodeBatch, Serial};

/// Where a batch is looked up.
pub trait CodeBatchLookup: Sync {
    /// The batch with this serial as it is now (not an older copy).
    fn batch(&self, serial: Serial) -> impl Future<Output = Result<Option<CodeBatch>, StoreError>> + Send;
}

/// Where batches are kept.
pub trait CodeBatchStore: CodeBatchLookup {
    /// Adds a batch whose serial is free, if all batches of its template have at most `most` codes together then: both
    /// in one step.
    fn add(&self, batch: &CodeBatch, most: u32) -> impl Future<Output = Result<Added, StoreError>> + Send;

    /// Notes that the file is written; says whether it did, which it does not for a batch that is disabled.
    fn mark_exported(
        &self,
        serial: Serial,
        at: Timestamp,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Disables a batch, if it is not disabled already, and returns it.
    fn disable(
        &self,
        serial: Serial,
        at: Timestamp,
    ) -> impl Future<Output = Result<Option<CodeBatch>, StoreError>> + Send;

    /// Up to `limit` batches of `template`, the newest first, from behind `after` on.
    fn batches(
        &self,
        template: TemplateId,
        after: Option<CodeBatchId>,
        limit: u16,
    ) -> impl Future<Output = Result<Page<CodeBatch, CodeBatchId>, StoreError>> + Send;
}

/// What became of the attempt to add a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Added {
    /// It was added.
    Added,
    /// This batch has the serial; nothing was written.
    SerialTaken(Box<CodeBatch>),
    /// The template has so many codes already; nothing was written.
    TooMany {
        /// Codes of all batches of the template.
        ordered: u32,
    },
    /// Another order of the same template was in the way; nothing was written.
    Conflict,
}

/// Where batches wait for their export.
pub trait ExportQueue: Sync {
    /// Asks for the export of a batch: [`export_batch`](crate::export_batch) is run for it at least once.
    fn ask(&self, batch: CodeBatchId) -> impl Future<Output = Result<(), StoreError>> + Send;
}
