//! Ordering a grant.

use std::{collections::HashSet, time::Duration};

use domain_coupon::{ClaimError, Page, Source, StoreError, TemplateShelf};
use domain_ids::{GrantId, GuestId, TemplateId};
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::{
    Figures, FileError, Grant, GrantShelf, GrantStatus, ListFile, MAX_LIST_BYTES, Recipients, Secret,
    Segment, UploadId, Work, WorkQueue, lines::CHUNK_BYTES,
};

/// Recognises a repeated order: a digest of who ordered it and of the caller's idempotency key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GrantKey([u8; 16]);

impl GrantKey {
    /// The digest of `idempotency_key` as `caller` sent it.
    pub fn new(caller: &str, idempotency_key: &str) -> Self {
        let digest = Sha256::new().chain_update(caller).chain_update("#").chain_update(idempotency_key);
        let digest = digest.finalize();
        Self(std::array::from_fn(|i| digest.get(i).copied().unwrap_or_default()))
    }

    /// The digest as bytes, for storage.
    pub fn to_bytes(self) -> [u8; 16] {
        self.0
    }
}

/// An order for a grant.
#[derive(Debug, Clone)]
pub struct NewGrant {
    /// Its identity, should it be new.
    pub id: GrantId,
    /// What is granted.
    pub template: TemplateId,
    /// To whom.
    pub wanted: Wanted,
    /// Makes the coupons' codes.
    pub secret: Secret,
    /// Recognises repeats, where the caller named the request.
    pub key: Option<GrantKey>,
    /// Now.
    pub at: Timestamp,
}

/// To whom, as the caller says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// These guests.
    Guests(Vec<GuestId>),
    /// Those of an uploaded list.
    Upload(UploadId),
    /// Those of a segment.
    Segment(Segment),
}

/// Where operators order grants.
pub trait GrantDesk: GrantShelf {
    /// The grant that was ordered with this key.
    fn ordered(&self, key: GrantKey) -> impl Future<Output = Result<Option<GrantId>, StoreError>> + Send;

    /// Writes a new grant, with its key, in one step; says whether its key was free.
    fn create(
        &self,
        grant: &Grant,
        key: Option<GrantKey>,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Up to `limit` grants, the newest first, from behind `after` on.
    fn newest(
        &self,
        after: Option<GrantId>,
        limit: u16,
    ) -> impl Future<Output = Result<Page<Grant, GrantId>, StoreError>> + Send;

    /// Pauses the grant or lets it go on, and returns it as it is then; `None` where there is none.
    fn set_paused(
        &self,
        id: GrantId,
        paused: bool,
        at: Timestamp,
    ) -> impl Future<Output = Result<Option<Grant>, StoreError>> + Send;
}

/// How long an address for an upload is good for: the largest list over a slow line, and no longer.
pub const UPLOAD_OPEN_FOR: Duration = Duration::from_mins(15);

/// Where lists of guests are put.
pub trait Lists: Sync {
    /// Writes the list of a grant, one guest a line.
    fn write(
        &self,
        id: GrantId,
        guests: &[GuestId],
    ) -> impl Future<Output = Result<ListFile, StoreError>> + Send;

    /// Where a list of exactly `bytes` can be uploaded to from `at` on, for [`UPLOAD_OPEN_FOR`].
    fn prepare(
        &self,
        upload: UploadId,
        bytes: u64,
        at: Timestamp,
    ) -> impl Future<Output = Result<String, StoreError>> + Send;

    /// The list that was uploaded, as it is now.
    fn uploaded(&self, upload: UploadId) -> impl Future<Output = Result<ListFile, FileError>> + Send;
}

/// A grant that was ordered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    /// The grant as it is now.
    pub grant: Grant,
    /// An earlier request with the same key had ordered it.
    pub replayed: bool,
}

