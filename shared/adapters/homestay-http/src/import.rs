//! Imports as operators spell them.

use domain_homestay::{
    Datum, Import, ImportFailure, ImportFailureReason, ImportFormat, ImportReportPosition, ImportStatus,
    ImportUploadId, MAX_IMPORT_BYTES, RefusedRow, SourceName,
};
use domain_ids::{HostId, ImportId};
use jiff::Timestamp;
use platform_http::{Problem, Request, cursor};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::problems::{invalid_body, no_such_upload};

/// A file to be uploaded.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"bytes": 1_863_933}))]
pub struct CreateImportUploadRequest {
    /// How long the file is, exactly: 1 to 268,435,456 bytes.
    bytes: u64,
}

impl CreateImportUploadRequest {
    /// The length, or 422.
    pub fn parse(&self) -> Result<u64, Problem> {
        if (1..=MAX_IMPORT_BYTES).contains(&self.bytes) {
            Ok(self.bytes)
        } else {
            Err(invalid_body().field("bytes", "must be 1 to 268435456"))
        }
    }
}

/// Where a file can be uploaded.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "uploadId": "01KA3Z5QJ8M4T2R7V9X1C6B0NG", "method": "PUT",
    "url": "https://jobs.s3.us-east-1.amazonaws.com/imports/uploads/01KA3Z5QJ8M4T2R7V9X1C6B0NG?X-Amz-Signature=0",
    "bytes": 1_863_933, "expireTime": "2026-11-11T00:15:00Z"
}))]
pub struct ImportUploadView {
    /// What to start the import with.
    pub upload_id: String,
    /// Where to send the file; a secret.
    pub url: String,
    /// How to send it.
    pub method: &'static str,
    /// The `Content-Length` it must have.
    pub bytes: u64,
    /// Until when.
    #[schema(value_type = String, format = DateTime)]
    pub expire_time: Timestamp,
}

impl ImportUploadView {
    /// An address that is good until `expire_time`.
    pub fn new(upload: ImportUploadId, url: String, bytes: u64, expire_time: Timestamp) -> Self {
        Self { upload_id: upload.to_string(), url, method: "PUT", bytes, expire_time }
    }
}

/// An order to import a file.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"uploadId": "01KA3Z5QJ8M4T2R7V9X1C6B0NG", "format": "csv", "source": "partner1", "datum": "wgs84"}))]
pub struct CreateImportRequest {
    /// The uploaded file, by what `POST /v1/admin/homestay-uploads` returned.
    upload_id: String,
    /// How the file is written: `csv`, with a header, or `jsonl`; both in UTF-8.
    #[schema(value_type = String, example = "csv")]
    format: ImportFormat,
    /// Whose homestays these are, 1 to 20 of `a-z 0-9`: ids are `<source>-<externalId>`.
    source: String,
    /// The host of rows that name none.
    #[schema(value_type = Option<String>)]
    host: Option<HostId>,
    /// Only counts what the file would come to.
    #[serde(default)]
    dry_run: bool,
    /// In which datum the file tells places: `gcj02` (without it) or `wgs84`.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "wgs84")]
    datum: Datum,
}

/// An order to import a file, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportOrder {
    /// The uploaded file.
    pub upload: ImportUploadId,
    /// How the file is written.
    pub format: ImportFormat,
    /// Whose homestays these are.
    pub source: SourceName,
    /// The host of rows that name none.
    pub host: Option<HostId>,
    /// Nothing is to be written.
    pub dry_run: bool,
    /// In which datum the file tells places.
    pub datum: Datum,
}

impl CreateImportRequest {
    /// The order, or 422 with the field at fault.
    pub fn parse(self) -> Result<ImportOrder, Problem> {
        let upload = self.upload_id.parse().map_err(|_| no_such_upload())?;
        let source = self.source.parse();
        let source = source.map_err(|_| invalid_body().field("source", "must be 1 to 20 of a-z 0-9"))?;
        let Self { format, host, dry_run, datum, .. } = self;
        Ok(ImportOrder { upload, format, source, host, dry_run, datum })
    }
}

