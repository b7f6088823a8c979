//! Starting and stopping imports.

use std::time::Duration;

use domain_coupon::{Page, StoreError};
use domain_ids::{HostId, ImportId};
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::{
    FileError, Import, ImportFigures, ImportFile, ImportFormat, ImportQueue, ImportShelf, ImportStatus,
    ImportUploadId, SourceName,
};
use crate::Datum;

/// Bytes of a file: half a million homestays of ordinary length.
pub const MAX_IMPORT_BYTES: u64 = 256 * 1024 * 1024;

/// How long an address for an upload is good for: the largest file over a slow line, and no longer.
pub const UPLOAD_OPEN_FOR: Duration = Duration::from_mins(15);

/// Recognises a repeated order: a digest of who started it and of the caller's idempotency key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImportKey([u8; 16]);

impl ImportKey {
    /// The digest of `idempotency_key` as `caller` sent it.
    pub fn new(caller: &str, idempotency_key: &str) -> Self {
        let digest =
            Sha256::new().chain_update(caller).chain_update("#import#").chain_update(idempotency_key);
        let digest = digest.finalize();
        Self(std::array::from_fn(|i| digest.get(i).copied().unwrap_or_default()))
    }

    /// The digest as bytes, for storage.
    pub fn to_bytes(self) -> [u8; 16] {
        self.0
    }
}

/// An import to be started.
#[derive(Debug, Clone)]
pub struct NewImport {
    /// Its identity, should it be new.
    pub id: ImportId,
    /// The uploaded file.
    pub upload: ImportUploadId,
    /// See [`Import::format`].
    pub format: ImportFormat,
    /// See [`Import::source`].
    pub source: SourceName,
    /// See [`Import::host`].
    pub host: Option<HostId>,
    /// See [`Import::datum`].
    pub datum: Datum,
    /// See [`Import::dry_run`].
    pub dry_run: bool,
    /// Recognises repeats, where the caller named the request.
    pub key: Option<ImportKey>,
    /// Now.
    pub at: Timestamp,
}

/// Where operators start, see and stop imports.
pub trait ImportDesk: ImportShelf {
    /// The import that was started with this key.
    fn started(&self, key: ImportKey) -> impl Future<Output = Result<Option<ImportId>, StoreError>> + Send;

    /// Writes a new import, with its key, in one step; says whether its key was free.
    fn start(
        &self,
        import: &Import,
        key: Option<ImportKey>,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Up to `limit` imports, the newest first, from behind `after` on. A new one may take a moment to show.
    fn newest(
        &self,
        after: Option<ImportId>,
        limit: u16,
    ) -> impl Future<Output = Result<Page<Import, ImportId>, StoreError>> + Send;

    /// Cancels an import that is running, and returns it as it is then; `None` where none is running.
    fn cancel(
        &self,
        id: ImportId,
        at: Timestamp,
    ) -> impl Future<Output = Result<Option<Import>, StoreError>> + Send;
}

/// Where files are uploaded to.
pub trait ImportUploads: Sync {
    /// Where a file of exactly `bytes` can be uploaded to from `at` on, for [`UPLOAD_OPEN_FOR`].
    fn prepare(
        &self,
        upload: ImportUploadId,
        bytes: u64,
        at: Timestamp,
    ) -> impl Future<Output = Result<String, StoreError>> + Send;

    /// The file that was uploaded, as it is now.
    fn uploaded(&self, upload: ImportUploadId) -> impl Future<Output = Result<ImportFile, FileError>> + Send;
}

/// An import that was started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Started {
    /// The import as it is now.
    pub import: Import,
    /// An earlier request with the same key had started it.
    pub replayed: bool,
}

/// Why an import was not started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// There is no such upload.
    #[error("nothing was uploaded under this name")]
    UploadNotFound,
    /// The uploaded file is empty.
    #[error("the uploaded file is empty")]
    UploadEmpty,
    /// The uploaded file is longer than [`MAX_IMPORT_BYTES`].
    #[error("the uploaded file is too long")]
    UploadTooLong,
    /// The store failed. The import may have been started; a repeat with the same key finds it.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

/// Starts an import, or finds the one that was started with the same key, and puts its next step into the queue: so a repeat also
/// helps an import whose message is lost.
pub async fn start_import(
    desk: &impl ImportDesk,
    uploads: &impl ImportUploads,
    queue: &impl ImportQueue,
    new: NewImport,
) -> Result<Started, StartError> {
    if let Some(import) = find(desk, queue, new.key).await? {
        return Ok(Started { import, replayed: true });
    }
    let file = match uploads.uploaded(new.upload).await {
        Ok(file) if file.bytes == 0 => return Err(StartError::UploadEmpty),
        Ok(file) if file.bytes > MAX_IMPORT_BYTES => return Err(StartError::UploadTooLong),
        Ok(file) => file,
        Err(FileError::Missing | FileError::Changed) => return Err(StartError::UploadNotFound),
        Err(FileError::Store(error)) => return Err(error.into()),
    };
    let import = Import {
        id: new.id,
        file,
        format: new.format,
        source: new.source,
        host: new.host,
        datum: new.datum,
        dry_run: new.dry_run,
        status: ImportStatus::Running,
        failure: None,
        position: 0,
        lines: 0,
        figures: ImportFigures::default(),
        parts: Vec::new(),
        created_at: new.at,
        updated_at: new.at,
    };
    // What has no key is nobody else's: where its id is taken, the answer was lost, and the table's client tried again by itself.
    if !desk.start(&import, new.key).await? && new.key.is_some() {
        // Another request with the same key was faster.
        let import = find(desk, queue, new.key).await?;
        let import =
            import.ok_or_else(|| StoreError::Corrupt("the key of an import that is not there".into()))?;
        return Ok(Started { import, replayed: true });
    }
    queue.send(import.id, 0).await?;
    Ok(Started { import, replayed: false })
}

async fn find(
    desk: &impl ImportDesk,
    queue: &impl ImportQueue,
    key: Option<ImportKey>,
) -> Result<Option<Import>, StoreError> {
    let Some(key) = key else { return Ok(None) };
    let Some(id) = desk.started(key).await? else { return Ok(None) };
    let Some(import) = desk.import(id).await? else { return Ok(None) };
    if import.status == ImportStatus::Running {
        queue.send(id, import.position).await?;
    }
    Ok(Some(import))
}

/// Why an import was not cancelled.
#[derive(Debug, thiserror::Error)]
pub enum CancelError {
    /// There is no such import.
    #[error("no such import")]
    NotFound,
    /// It is done, or has failed.
    #[error("the import is over")]
    Over,
    /// The store failed. A repeat is harmless.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

/// Stops an import for good, after the step that is worked on. May be repeated.
pub async fn cancel_import(
    desk: &impl ImportDesk,
    id: ImportId,
    at: Timestamp,
) -> Result<Import, CancelError> {
    if let Some(cancelled) = desk.cancel(id, at).await? {
        return Ok(cancelled);
    }
    let import = desk.import(id).await?.ok_or(CancelError::NotFound)?;
    match import.status {
        ImportStatus::Cancelled => Ok(import),
        ImportStatus::Running | ImportStatus::Done | ImportStatus::Failed => Err(CancelError::Over),
    }
}