/// Why a grant was not ordered.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// The template's coupons cannot be granted now.
    #[error("the template refuses")]
    Refused(#[from] ClaimError),
    /// There is no such upload.
    #[error("nothing was uploaded under this key")]
    UploadNotFound,
    /// The uploaded list is empty.
    #[error("the uploaded list is empty")]
    UploadEmpty,
    /// The uploaded list is longer than [`MAX_LIST_BYTES`].
    #[error("the uploaded list is too long")]
    UploadTooLong,
    /// The store failed. The grant may have been ordered; a repeat with the same key finds it.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

/// Orders a grant, or finds the one that was ordered with the same key. Whoever gets an error or no answer repeats
/// the request with the same key: the repeat also puts into the queue what a crash left out.
pub async fn create_grant(
    desk: &impl GrantDesk,
    templates: &impl TemplateShelf,
    lists: &impl Lists,
    queue: &impl WorkQueue,
    new: NewGrant,
) -> Result<Created, CreateError> {
    if let Some(created) = find(desk, queue, new.key).await? {
        return Ok(created);
    }
    check_template(templates, new.template, new.at).await?;
    let recipients = match new.wanted {
        Wanted::Guests(guests) => Recipients::List(lists.write(new.id, &guests).await?),
        Wanted::Segment(segment) => Recipients::Segment(segment),
        Wanted::Upload(upload) => Recipients::List(check(lists.uploaded(upload).await)?),
    };
    let chunks = match &recipients {
        Recipients::List(list) => u32::try_from(list.bytes.div_ceil(CHUNK_BYTES)).unwrap_or(u32::MAX),
        Recipients::Segment(_) => 0,
    };
    let grant = Grant {
        id: new.id,
        template: new.template,
        recipients,
        secret: new.secret,
        chunks,
        planned: false,
        listed_to: None,
        paused: false,
        failure: None,
        done_chunks: 0,
        figures: Figures::default(),
        created_at: new.at,
        updated_at: new.at,
    };
    if !desk.create(&grant, new.key).await? {
        // Another request with the same key was faster.
        let found = find(desk, queue, new.key).await?;
        return found
            .ok_or_else(|| StoreError::Corrupt("the key of a grant that is not there".into()).into());
    }
    queue.send(&[Work::Plan { grant: grant.id, from: 0 }]).await?;
    Ok(Created { grant, replayed: false })
}

async fn find(
    desk: &impl GrantDesk,
    queue: &impl WorkQueue,
    key: Option<GrantKey>,
) -> Result<Option<Created>, StoreError> {
    let Some(key) = key else { return Ok(None) };
    let Some(id) = desk.ordered(key).await? else { return Ok(None) };
    let Some(grant) = desk.grant(id).await? else { return Ok(None) };
    if grant.status() == GrantStatus::Planning {
        queue.send(&[Work::Plan { grant: id, from: grant.chunks }]).await?;
    }
    Ok(Some(Created { grant, replayed: true }))
}

fn check(uploaded: Result<ListFile, FileError>) -> Result<ListFile, CreateError> {
    match uploaded {
        Ok(list) if list.bytes == 0 => Err(CreateError::UploadEmpty),
        Ok(list) if list.bytes > MAX_LIST_BYTES => Err(CreateError::UploadTooLong),
        Ok(list) => Ok(list),
        Err(FileError::Missing | FileError::Changed) => Err(CreateError::UploadNotFound),
        Err(FileError::Store(error)) => Err(error.into()),
    }
}

/// A template that refuses every claim of a grant would only fill its report. One that is sold out may get more.
async fn check_template(
    templates: &impl TemplateShelf,
    id: TemplateId,
    now: Timestamp,
) -> Result<(), CreateError> {
    let template = templates.template(id).await?.ok_or(ClaimError::TemplateNotFound)?;
    template.admits(Source::Grant, None, now)?;
    Ok(())
}

/// What a list of guests would come to, without granting anything.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ListCheck {
    /// Guests, each counted once.
    pub valid: usize,
    /// Guests that were listed before.
    pub duplicate: usize,
    /// Entries that are no guest id.
    pub invalid: usize,
}

/// Checks a list against a template, which must be one whose coupons can be granted now.
pub async fn check_list(
    templates: &impl TemplateShelf,
    template: TemplateId,
    guests: &[String],
    now: Timestamp,
) -> Result<ListCheck, CreateError> {
    check_template(templates, template, now).await?;
    let mut seen = HashSet::new();
    let mut check = ListCheck::default();
    for guest in guests {
        match guest.parse::<GuestId>() {
            Err(_) => check.invalid += 1,
            Ok(guest) => {
                let counter = if seen.insert(guest) { &mut check.valid } else { &mut check.duplicate };
                *counter += 1;
            }
        }
    }
    Ok(check)
}
