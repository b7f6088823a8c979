//! Files of exchange codes in a bucket: `codes/<template>/<batch>.csv`.
//!
//! A file is written by a multipart upload, so that it is never in memory as a whole and nobody sees a part of it. The
//! bucket throws away uploads that were left behind after a day, and files after a month.

use std::{error::Error, time::Duration};

use aws_config::SdkConfig;
use aws_sdk_s3::{
    Client,
    config::{Builder, timeout::TimeoutConfig},
    error::{ProvideErrorMetadata, SdkError},
    presigning::PresigningConfig,
    primitives::ByteStream,
    types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart},
};
use domain_coupon::StoreError;
use domain_exchange::{CodeBatch, CodeDownloads, CodeFiles};

/// How long a download can be started. The URL is a key to the codes: long enough for a click, no longer.
pub const DOWNLOAD_WITHIN: Duration = Duration::from_mins(15);

/// Time for one attempt: a part takes a second on a slow day, and ten where something is wrong.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);

/// Time for a call with all its attempts.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(30);

/// The files in one bucket.
#[derive(Debug, Clone)]
pub struct CodeBucket {
    client: Client,
    bucket: String,
}

/// A file that is being written.
#[derive(Debug)]
pub struct Upload {
    key: String,
    id: String,
    parts: Vec<CompletedPart>,
}

impl CodeBucket {
    /// The bucket named `bucket`. Calls have deadlines of their own: parts take longer than what is in a table.
    pub fn new(config: &SdkConfig, bucket: String) -> Self {
        let timeouts = TimeoutConfig::builder()
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .operation_timeout(OPERATION_TIMEOUT);
        let config = Builder::from(config).timeout_config(timeouts.build());
        Self::with_client(Client::from_conf(config.build()), bucket)
    }

    /// The bucket named `bucket`, reached through `client`.
    pub fn with_client(client: Client, bucket: String) -> Self {
        Self { client, bucket }
    }
}

impl CodeDownloads for CodeBucket {
    /// Good for [`DOWNLOAD_WITHIN`]. No request is sent: whether there is a file is not known here.
    async fn download_url(&self, batch: &CodeBatch) -> Result<String, StoreError> {
        let within = PresigningConfig::expires_in(DOWNLOAD_WITHIN).map_err(unavailable)?;
        let request = self
            .client
            .get_object()
            .bucket(&self.bucket)
            .key(key(batch))
            .response_content_disposition(format!("attachment; filename=\"codes-{}.csv\"", batch.id))
            .presigned(within)
            .await
            .map_err(store_error)?;
        Ok(request.uri().to_owned())
    }
}

impl CodeFiles for CodeBucket {
    type Upload = Upload;

    /// The least that S3 takes; five of them are a million codes.
    const PART_BYTES: usize = 5 * 1024 * 1024;

    async fn begin(&self, batch: &CodeBatch) -> Result<Upload, StoreError> {
        let key = key(batch);
        let output = self
            .client
            .create_multipart_upload()
            .bucket(&self.bucket)
            .key(&key)
            .content_type("text/csv; charset=utf-8")
            .checksum_algorithm(ChecksumAlgorithm::Crc32)
            .send()
            .await
            .map_err(store_error)?;
        let id = output.upload_id.ok_or_else(|| corrupt("an upload without an id"))?;
        Ok(Upload { key, id, parts: Vec::new() })
    }

    async fn append(&self, upload: &mut Upload, part: Vec<u8>) -> Result<(), StoreError> {
        let number = i32::try_from(upload.parts.len() + 1).map_err(|_| corrupt("too many parts"))?;
        let output = self
            .client
            .upload_part()
            .bucket(&self.bucket)
            .key(&upload.key)
            .upload_id(&upload.id)
            .part_number(number)
            .checksum_algorithm(ChecksumAlgorithm::Crc32)
            .body(ByteStream::from(part))
            .send()
            .await
            .map_err(store_error)?;
        let completed = CompletedPart::builder()
            .part_number(number)
            .set_e_tag(output.e_tag)
            .set_checksum_crc32(output.checksum_crc32);
        upload.parts.push(completed.build());
        Ok(())
    }

    async fn finish(&self, upload: &mut Upload) -> Result<(), StoreError> {
        let parts = CompletedMultipartUpload::builder().set_parts(Some(upload.parts.clone())).build();
        self.client
            .complete_multipart_upload()
            .bucket(&self.bucket)
            .key(&upload.key)
            .upload_id(&upload.id)
            .multipart_upload(parts)
            .send()
            .await
            .map_err(store_error)?;
        Ok(())
    }

    async fn abandon(&self, upload: Upload) {
        let aborted = self
            .client
            .abort_multipart_upload()
            .bucket(&self.bucket)
            .key(&upload.key)
            .upload_id(&upload.id)
            .send();
        // The bucket's lifecycle does the same, only later.
        let _ = aborted.await;
    }
}

fn key(batch: &CodeBatch) -> String {
    format!("codes/{}/{}.csv", batch.template, batch.id)
}

fn store_error<E, R>(error: SdkError<E, R>) -> StoreError
where
    E: Error + ProvideErrorMetadata + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    match error.code() {
        Some("SlowDown" | "ThrottlingException" | "RequestLimitExceeded") => {
            StoreError::Throttled(Box::new(error))
        }
        _ => StoreError::Unavailable(Box::new(error)),
    }
}

fn unavailable(error: impl Error + Send + Sync + 'static) -> StoreError {
    StoreError::Unavailable(Box::new(error))
}

fn corrupt(what: &'static str) -> StoreError {
    StoreError::Corrupt(what.into())
}
