//! The bucket of batch jobs: files that operators upload, and files that jobs write. What is in them, and what they are
//! called, is each job's own (`grant-s3`, `homestay-s3`, where it is tested too).

use std::{ops::Range, time::Duration};

use aws_config::SdkConfig;
use aws_sdk_s3::{
    Client,
    config::RequestChecksumCalculation,
    error::{ProvideErrorMetadata, SdkError},
    operation::{get_object::GetObjectError, head_object::HeadObjectError},
    presigning::PresigningConfig,
    primitives::ByteStream,
};
use domain_coupon::{FileError, StoreError};
use jiff::Timestamp;

/// A client for [`Bucket`].
pub fn client(config: &SdkConfig) -> Client {
    let config = aws_sdk_s3::config::Builder::from(config)
        // Another endpoint is the local stack, where no host is named after a bucket.
        .force_path_style(config.endpoint_url().is_some())
        // Without it, a presigned URL would be good for one content alone.
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired);
    Client::from_conf(config.build())
}

/// The files of one bucket.
#[derive(Debug, Clone)]
pub struct Bucket {
    client: Client,
    name: String,
}

/// A file that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its length.
    pub bytes: u64,
    /// The store's name of its content.
    pub tag: String,
}

impl Bucket {
    /// The bucket named `name`, reached through `client`.
    pub fn new(client: Client, name: String) -> Self {
        Self { client, name }
    }

    /// Writes a file; returns the store's name of its content.
    pub async fn put(&self, key: &str, content: Vec<u8>) -> Result<String, StoreError> {
        let put = self.client.put_object().bucket(&self.name).key(key).body(ByteStream::from(content));
        let output = put.send().await.map_err(store_error)?;
        output.e_tag.ok_or_else(|| corrupt("a file without a tag"))
    }

    /// The bytes of `range` that the file has, or all; with `tag`, only if the file has that content.
    pub async fn get(
        &self,
        key: &str,
        tag: Option<&str>,
        range: Option<Range<u64>>,
    ) -> Result<Vec<u8>, FileError> {
        // The last byte is included (RFC 9110, section 14.1.2).
        let bytes = range.map(|range| format!("bytes={}-{}", range.start, range.end.saturating_sub(1)));
        let get = self.client.get_object().bucket(&self.name).key(key);
        let get = get.set_if_match(tag.map(Into::into)).set_range(bytes);
        let output = get.send().await.map_err(|error| match error.as_service_error() {
            Some(GetObjectError::NoSuchKey(_)) => FileError::Missing,
            _ if error.code() == Some("PreconditionFailed") => FileError::Changed,
            _ => store_error(error).into(),
        })?;
        let content = output.body.collect().await;
        Ok(content.map_err(|error| StoreError::Unavailable(Box::new(error)))?.to_vec())
    }

    /// Where a file of so many bytes can be uploaded to, for `within` from `at` on. No request is sent.
    pub async fn upload_url(
        &self,
        key: &str,
        bytes: u64,
        at: Timestamp,
        within: Duration,
    ) -> Result<String, StoreError> {
        let open = PresigningConfig::builder().start_time(at.into()).expires_in(within).build();
        let put = self.client.put_object().bucket(&self.name).key(key);
        // Signed: S3 takes no other length.
        let put = put.content_length(i64::try_from(bytes).unwrap_or(i64::MAX));
        let url = put.presigned(open.map_err(corrupt)?).await.map_err(store_error)?;
        Ok(url.uri().to_owned())
    }

    /// What is known of a file without reading it.
    pub async fn look(&self, key: &str) -> Result<Stored, FileError> {
        let head = self.client.head_object().bucket(&self.name).key(key).send().await;
        let head = head.map_err(|error| match error.as_service_error() {
            Some(HeadObjectError::NotFound(_)) => FileError::Missing,
            // Who may not list a bucket is not told that a file is not there.
            _ if error.raw_response().is_some_and(|raw| raw.status().as_u16() == 403) => FileError::Missing,
            _ => store_error(error).into(),
        })?;
        let bytes = head.content_length.and_then(|bytes| u64::try_from(bytes).ok());
        match (bytes, head.e_tag) {
            (Some(bytes), Some(tag)) => Ok(Stored { bytes, tag }),
            _ => Err(corrupt("a file without a length or a tag").into()),
        }
    }
}

/// What a file holds, or the store tells of it, cannot be understood.
pub fn corrupt(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
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
