//! Writing the codes of a batch to a file.

use std::fmt::Write;

use domain_coupon::StoreError;
use domain_ids::CodeBatchId;
use jiff::Timestamp;

use crate::{CodeBatch, CodeBatchStatus, CodeBatchStore, ExchangeKey};

/// The first line of a file. Lines end as RFC 4180 says.
pub const CSV_HEADER: &str = "code\r\n";

/// Bytes of a line: a code is 23.
const LINE_BYTES: usize = 25;

/// Where files are written, part by part: nobody sees a file before it is complete.
pub trait CodeFiles: Sync {
    /// A file that is being written.
    type Upload: Send;

    /// Bytes of each part but the last, at least.
    const PART_BYTES: usize;

    /// Begins the file of a batch.
    fn begin(&self, batch: &CodeBatch) -> impl Future<Output = Result<Self::Upload, StoreError>> + Send;

    /// Writes the next part.
    fn append(
        &self,
        upload: &mut Self::Upload,
        part: Vec<u8>,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Puts the complete file in its place, also where there is one already.
    fn finish(&self, upload: &mut Self::Upload) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Throws away what was written. It may fail: the store cleans up by itself after a day.
    fn abandon(&self, upload: Self::Upload) -> impl Future<Output = ()> + Send;
}

/// Where files are downloaded.
pub trait CodeDownloads: Sync {
    /// A URL of the batch's file that is good for a few minutes, and for whoever has it.
    fn download_url(&self, batch: &CodeBatch) -> impl Future<Output = Result<String, StoreError>> + Send;
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exported {
    /// The file is in its place.
    Ready,
    /// The batch is disabled: it has no file, or one that nobody is shown.
    Disabled,
}

/// Why a batch was not exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// There is no such batch.
    #[error("no such batch of codes")]
    NotFound,
    /// The table or the file store failed; a repeat starts over.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

impl ExportError {
    /// Whether the same export may succeed later.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::NotFound => false,
            Self::Store(error) => error.is_retryable(),
        }
    }
}

/// Writes the codes of a batch to its file, in memory for less than two parts, and notes that it is there.
///
/// It may be run again at any time: the codes and the file are the same.
pub async fn export_batch(
    batches: &impl CodeBatchStore,
    files: &impl CodeFiles,
    key: &ExchangeKey,
    id: CodeBatchId,
    at: Timestamp,
) -> Result<Exported, ExportError> {
    let batch = batches.batch(id.into()).await?.filter(|batch| batch.id == id);
    let batch = batch.ok_or(ExportError::NotFound)?;
    if batch.status() == CodeBatchStatus::Disabled {
        return Ok(Exported::Disabled);
    }
    write_file(files, key, &batch).await?;
    let marked = batches.mark_exported(batch.serial(), at).await?;
    Ok(if marked { Exported::Ready } else { Exported::Disabled })
}

async fn write_file<F: CodeFiles>(files: &F, key: &ExchangeKey, batch: &CodeBatch) -> Result<(), StoreError> {
    let mut upload = files.begin(batch).await?;
    let written = write_parts(files, &mut upload, key, batch).await;
    if written.is_err() {
        files.abandon(upload).await;
    }
    written
}

async fn write_parts<F: CodeFiles>(
    files: &F,
    upload: &mut F::Upload,
    key: &ExchangeKey,
    batch: &CodeBatch,
) -> Result<(), StoreError> {
    let mut text = String::with_capacity(F::PART_BYTES + LINE_BYTES);
    text.push_str(CSV_HEADER);
    for code in key.batch(batch.serial()).codes(batch.count) {
        // A `String` takes whatever is written to it.
        let _ = write!(text, "{code}\r\n");
        if text.len() >= F::PART_BYTES {
            let next = String::with_capacity(text.capacity());
            files.append(upload, std::mem::replace(&mut text, next).into_bytes()).await?;
        }
    }
    if !text.is_empty() {
        files.append(upload, text.into_bytes()).await?;
    }
    files.finish(upload).await
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, sync::atomic::Ordering};

    use super::*;
    use crate::{
        CodeBatchLookup, CodeCount, ExchangeCode, GenuineCode,
        fixtures::{Batches, Disk, NOW, batch, count, key},
    };

    async fn with(codes: CodeCount) -> (Batches, CodeBatch) {
        let batches = Batches::default();
        let batch = CodeBatch { count: codes, ..batch(1) };
        batches.add(&batch, u32::MAX).await.unwrap();
        (batches, batch)
    }

    async fn export(batches: &Batches, disk: &Disk, batch: &CodeBatch) -> Result<Exported, ExportError> {
        export_batch(batches, disk, &key(), batch.id, NOW).await
    }

    #[tokio::test]
    async fn a_hundred_thousand_codes_are_genuine_and_distinct_and_go_through_little_memory() {
        let (batches, batch) = with(count(100_000)).await;
        let disk = Disk::default();
        assert_eq!(export(&batches, &disk, &batch).await.unwrap(), Exported::Ready);
        assert!(disk.largest_part.load(Ordering::Relaxed) <= Disk::PART_BYTES + LINE_BYTES);
        assert_eq!(batches.batch(batch.serial()).await.unwrap().unwrap().exported_at, Some(NOW));

        let file = disk.file(&batch);
        let lines = file.strip_prefix(CSV_HEADER).unwrap().lines();
        let mut distinct = BTreeSet::new();
        for (index, line) in (0..).zip(lines) {
            let code: ExchangeCode = line.parse().unwrap();
            assert_eq!(key().verify(&code), Some(GenuineCode { serial: batch.serial(), index }));
            assert!(distinct.insert(line));
        }
        assert_eq!((distinct.len(), file.len()), (100_000, CSV_HEADER.len() + 100_000 * LINE_BYTES));
    }

    #[tokio::test]
    async fn an_export_that_died_is_run_again_and_leaves_nothing_behind() {
        let (batches, batch) = with(count(5_000)).await;
        let whole = Disk::default();
        export(&batches, &whole, &batch).await.unwrap();
        let calls = whole.calls.load(Ordering::Relaxed);
        assert!(calls > 3, "several parts");
        let fresh = with(count(5_000)).await.0;
        for fails_at in 0..calls {
            let disk = Disk::failing_at(fails_at);
            assert!(export(&fresh, &disk, &batch).await.is_err(), "{fails_at}");
            assert_eq!(disk.uploads(), 0, "{fails_at}");
            assert_eq!(
                fresh.batch(batch.serial()).await.unwrap().unwrap().status(),
                CodeBatchStatus::Exporting
            );
            assert_eq!(export(&batches, &disk, &batch).await.unwrap(), Exported::Ready);
            assert_eq!(disk.file(&batch), whole.file(&batch));
        }
    }

    #[tokio::test]
    async fn a_batch_that_is_revoked_is_not_written() {
        let (batches, batch) = with(count(1)).await;
        batches.disable(batch.serial(), NOW).await.unwrap();
        let disk = Disk::default();
        assert_eq!(export(&batches, &disk, &batch).await.unwrap(), Exported::Disabled);
        assert_eq!(disk.calls.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn a_batch_that_nobody_ordered_is_not_found() {
        let (batches, batch) = with(count(1)).await;
        let namesake = CodeBatchId::from_parts(1, batch.serial().into());
        for id in [namesake, CodeBatchId::from_parts(1, 99)] {
            let outcome = export_batch(&batches, &Disk::default(), &key(), id, NOW).await;
            assert!(matches!(outcome, Err(ExportError::NotFound)), "{outcome:?}");
        }
    }
}
