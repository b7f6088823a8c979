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

use aws_config::SdkConfig;
use aws_sdk_s3::{
    Client,
    config::RequestChecksumCalculation,
    error::{ProvideErrorMetadata, SdkError},
    operation::{get_object::GetObjectError, head_object::HeadObjectError},
    presigning::PresigningConfig,
    primitives::ByteStream,
};
use domain_coupon::StoreError;
use domain_grant::{FileError, JobFiles, ListFile, Lists, Part, Reason, Refusal, UPLOAD_OPEN_FOR, UploadId};
use domain_ids::{GrantId, GuestId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A client for [`JobBucket`].
pub fn client(config: &SdkConfig) -> Client {
    let config = aws_sdk_s3::config::Builder::from(config)
        // Another endpoint is the local stack, where no host is named after a bucket.
        .force_path_style(config.endpoint_url().is_some())
        // Without it, a presigned URL would be good for one content alone.
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired);
    Client::from_conf(config.build())
}

/// The bucket of batch jobs.
#[derive(Debug, Clone)]
pub struct JobBucket {
    client: Client,
    bucket: String,
}

impl JobBucket {
    /// The bucket named `bucket`, reached through `client`.
    pub fn new(client: Client, bucket: String) -> Self {
        Self { client, bucket }
    }

    /// Writes a file and returns the store's name of its content.
    async fn put(&self, key: &str, content: Vec<u8>) -> Result<String, StoreError> {
        let put = self.client.put_object().bucket(&self.bucket).key(key).body(ByteStream::from(content));
        let output = put.send().await.map_err(store_error)?;
        output.e_tag.ok_or_else(|| StoreError::Corrupt("a file without a tag".into()))
    }

    async fn get(
        &self,
        key: &str,
        tag: Option<&str>,
        range: Option<Range<u64>>,
    ) -> Result<Vec<u8>, FileError> {
        // The last byte is included (RFC 9110, section 14.1.2).
        let bytes = range.map(|range| format!("bytes={}-{}", range.start, range.end.saturating_sub(1)));
        let get = self.client.get_object().bucket(&self.bucket).key(key);
        let get = get.set_if_match(tag.map(Into::into)).set_range(bytes);
        let output = get.send().await.map_err(|error| match error.as_service_error() {
            Some(GetObjectError::NoSuchKey(_)) => FileError::Missing,
            _ if error.code() == Some("PreconditionFailed") => FileError::Changed,
            _ => store_error(error).into(),
        })?;
        let content = output.body.collect().await;
        Ok(content.map_err(|error| StoreError::Unavailable(Box::new(error)))?.to_vec())
    }
}

impl Lists for JobBucket {
    async fn write(&self, id: GrantId, guests: &[GuestId]) -> Result<ListFile, StoreError> {
        let key = format!("uploads/{id}.csv");
        let content = one_a_line(guests);
        let bytes = content.len() as u64;
        let tag = self.put(&key, content).await?;
        Ok(ListFile { key, bytes, tag })
    }

    async fn prepare(&self, upload: UploadId, bytes: u64, at: Timestamp) -> Result<String, StoreError> {
        let open = PresigningConfig::builder().start_time(at.into()).expires_in(UPLOAD_OPEN_FOR).build();
        let put = self
            .client
            .put_object()
            .bucket(&self.bucket)
            .key(upload_key(upload))
            // Signed: S3 takes no other length.
            .content_length(i64::try_from(bytes).unwrap_or(i64::MAX));
        let url = put.presigned(open.map_err(corrupt)?).await.map_err(store_error)?;
        Ok(url.uri().to_owned())
    }

    async fn uploaded(&self, upload: UploadId) -> Result<ListFile, FileError> {
        let key = upload_key(upload);
        let head = self.client.head_object().bucket(&self.bucket).key(&key).send().await;
        let head = head.map_err(|error| match error.as_service_error() {
            Some(HeadObjectError::NotFound(_)) => FileError::Missing,
            // Who may not list a bucket is not told that a file is not there.
            _ if error.raw_response().is_some_and(|raw| raw.status().as_u16() == 403) => FileError::Missing,
            _ => store_error(error).into(),
        })?;
        let bytes = head.content_length.and_then(|bytes| u64::try_from(bytes).ok());
        match (bytes, head.e_tag) {
            (Some(bytes), Some(tag)) => Ok(ListFile { key, bytes, tag }),
            _ => Err(StoreError::Corrupt("a file without a length or a tag".into()).into()),
        }
    }
}

impl JobFiles for JobBucket {
    async fn read(&self, key: &str, tag: Option<&str>, range: Range<u64>) -> Result<Vec<u8>, FileError> {
        self.get(key, tag, Some(range)).await
    }

    async fn write_part(&self, id: GrantId, number: u32, guests: &[GuestId]) -> Result<Part, StoreError> {
        let content = one_a_line(guests);
        let file = format!("grants/{id}/part-{number:06}-{}.csv", digest(&content));
        let bytes = content.len() as u64;
        self.put(&file, content).await?;
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
        self.put(&file, content).await?;
        Ok(file)
    }

    async fn read_report(&self, file: &str) -> Result<Vec<Refusal>, FileError> {
        let content = self.get(file, None, None).await?;
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

fn corrupt(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
    StoreError::Corrupt(error.into())
}

fn store_error<E>(error: SdkError<E>) -> StoreError
where
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    match error.code() {
        Some("SlowDown" | "RequestLimitExceeded") => StoreError::Throttled(Box::new(error)),
        _ => StoreError::Unavailable(Box::new(error)),
    }
}

#[cfg(test)]
mod tests;