/// An import as operators see it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "id": "01KA3Z5QJ8M4T2R7V9X1C6B0NG", "status": "running", "format": "csv", "source": "partner1", "datum": "wgs84", "dryRun": false,
    "progress": {"bytes": 1_863_933, "doneBytes": 1_048_576, "percent": 56, "rows": 5_200, "created": 5_000, "changed": 150,
        "unchanged": 40, "refused": 10, "reported": 10},
    "createTime": "2026-11-11T00:00:00Z", "updateTime": "2026-11-11T00:00:20Z"
}))]
pub struct ImportView {
    /// Identity.
    #[schema(value_type = String)]
    pub id: ImportId,
    /// How far it is: `running`, `done`, `failed` or `cancelled`.
    #[schema(value_type = String, example = "running")]
    pub status: ImportStatus,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<ImportFailureView>,
    /// How the file is written.
    #[schema(value_type = String, example = "csv")]
    pub format: ImportFormat,
    /// Whose homestays these are.
    pub source: String,
    /// The host of rows that name none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub host: Option<HostId>,
    /// In which datum the file tells places.
    #[schema(value_type = String, example = "wgs84")]
    pub datum: Datum,
    /// Nothing is written, only counted.
    pub dry_run: bool,
    /// How far it is in figures.
    pub progress: ImportProgressView,
    /// When it was started.
    #[schema(value_type = String, format = DateTime)]
    pub create_time: Timestamp,
    /// The last time anything changed.
    #[schema(value_type = String, format = DateTime)]
    pub update_time: Timestamp,
}

/// Why an import failed.
#[derive(Debug, Serialize, ToSchema)]
pub struct ImportFailureView {
    /// `file-missing`, `file-changed`, `not-utf8`, `line-too-long` (more than 65,536 bytes) or `wrong-header`.
    #[schema(value_type = String, example = "wrong-header")]
    pub reason: ImportFailureReason,
    /// In which line of the file, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// Which column of the header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
}

/// `rows` = `created` + `changed` + `unchanged` + `refused`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImportProgressView {
    /// How long the file is.
    pub bytes: u64,
    /// How much of it is done.
    pub done_bytes: u64,
    /// The same in per cent, rounded down.
    pub percent: u8,
    /// Rows that are done.
    pub rows: u64,
    /// Rows of homestays that were new.
    pub created: u64,
    /// Rows of homestays that were otherwise.
    pub changed: u64,
    /// Rows that said what was known.
    pub unchanged: u64,
    /// Rows that say what no homestay can be.
    pub refused: u64,
    /// Refused rows that the report tells: the first 10,000.
    pub reported: u64,
}

impl From<&Import> for ImportView {
    fn from(import: &Import) -> Self {
        let failure = |failure: ImportFailure| {
            let ImportFailure { reason, line, column } = failure;
            ImportFailureView { reason, line, column }
        };
        Self {
            id: import.id,
            status: import.status,
            failure: import.failure.clone().map(failure),
            format: import.format,
            source: import.source.as_str().to_owned(),
            host: import.host.clone(),
            datum: import.datum,
            dry_run: import.dry_run,
            progress: ImportProgressView {
                bytes: import.file.bytes,
                done_bytes: import.position,
                percent: import.percent(),
                rows: import.figures.rows(),
                created: import.figures.created,
                changed: import.figures.changed,
                unchanged: import.figures.unchanged,
                refused: import.figures.refused,
                reported: import.reported(),
            },
            create_time: import.created_at,
            update_time: import.updated_at,
        }
    }
}

/// Part of all imports.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImportList {
    /// The imports, the newest first.
    pub items: Vec<ImportView>,
    /// Pass it as `cursor` to get what follows; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// A row that was refused.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"line": 17, "externalId": "1643534", "errors": [{"field": "priceFen", "must": "be 1 to 100,000,000"}]}))]
pub struct RefusedRowView {
    /// In which line of the file it begins, from 1.
    pub line: u64,
    /// What the source calls the homestay; absent where the row does not say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// What is wrong with it.
    pub errors: Vec<RowErrorView>,
}

/// One thing that is wrong with a row.
#[derive(Debug, Serialize, ToSchema)]
pub struct RowErrorView {
    /// The field; empty if it is the row as a whole.
    pub field: String,
    /// What it must be.
    pub must: String,
}

impl From<RefusedRow> for RefusedRowView {
    fn from(RefusedRow { line, external_id, errors }: RefusedRow) -> Self {
        let errors = errors.into_iter().map(|error| RowErrorView { field: error.field, must: error.must });
        Self { line, external_id, errors: errors.collect() }
    }
}

/// Part of an import's report.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImportReport {
    /// Refused rows, in the order of the file. May be fewer than `limit` although more follow.
    pub items: Vec<RefusedRowView>,
    /// Pass it as `cursor` to get what follows; absent at the end of what is done so far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// Where the page of a report begins that the caller asks for, or 400 `invalid-cursor`.
pub fn report_position(request: &Request) -> Result<ImportReportPosition, Problem> {
    let parse = |text: &str| {
        let (part, shown) = text.split_once('.')?;
        Some(ImportReportPosition { part: part.parse().ok()?, shown: shown.parse().ok()? })
    };
    cursor::from_query(request)?
        .map_or(Ok(ImportReportPosition::default()), |text| parse(&text).ok_or_else(cursor::invalid))
}

/// As a caller gets it.
pub fn report_cursor(position: ImportReportPosition) -> String {
    cursor::encode(&format!("{}.{}", position.part, position.shown))
}
