//! Files of grants in an S3 bucket.
//!
//! | file | what |
//! |---|---|
//! | `uploads/<upload>.csv` | a list that an operator uploaded by a presigned URL |
//! | `uploads/<grant>.csv` | a list that came with the order |
//! | `grants/<grant>/part-<chunk>-<digest>.csv` | guests of a segment, as they were listed |
//! | `grants/<grant>/chunk-<chunk>-<digest>.jsonl` | who of a chunk got nothing, and why |
//!
//! What is written by two attempts at the same work is either the same, under the same name, or under another: a name
//! ends in a digest of the content. Which of them counts is in the item that names it.

use std::{fmt::Write, ops::Range};

use domain_coupon::StoreError;
use domain_grant::{FileError, JobFiles, ListFile, Lists, Part, Reason, Refusal, UPLOAD_OPEN_FOR, UploadId};
use domain_ids::{GrantId, GuestId};
use jiff::Timestamp;
use job_s3::{Bucket, Stored, corrupt};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The bucket of batch jobs.
#[derive(Debug, Clone)]
pub struct JobBucket(Bucket);

impl JobBucket {
    /// The grants' part of `bucket`.
    pub fn new(bucket: Bucket) -> Self {
        Self(bucket)
    }
}

impl Lists for JobBucket {
    async fn write(&self, id: GrantId, guests: &[GuestId]) -> Result<ListFile, StoreError> {
        let key = format!("uploads/{id}.csv");
        let content = one_a_line(guests);
        let bytes = content.len() as u64;
        let tag = self.0.put(&key, content).await?;
        Ok(ListFile { key, bytes, tag })
    }

    async fn prepare(&self, upload: UploadId, bytes: u64, at: Timestamp) -> Result<String, StoreError> {
        self.0.upload_url(&upload_key(upload), bytes, at, UPLOAD_OPEN_FOR).await
    }

    async fn uploaded(&self, upload: UploadId) -> Result<ListFile, FileError> {
        let key = upload_key(upload);
        let Stored { bytes, tag } = self.0.look(&key).await?;
        Ok(ListFile { key, bytes, tag })
    }
}

impl JobFiles for JobBucket {
    async fn read(&self, key: &str, tag: Option<&str>, range: Range<u64>) -> Result<Vec<u8>, FileError> {
        self.0.get(key, tag, Some(range)).await
    }

    async fn write_part(&self, id: GrantId, number: u32, guests: &[GuestId]) -> Result<Part, StoreError> {
        let content = one_a_line(guests);
        let file = format!("grants/{id}/part-{number:06}-{}.csv", digest(&content));
        let bytes = content.len() as u64;
        self.0.put(&file, content).await?;
        Ok(Part { file, bytes })
    }

    async fn write_report(
        &self,
        id: GrantId,
        number: u32,
        refusals: &[Refusal],
    ) -> Result<String, StoreError> {
        let mut content = Vec::with_capacity(refusals.len() * 96);
        for refusal in refusals {
            let line =
                RefusalLine { line: refusal.line, guest: refusal.guest.clone(), reason: refusal.reason };
            serde_json::to_writer(&mut content, &line).map_err(corrupt)?;
            content.push(b'\n');
        }
        let file = format!("grants/{id}/chunk-{number:06}-{}.jsonl", digest(&content));
        self.0.put(&file, content).await?;
        Ok(file)
    }

    async fn read_report(&self, file: &str) -> Result<Vec<Refusal>, FileError> {
        let content = self.0.get(file, None, None).await?;
        let lines = serde_json::Deserializer::from_slice(&content).into_iter::<RefusalLine>();
        let refusals = lines.map(|line| {
            let RefusalLine { line, guest, reason } = line.map_err(corrupt)?;
            Ok::<_, StoreError>(Refusal { line, guest, reason })
        });
        Ok(refusals.collect::<Result<_, _>>()?)
    }
}

/// A line of a report.
#[derive(Serialize, Deserialize)]
struct RefusalLine {
    line: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    guest: Option<GuestId>,
    reason: Reason,
}

/// Guest ids need no quotes.
fn one_a_line(guests: &[GuestId]) -> Vec<u8> {
    guests.iter().flat_map(|guest| guest.as_str().bytes().chain([b'\n'])).collect()
}

fn upload_key(upload: UploadId) -> String {
    format!("uploads/{upload}.csv")
}

fn digest(content: &[u8]) -> String {
    Sha256::digest(content).iter().take(8).fold(String::new(), |mut text, byte| {
        // Writing to a text cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests;
