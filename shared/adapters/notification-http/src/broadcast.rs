//! Broadcasts and redrives as operators see them.

use domain_channel::{Channel, Priority};
use domain_ids::{BroadcastId, MessageId, TemplateCode, TransactionId};
use domain_notification::{
    Audience, Broadcast, BroadcastStatus, Fault, MAX_REDRIVEN, Receiver, Redrive, RedriveFilter, Redriven,
};
use jiff::Timestamp;
use platform_http::{Problem, Request, cursor};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::notification::NotificationReceivers;

/// Characters of what a reason is to contain: as many as a reason has.
const MAX_REASON_CHARS: usize = 500;

/// A broadcast, and how far it is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "id": "01KA3Z5QJ8M4T2R7V9X1C6B0NG", "to": {"group": "vip"}, "type": "internal", "priority": "low", "template": "double_eleven",
    "status": "running", "progress": {"pages": 120, "accepted": 7_199, "repeated": 1, "refused": 0},
    "createdAt": "2026-11-11T00:00:00Z", "updatedAt": "2026-11-11T00:01:00Z"
}))]
pub struct BroadcastView {
    /// Identity.
    #[schema(value_type = String)]
    pub id: BroadcastId,
    /// To whom: `{"segment": "all"}` or `{"group": "vip"}`.
    pub to: NotificationReceivers,
    /// On which way: `sms`, `email`, `wechat`, `push` or `internal`.
    #[serde(rename = "type")]
    #[schema(value_type = String, example = "internal")]
    pub channel: Channel,
    /// How soon: `low`, `normal`, `high` or `urgent`.
    #[schema(value_type = String, example = "low")]
    pub priority: Priority,
    /// What it says.
    #[schema(value_type = String)]
    pub template: TemplateCode,
    /// `running`, `done`, `cancelled` or `failed`.
    #[schema(example = "running")]
    pub status: &'static str,
    /// Why it failed: `segment-unreadable`, `notification-template-not-found`, `template-disabled`, `expired`, `request-invalid`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub failure: Option<&'static str>,
    /// How far it is in figures.
    pub progress: BroadcastProgressView,
    /// Whether the directory had to be listed anew.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub restarted: bool,
    /// Not before.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub scheduled_at: Option<Timestamp>,
    /// Not after.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
    /// What it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub transaction_id: Option<TransactionId>,
    /// When it was asked for.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// The last time anything changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

/// Guests are counted page by page.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BroadcastProgressView {
    /// Pages of the directory that are done.
    pub pages: u32,
    /// Guests whose notification was accepted.
    pub accepted: u64,
    /// Guests who had theirs already: from a try at the page that was cut off, or since the directory was listed anew.
    pub repeated: u64,
    /// Guests of the page at which the broadcast failed.
    pub refused: u64,
}

impl From<&Broadcast> for BroadcastView {
    fn from(broadcast: &Broadcast) -> Self {
        let figures = broadcast.figures;
        Self {
            id: broadcast.id,
            to: match &broadcast.audience {
                Audience::All => NotificationReceivers::Segment { segment: "all".into() },
                Audience::Group(group) => NotificationReceivers::Group { group: group.as_str().to_owned() },
            },
            channel: broadcast.channel,
            priority: broadcast.priority,
            template: broadcast.template.clone(),
            status: broadcast.status.name(),
            failure: match broadcast.status {
                BroadcastStatus::Failed(why) => Some(why.name()),
                BroadcastStatus::Running | BroadcastStatus::Done | BroadcastStatus::Cancelled => None,
            },
            progress: BroadcastProgressView {
                pages: broadcast.pages,
                accepted: figures.accepted,
                repeated: figures.repeated,
                refused: figures.refused,
            },
            restarted: broadcast.restarted,
            scheduled_at: broadcast.scheduled_at,
            expires_at: broadcast.expires_at,
            transaction_id: broadcast.transaction.clone(),
            created_at: broadcast.created_at,
            updated_at: broadcast.updated_at,
        }
    }
}

/// Part of all broadcasts.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BroadcastList {
    /// The broadcasts, the newest first.
    pub items: Vec<BroadcastView>,
    /// Pass it as `cursor` to get what follows; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// The place of a broadcast in the list of all, before it is made opaque.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BroadcastCursor(pub BroadcastId);

impl BroadcastCursor {
    const MARK: &str = "broadcast:";

    /// Where the page begins that the caller asks for, or 400 `invalid-cursor`.
    pub fn from_query(request: &Request) -> Result<Option<BroadcastId>, Problem> {
        let Some(text) = cursor::from_query(request)? else { return Ok(None) };
        let id = text.strip_prefix(Self::MARK).and_then(|id| id.parse().ok());
        id.map(Some).ok_or_else(cursor::invalid)
    }

    /// As a caller gets it.
    pub fn encode(&self) -> String {
        cursor::encode(&format!("{}{}", Self::MARK, self.0))
    }
}

