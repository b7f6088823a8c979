//! What operators see.

use std::collections::BTreeMap;

use domain_grant::{
    Failure, GotNothing, Grant, GrantStatus, ListCheck, Reason, Recipients, Segment, UploadId,
};
use domain_ids::{GrantId, GuestId, TemplateId};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// A grant as operators see it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "id": "01KA3Z5QJ8M4T2R7V9X1C6B0NG", "templateId": "01KA3Z5QJ8M4T2R7V9X1C6B0NG",
    "recipients": {"list": {"bytes": 37_000_000}}, "status": "running",
    "progress": {"chunks": 565, "doneChunks": 80, "recipients": 141_600, "issued": 141_000, "alreadyHeld": 500,
        "refused": {"duplicate": 90, "invalid-guest-id": 10}},
    "createTime": "2026-11-11T00:00:00Z", "updateTime": "2026-11-11T00:01:00Z"
}))]
pub struct GrantView {
    /// Identity.
    #[schema(value_type = String)]
    pub id: GrantId,
    /// What is granted.
    #[schema(value_type = String)]
    pub template_id: TemplateId,
    /// To whom.
    pub recipients: RecipientsView,
    /// How far it is: `planning`, `running`, `paused`, `done`, `failed`.
    #[schema(value_type = String, example = "running")]
    pub status: GrantStatus,
    /// Why it failed: `list-missing`, `list-changed`, `segment-unreadable`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub failure: Option<Failure>,
    /// How far it is in figures.
    pub progress: ProgressView,
    /// When it was ordered.
    #[schema(value_type = String, format = DateTime)]
    pub create_time: Timestamp,
    /// The last time anything changed.
    #[schema(value_type = String, format = DateTime)]
    pub update_time: Timestamp,
}

/// To whom.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RecipientsView {
    /// A list.
    List {
        /// How long its file is.
        bytes: u64,
    },
    /// A segment.
    Segment(SegmentView),
}

/// Which segment.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SegmentView {
    /// `true`: every guest who can sign in.
    All(bool),
    /// The members of this group.
    Group(String),
}

/// Rows are counted chunk by chunk: `recipients` = `issued` + `alreadyHeld` + the sum of `refused`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProgressView {
    /// Chunks known so far; all of them once the grant is no longer planning.
    pub chunks: u32,
    /// Chunks that are done.
    pub done_chunks: u32,
    /// Rows of those chunks.
    pub recipients: u64,
    /// Rows that got a coupon.
    pub issued: u64,
    /// Rows of guests who held as many as one guest may.
    pub already_held: u64,
    /// Rows that got none for another reason, by reason.
    #[schema(value_type = BTreeMap<String, u64>)]
    pub refused: BTreeMap<Reason, u64>,
}

impl From<&Grant> for GrantView {
    fn from(grant: &Grant) -> Self {
        let mut refused = grant.figures.refused.clone();
        let already_held = refused.remove(&Reason::ClaimLimitReached).unwrap_or(0);
        Self {
            id: grant.id,
            template_id: grant.template,
            recipients: match &grant.recipients {
                Recipients::List(list) => RecipientsView::List { bytes: list.bytes },
                Recipients::Segment(Segment::All) => RecipientsView::Segment(SegmentView::All(true)),
                Recipients::Segment(Segment::Group(name)) => {
                    RecipientsView::Segment(SegmentView::Group(name.as_str().to_owned()))
                }
            },
            status: grant.status(),
            failure: grant.failure,
            progress: ProgressView {
                chunks: grant.chunks,
                done_chunks: grant.done_chunks,
                recipients: grant.figures.rows(),
                issued: grant.figures.issued,
                already_held,
                refused,
            },
            create_time: grant.created_at,
            update_time: grant.updated_at,
        }
    }
}

/// Part of all grants.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct GrantList {
    /// The grants, the newest first.
    pub items: Vec<GrantView>,
    /// Pass it as `cursor` to get what follows; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// What a list would come to.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"valid": 2, "duplicate": 1, "invalid": 0}))]
pub struct ListCheckView {
    /// Guests, each counted once.
    pub valid: usize,
    /// Guests that are listed again.
    pub duplicate: usize,
    /// Entries that are no guest id.
    pub invalid: usize,
}

impl From<ListCheck> for ListCheckView {
    fn from(ListCheck { valid, duplicate, invalid }: ListCheck) -> Self {
        Self { valid, duplicate, invalid }
    }
}

/// Where a list can be uploaded.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "upload": "01KA3Z5QJ8M4T2R7V9X1C6B0NG", "method": "PUT",
    "url": "https://jobs.s3.us-east-1.amazonaws.com/uploads/01KA3Z5QJ8M4T2R7V9X1C6B0NG.csv?X-Amz-Signature=0",
    "bytes": 3_700_000, "expireTime": "2026-11-11T00:15:00Z"
}))]
pub struct UploadView {
    /// The key to order the grant with.
    #[schema(value_type = String)]
    pub upload: String,
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

impl UploadView {
    /// An address that is good until `expire_time`.
    pub fn new(upload: UploadId, url: String, bytes: u64, expire_time: Timestamp) -> Self {
        Self { upload: upload.to_string(), url, method: "PUT", bytes, expire_time }
    }
}

/// A row that got no coupon.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"line": 17, "guestId": "0c9c3a2e-6d0b-4f6e-8f0e-0d5d7c1f2a34", "reason": "coupon-sold-out"}))]
pub struct GotNothingView {
    /// Which line of the list, from 1; absent while an earlier chunk is not done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// Whose row; absent where it does not begin with a guest id.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub guest_id: Option<GuestId>,
    /// Why: `invalid-guest-id`, `line-too-long`, `duplicate`, `claim-limit-reached`, `coupon-sold-out`, `sale-ended`,
    /// `sale-not-started`, `sale-paused`, `template-not-found`, `template-not-claimable`.
    #[schema(value_type = String)]
    pub reason: Reason,
}

impl From<GotNothing> for GotNothingView {
    fn from(GotNothing { line, guest, reason }: GotNothing) -> Self {
        Self { line, guest_id: guest, reason }
    }
}

/// Part of a grant's report.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct GrantReport {
    /// Who got nothing, in the order of the list. May be fewer than `limit` although more follow.
    pub items: Vec<GotNothingView>,
    /// Pass it as `cursor` to get what follows; absent at the end of what is done so far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}
