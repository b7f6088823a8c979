//! Files of homestays to import, and the report of refused rows, in a bucket.
//!
//! | file | what |
//! |---|---|
//! | `imports/uploads/<upload>` | a file that an operator uploaded by a presigned URL |
//! | `imports/<import>/refused-<from>-<to>.jsonl` | the rows of one step that were refused, and why |
//!
//! A part of a report is named after its place in the file: two attempts at the same step write the same under the same name.
//! Which of them count is in the import's item.

use std::ops::Range;

use domain_coupon::StoreError;
use domain_homestay::{
    FileError, ImportFile, ImportFiles, ImportUploadId, ImportUploads, RefusedRow, ReportPart,
    UPLOAD_OPEN_FOR,
};
use domain_ids::ImportId;
use jiff::Timestamp;
use job_s3::{Bucket, Stored, corrupt};

/// The bucket of batch jobs, as far as imports use it.
#[derive(Debug, Clone)]
pub struct ImportBucket(Bucket);

impl ImportBucket {
    /// The imports' part of `bucket`.
    pub fn new(bucket: Bucket) -> Self {
        Self(bucket)
    }
}

impl ImportUploads for ImportBucket {
    async fn prepare(&self, upload: ImportUploadId, bytes: u64, at: Timestamp) -> Result<String, StoreError> {
        self.0.upload_url(&upload_key(upload), bytes, at, UPLOAD_OPEN_FOR).await
    }

    async fn uploaded(&self, upload: ImportUploadId) -> Result<ImportFile, FileError> {
        let key = upload_key(upload);
        let Stored { bytes, tag } = self.0.look(&key).await?;
        Ok(ImportFile { key, bytes, tag })
    }
}

impl ImportFiles for ImportBucket {
    async fn read(&self, file: &ImportFile, range: Range<u64>) -> Result<Vec<u8>, FileError> {
        self.0.get(&file.key, Some(&file.tag), Some(range)).await
    }

    async fn write_part(
        &self,
        id: ImportId,
        part: ReportPart,
        rows: &[RefusedRow],
    ) -> Result<(), StoreError> {
        let mut content = Vec::with_capacity(rows.len() * 128);
        for row in rows {
            serde_json::to_writer(&mut content, row).map_err(corrupt)?;
            content.push(b'\n');
        }
        self.0.put(&part_key(id, part), content).await.map(|_| ())
    }

    async fn read_part(&self, id: ImportId, part: ReportPart) -> Result<Vec<RefusedRow>, FileError> {
        let content = self.0.get(&part_key(id, part), None, None).await?;
        let rows = serde_json::Deserializer::from_slice(&content).into_iter().collect::<Result<_, _>>();
        Ok(rows.map_err(corrupt)?)
    }
}

fn upload_key(upload: ImportUploadId) -> String {
    format!("imports/uploads/{upload}")
}

fn part_key(id: ImportId, part: ReportPart) -> String {
    format!("imports/{id}/refused-{}-{}.jsonl", part.from, part.to)
}

#[cfg(test)]
mod tests;
