//! What operators send.

use domain_grant::{MAX_LIST_BYTES, Segment, Wanted};
use domain_ids::{GuestId, TemplateId};
use platform_http::{Problem, StatusCode};
use serde::Deserialize;
use utoipa::ToSchema;

/// Guests that are named in a request. Longer lists are uploaded.
pub const MAX_GUESTS: usize = 1_000;

/// An order for a grant.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({
    "templateId": "01KA3Z5QJ8M4T2R7V9X1C6B0NG",
    "recipients": {"guests": ["0c9c3a2e-6d0b-4f6e-8f0e-0d5d7c1f2a34"]}
}))]
pub struct CreateGrantRequest {
    /// What is granted. Its sale must be running, unless its coupons reach guests by exchange codes alone.
    #[schema(value_type = String)]
    pub template_id: TemplateId,
    /// To whom.
    pub recipients: RecipientsRequest,
    /// Only counts what a list of guests would come to.
    #[serde(default)]
    pub dry_run: bool,
}

/// Exactly one of these.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RecipientsRequest {
    /// 1 to 1,000 guests by their ids.
    guests: Option<Vec<String>>,
    /// An uploaded list, by the key that `POST /v1/admin/grant-uploads` returned.
    upload: Option<String>,
    /// A segment of all guests.
    segment: Option<SegmentRequest>,
}

/// Exactly one of these.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SegmentRequest {
    /// `true`: every guest who can sign in.
    all: Option<bool>,
    /// The members of a group of the user pool.
    group: Option<String>,
}

/// A change of a grant.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PatchGrantRequest {
    /// Stop it, or go on with it.
    pub status: GrantSwitch,
}

/// What an operator can do with a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GrantSwitch {
    /// Chunks that are worked on are finished, the others wait.
    Paused,
    /// Everything that is not done is put into the queue again.
    Running,
}

/// A list to be uploaded.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"bytes": 3_700_000}))]
pub struct CreateUploadRequest {
    /// How long the file is, exactly: 1 to 67,108,864 bytes.
    pub bytes: u64,
}

/// What an order asks for.
#[derive(Debug)]
pub enum Order {
    /// To grant.
    Grant(Wanted),
    /// To count these.
    Check(Vec<String>),
}

impl CreateGrantRequest {
    /// The order, or 422 with the fields at fault.
    pub fn parse(self) -> Result<Order, Problem> {
        let RecipientsRequest { guests, upload, segment } = self.recipients;
        match (guests, upload, segment) {
            (Some(guests), None, None) if !(1..=MAX_GUESTS).contains(&guests.len()) => {
                Err(invalid().field("recipients/guests", "must be 1 to 1000 guests; upload a longer list"))
            }
            (Some(guests), None, None) if self.dry_run => Ok(Order::Check(guests)),
            (Some(guests), None, None) => parse_guests(&guests).map(Wanted::Guests).map(Order::Grant),
            _ if self.dry_run => Err(invalid().field("dryRun", "must not be true but for recipients/guests")),
            (None, Some(upload), None) => {
                let upload = upload.parse().map_err(|_| no_such_upload())?;
                Ok(Order::Grant(Wanted::Upload(upload)))
            }
            (None, None, Some(segment)) => parse_segment(&segment).map(Wanted::Segment).map(Order::Grant),
            _ => Err(invalid().field("recipients", "must be one of guests, upload and segment")),
        }
    }
}

fn parse_guests(guests: &[String]) -> Result<Vec<GuestId>, Problem> {
    let parsed: Vec<Result<GuestId, _>> = guests.iter().map(|guest| guest.parse()).collect();
    let wrong = |(at, guest): (usize, &Result<GuestId, _>)| guest.is_err().then_some(at);
    let mut wrong = parsed.iter().enumerate().filter_map(wrong).peekable();
    if wrong.peek().is_none() {
        return Ok(parsed.into_iter().flatten().collect());
    }
    Err(wrong.fold(invalid(), |problem, at| {
        problem.field(&format!("recipients/guests/{at}"), "must be a guest id")
    }))
}

fn parse_segment(segment: &SegmentRequest) -> Result<Segment, Problem> {
    match (segment.all, &segment.group) {
        (Some(true), None) => Ok(Segment::All),
        (Some(false), None) => Err(invalid().field("recipients/segment/all", "must be true")),
        (None, Some(name)) => name.parse().map(Segment::Group).map_err(|_| {
            let must = "must be 1 to 128 characters without spaces";
            invalid().field("recipients/segment/group", must)
        }),
        _ => Err(invalid().field("recipients/segment", "must be one of all and group")),
    }
}

impl CreateUploadRequest {
    /// The length, or 422.
    pub fn parse(&self) -> Result<u64, Problem> {
        if (1..=MAX_LIST_BYTES).contains(&self.bytes) {
            Ok(self.bytes)
        } else {
            Err(invalid().field("bytes", "must be 1 to 67108864"))
        }
    }
}

/// 422, to be completed by the fields at fault.
pub fn invalid() -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid-body", "The body is not valid")
}

/// 422: nothing was uploaded under the key.
pub fn no_such_upload() -> Problem {
    invalid().field("recipients/upload", "must be the key of a list that has been uploaded")
}
