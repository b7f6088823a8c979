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
use domain_homestay::{
    ImportFile, ImportFileError, ImportFiles, ImportUploadId, ImportUploads, RefusedRow, ReportPart,
    UPLOAD_OPEN_FOR,
};
use domain_ids::ImportId;
use jiff::Timestamp;

/// A client for [`ImportBucket`].
pub fn client(config: &SdkConfig) -> Client {
    let config = aws_sdk_s3::config::Builder::from(config)
        // Another endpoint is the local stack, where no host is named after a bucket.
        .force_path_style(config.endpoint_url().is_some())
        // Without it, a presigned URL would be good for one content alone.
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired);
    Client::from_conf(config.build())
}

/// The bucket of batch jobs, as far as imports use it.
#[derive(Debug, Clone)]
pub struct ImportBucket {
    client: Client,
    bucket: String,
}

impl ImportBucket {
    /// The bucket named `bucket`, reached through `client`.
    pub fn new(client: Client, bucket: String) -> Self {
        Self { client, bucket }
    }

    async fn get(
        &self,
        key: &str,
        tag: Option<&str>,
        range: Option<Range<u64>>,
    ) -> Result<Vec<u8>, ImportFileError> {
        // The last byte is included (RFC 9110, section 14.1.2).
        let bytes = range.map(|range| format!("bytes={}-{}", range.start, range.end.saturating_sub(1)));
        let get = self.client.get_object().bucket(&self.bucket).key(key);
        let get = get.set_if_match(tag.map(Into::into)).set_range(bytes);
        let output = get.send().await.map_err(|error| match error.as_service_error() {
            Some(GetObjectError::NoSuchKey(_)) => ImportFileError::Missing,
            _ if error.code() == Some("PreconditionFailed") => ImportFileError::Changed,
            _ => store_error(error).into(),
        })?;
        let content = output.body.collect().await;
        Ok(content.map_err(|error| StoreError::Unavailable(Box::new(error)))?.to_vec())
    }
}

impl ImportUploads for ImportBucket {
    async fn prepare(&self, upload: ImportUploadId, bytes: u64, at: Timestamp) -> Result<String, StoreError> {
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

    async fn uploaded(&self, upload: ImportUploadId) -> Result<ImportFile, ImportFileError> {
        let key = upload_key(upload);
        let head = self.client.head_object().bucket(&self.bucket).key(&key).send().await;
        let head = head.map_err(|error| match error.as_service_error() {
            Some(HeadObjectError::NotFound(_)) => ImportFileError::Missing,
            // Who may not list a bucket is not told that a file is not there.
            _ if error.raw_response().is_some_and(|raw| raw.status().as_u16() == 403) => {
                ImportFileError::Missing
            }
            _ => store_error(error).into(),
        })?;
        let bytes = head.content_length.and_then(|bytes| u64::try_from(bytes).ok());
        match (bytes, head.e_tag) {
            (Some(bytes), Some(tag)) => Ok(ImportFile { key, bytes, tag }),
            _ => Err(StoreError::Corrupt("a file without a length or a tag".into()).into()),
        }
    }
}

impl ImportFiles for ImportBucket {
    async fn read(&self, file: &ImportFile, range: Range<u64>) -> Result<Vec<u8>, ImportFileError> {
        self.get(&file.key, Some(&file.tag), Some(range)).await
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
        let put = self.client.put_object().bucket(&self.bucket).key(part_key(id, part));
        put.body(ByteStream::from(content)).send().await.map_err(store_error)?;
        Ok(())
    }

    async fn read_part(&self, id: ImportId, part: ReportPart) -> Result<Vec<RefusedRow>, ImportFileError> {
        let content = self.get(&part_key(id, part), None, None).await?;
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