/// Dead letters to be put back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"priority": "normal", "filter": {"channel": "sms", "reason": "timeout"}, "dryRun": false, "limit": 100}))]
pub struct RedriveRequest {
    /// Whose dead letters: `low`, `normal`, `high` or `urgent`.
    #[schema(value_type = String, example = "normal")]
    priority: Priority,
    /// Which of them; all without it.
    #[serde(default)]
    filter: RedriveFilterRequest,
    /// Only looks; `true` without it.
    #[serde(default = "yes")]
    dry_run: bool,
    /// The most notifications, 1 to 500; 500 without it.
    #[serde(default = "most")]
    limit: u16,
}

fn yes() -> bool {
    true
}

fn most() -> u16 {
    MAX_REDRIVEN
}

/// Which dead letters; what is absent does not matter.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RedriveFilterRequest {
    /// What the reason contains, 1 to 500 characters.
    reason: Option<String>,
    /// The template's code.
    template: Option<String>,
    /// The type: `sms`, `email`, `wechat`, `push` or `internal`.
    #[schema(value_type = Option<String>)]
    channel: Option<Channel>,
    /// To whom: a guest's id, or an address as a URI.
    receiver: Option<String>,
    /// Failed before this time.
    #[schema(value_type = Option<String>, format = DateTime)]
    failed_before: Option<String>,
    /// Failed at this time or later.
    #[schema(value_type = Option<String>, format = DateTime)]
    failed_after: Option<String>,
}

impl RedriveRequest {
    /// What is to be redriven, or all that is wrong with it.
    pub fn parse(self) -> Result<Redrive, Vec<Fault>> {
        let mut faults = Vec::new();
        let RedriveFilterRequest { reason, template, channel, receiver, failed_before, failed_after } =
            self.filter;
        if !(1..=MAX_REDRIVEN).contains(&self.limit) {
            faults.push(Fault::new("limit", "must be 1 to 500"));
        }
        if reason.as_ref().is_some_and(|it| !(1..=MAX_REASON_CHARS).contains(&it.chars().count())) {
            faults.push(Fault::new("filter/reason", "must be 1 to 500 characters"));
        }
        let template: Option<TemplateCode> =
            read(&mut faults, "template", template, "must be 1 to 64 of A-Z a-z 0-9 - _ .");
        let receiver: Option<Receiver> =
            read(&mut faults, "receiver", receiver, "must be a guest's id, or an address as a URI");
        let instant = "must be an RFC 3339 date and time";
        let failed_before: Option<Timestamp> = read(&mut faults, "failedBefore", failed_before, instant);
        let failed_after: Option<Timestamp> = read(&mut faults, "failedAfter", failed_after, instant);
        if !faults.is_empty() {
            return Err(faults);
        }
        let filter = RedriveFilter { reason, template, channel, receiver, failed_before, failed_after };
        Ok(Redrive { priority: self.priority, filter, dry_run: self.dry_run, limit: self.limit })
    }
}

fn read<T: std::str::FromStr>(
    faults: &mut Vec<Fault>,
    name: &str,
    text: Option<String>,
    must: &str,
) -> Option<T> {
    let value = text?.parse().ok();
    if value.is_none() {
        faults.push(Fault::new(format!("filter/{name}"), must));
    }
    value
}

/// What a redrive found and did.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "dryRun": false, "scanned": 42, "matched": 40, "redriven": 40, "skipped": 1, "stale": 1, "unreadable": 0, "isComplete": true,
    "examples": [{"id": "4V3DDQTWPB9XG3ZGNNNY9QXYNW", "reason": "timeout"}]
}))]
pub struct RedriveView {
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// Dead letters looked at, at most 1,000: `matched` + `skipped` + `stale` + `unreadable`.
    pub scanned: u32,
    /// Those that match.
    pub matched: u32,
    /// Notifications that are pending again and in their queue.
    pub redriven: u32,
    /// Dead letters that do not match. They stay.
    pub skipped: u32,
    /// Dead letters of notifications that were sent, cancelled, refused or forgotten meanwhile. They are deleted, unless
    /// this is a dry run.
    pub stale: u32,
    /// Dead letters that nobody can read. They stay.
    pub unreadable: u32,
    /// Whether all dead letters were looked at; if not, ask again.
    pub is_complete: bool,
    /// The first ten that match.
    pub examples: Vec<RedriveExample>,
}

/// A notification among the dead letters.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RedriveExample {
    /// The notification.
    #[schema(value_type = String)]
    pub id: MessageId,
    /// Why it is there.
    pub reason: String,
}

impl RedriveView {
    /// What was done, in a dry run or for real.
    pub fn new(done: Redriven, dry_run: bool) -> Self {
        let example = |(id, reason)| RedriveExample { id, reason };
        Self {
            dry_run,
            scanned: done.scanned,
            matched: done.matched,
            redriven: done.redriven,
            skipped: done.skipped,
            stale: done.stale,
            unreadable: done.unreadable,
            is_complete: done.is_complete,
            examples: done.examples.into_iter().map(example).collect(),
        }
    }
}

/// How many dead letters there are.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetterDepths {
    /// Of each priority, the most urgent first.
    pub items: Vec<DeadLetterDepth>,
}

/// How many dead letters a priority has.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetterDepth {
    /// `urgent`, `high`, `normal` or `low`.
    #[schema(value_type = String, example = "normal")]
    pub priority: Priority,
    /// About how many.
    pub letters: u64,
}
