//! Notifications: requests for them, and what has become of them.

use std::collections::BTreeMap;

use coupon_http::to_millisecond;
use domain_channel::{Category, Channel, Priority};
use domain_ids::{BroadcastId, MessageId, TemplateCode, TransactionId};
use domain_notification::{
    Audience, Fault, Message, MessagePosition, NewNotification, Receiver, Rendered, State, Taken,
};
use jiff::Timestamp;
use platform_http::{Problem, Request, cursor};
use platform_idempotency::{IdempotencyKey, MAX_KEY_CHARS};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::template::{NotificationParam, params};

/// A notification to be sent.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({
    "type": "sms", "priority": "high", "template": "order_confirmed",
    "params": {"orderId": "O-20261111-000042", "amount": 58_800},
    "to": ["0c9c3a2e-6d0b-4f6e-8f0e-0d5d7c1f2a34", "tel:+8613800138000"],
    "idempotencyKey": "order-confirmed-O-20261111-000042"
}))]
pub struct SendNotificationRequest {
    /// On which way: `sms` (1 in the roadmap), `email` (2), `wechat` (3), `push` (4), `internal` (5): that of the template.
    #[serde(rename = "type")]
    #[schema(example = "sms")]
    kind: String,
    /// How soon where many wait: `low` (1 in the roadmap), `normal` (2), `high` (3), `urgent` (4); `normal` without it.
    priority: Option<String>,
    /// What it says: the code of a template.
    template: String,
    /// What fills the template in. All its variables, and no others; at most 4,096 bytes as JSON.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, NotificationParam>)]
    params: BTreeMap<String, Value>,
    /// To whom: 1 to 1,000 receivers, each a guest's id, or an address as a URI: `tel:`, `mailto:`, `wechat-official:`,
    /// `wechat-mini:`. Or `{"segment": "all"}`, every guest who can sign in, or `{"group": "vip"}`, the members of a group:
    /// then it is a broadcast.
    #[schema(value_type = NotificationReceivers)]
    to: Value,
    /// Not before this time, within a year; at once without it. Never early, at most a minute late.
    #[schema(value_type = Option<String>, format = DateTime)]
    scheduled_at: Option<String>,
    /// Of no use from this time on: what has not been sent by then is not sent.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<String>,
    /// Names the request, 1 to 255 visible ASCII characters: a repeat finds what the first made. Here or as the header
    /// `Idempotency-Key`; both must be the same.
    idempotency_key: Option<String>,
    /// What it belongs to: 1 to 64 of `A-Z a-z 0-9 - _ . :`.
    transaction_id: Option<String>,
    /// Only checks, and shows what would be sent; needs no idempotency key.
    #[serde(default)]
    dry_run: bool,
}

/// What is asked for is about people.
impl std::fmt::Debug for SendNotificationRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SendNotificationRequest")
            .field("kind", &self.kind)
            .field("template", &self.template)
            .finish_non_exhaustive()
    }
}

/// To whom: receivers, or a segment of all guests.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum NotificationReceivers {
    /// 1 to 1,000 receivers.
    Receivers(Vec<String>),
    /// `all`: every guest who can sign in.
    Segment {
        /// `all`.
        segment: String,
    },
    /// The members of a group.
    Group {
        /// Its name in the user pool.
        group: String,
    },
}

/// A request as the domain takes it, as far as that can be told, and what is wrong with it.
#[derive(Debug)]
pub struct SendOrder {
    /// What is to be sent; none where type or template are not readable, so that nothing else can be checked. What is at
    /// fault has something harmless in its place.
    pub notification: Option<NewNotification>,
    /// The guests, where a broadcast is asked for; the notification then has no receivers.
    pub audience: Option<Audience>,
    /// Whether it is only checked.
    pub dry_run: bool,
    /// What is wrong.
    pub faults: Vec<Fault>,
}

/// Who is asked for.
enum To {
    Receivers(Vec<Receiver>),
    Audience(Audience),
}

impl SendNotificationRequest {
    /// The order of a caller whose keys are those of `scope`, who sent `header` as `Idempotency-Key`.
    pub fn parse(self, scope: String, header: Option<&IdempotencyKey>) -> SendOrder {
        let mut faults = Vec::new();
        let mut fault = |field: &str, must: &str| faults.push(Fault::new(field, must));
        let channel: Option<Channel> = self.kind.parse().ok();
        if channel.is_none() {
            fault("type", "must be one of sms, email, wechat, push, internal");
        }
        let priority = match self.priority.as_deref().map(str::parse::<Priority>) {
            None => Priority::default(),
            Some(Ok(priority)) => priority,
            Some(Err(_)) => {
                fault("priority", "must be one of low, normal, high, urgent");
                Priority::default()
            }
        };
        let template: Option<TemplateCode> = self.template.parse().ok();
        if template.is_none() {
            fault("template", "must be 1 to 64 of A-Z a-z 0-9 - _ .");
        }
        let transaction: Option<TransactionId> = match self.transaction_id.as_deref().map(str::parse) {
            None => None,
            Some(Ok(transaction)) => Some(transaction),
            Some(Err(_)) => {
                fault("transactionId", "must be 1 to 64 of A-Z a-z 0-9 - _ . :");
                None
            }
        };
        let key = match key(self.idempotency_key, header) {
            Ok(Some(key)) => key,
            Ok(None) if self.dry_run => String::new(),
            Ok(None) => {
                fault("idempotencyKey", "must be present, here or as the header Idempotency-Key");
                String::new()
            }
            Err(must) => {
                fault("idempotencyKey", must);
                String::new()
            }
        };
        let scheduled_at = time(&mut faults, "scheduledAt", self.scheduled_at.as_deref());
        let expires_at = time(&mut faults, "expiresAt", self.expires_at.as_deref());
        let (receivers, audience) = match to(&mut faults, &self.to) {
            To::Receivers(receivers) => (receivers, None),
            To::Audience(audience) => (Vec::new(), Some(audience)),
        };
        let params = params(&mut faults, &self.params);
        let notification = channel.zip(template).map(|(channel, template)| NewNotification {
            scope,
            key,
            channel,
            priority,
            template,
            params,
            receivers,
            scheduled_at,
            expires_at,
            transaction,
            broadcast: None,
        });
        SendOrder { notification, audience, dry_run: self.dry_run, faults }
    }
}

/// The one key of header and body, or what it must be.
fn key(body: Option<String>, header: Option<&IdempotencyKey>) -> Result<Option<String>, &'static str> {
    let is_key =
        |key: &String| (1..=MAX_KEY_CHARS).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic());
    match (body, header) {
        (Some(body), _) if !is_key(&body) => Err("must be 1 to 255 visible ASCII characters"),
        (Some(body), Some(header)) if header.as_str() != body => {
            Err("must be that of the header Idempotency-Key")
        }
        (Some(body), _) => Ok(Some(body)),
        (None, header) => Ok(header.map(|key| key.as_str().to_owned())),
    }
}

fn time(faults: &mut Vec<Fault>, field: &str, text: Option<&str>) -> Option<Timestamp> {
    match text.map(str::parse) {
        None => None,
        Some(Ok(time)) => Some(to_millisecond(time)),
        Some(Err(_)) => {
            faults.push(Fault::new(field, "must be an RFC 3339 date and time"));
            None
        }
    }
}

fn to(faults: &mut Vec<Fault>, to: &Value) -> To {
    let mut fault = |field: &str, must: &str| faults.push(Fault::new(field, must));
    match to {
        Value::Array(entries) => {
            let entries = entries.iter().enumerate().map(|(place, entry)| {
                let receiver = entry.as_str().map(str::parse::<Receiver>);
                match receiver {
                    Some(Ok(receiver)) => return Some(receiver),
                    Some(Err(invalid)) => fault(&format!("to/{place}"), &invalid.to_string()),
                    None => fault(&format!("to/{place}"), "must be a text"),
                }
                // In its place somebody whom every channel reaches, so that the others keep theirs.
                "somebody".parse().ok()
            });
            To::Receivers(entries.flatten().collect())
        }
        Value::Object(members) => {
            let text = |name: &str| members.get(name).map(|value| value.as_str().unwrap_or_default());
            match (members.len(), text("segment"), text("group")) {
                (1, Some("all"), None) => return To::Audience(Audience::All),
                (1, Some(_), None) => fault("to/segment", "must be all"),
                (1, None, Some(group)) => match group.parse() {
                    Ok(group) => return To::Audience(Audience::Group(group)),
                    Err(_) => fault("to/group", "must be 1 to 128 characters without spaces"),
                },
                _ => fault("to", "must be one of segment and group"),
            }
            To::Audience(Audience::All)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            fault("to", "must be an array of receivers, or a segment or group");
            To::Audience(Audience::All)
        }
    }
}

/// What was taken.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "items": [{"id": "4V3DDQTWPB9XG3ZGNNNY9QXYNW", "to": "tel:+8613800138000", "isRepeat": false}], "accepted": 1, "repeated": 0
}))]
pub struct AcceptedView {
    /// The notifications, in the order of `to`.
    pub items: Vec<AcceptedItem>,
    /// Those that are new.
    pub accepted: usize,
    /// Those that an earlier request with this key made.
    pub repeated: usize,
}

/// A notification that was taken.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AcceptedItem {
    /// The notification.
    #[schema(value_type = String)]
    pub id: MessageId,
    /// To whom, as it was asked for.
    #[schema(value_type = String)]
    pub to: Receiver,
    /// Whether an earlier request with this key made it.
    pub is_repeat: bool,
}

impl From<Vec<Taken>> for AcceptedView {
    fn from(taken: Vec<Taken>) -> Self {
        let repeated = taken.iter().filter(|it| it.is_repeat).count();
        let item = |Taken { id, receiver, is_repeat }| AcceptedItem { id, to: receiver, is_repeat };
        Self { accepted: taken.len() - repeated, repeated, items: taken.into_iter().map(item).collect() }
    }
}

/// What would be sent.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "receivers": 2, "templateVersion": 3, "language": "zh-CN", "content": "订单 O-20261111-000042 已确认，金额 588.00 元。"
}))]
pub struct DryRunView {
    /// Different receivers; absent for a segment, which is listed when it is sent to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receivers: Option<usize>,
    /// The version of the template.
    pub template_version: u32,
    /// The template's own language; a guest who wants another gets that, where there is one.
    pub language: String,
    /// The title, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The content as plain text.
    pub content: String,
    /// The content as HTML, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub html: Option<String>,
}

impl DryRunView {
    /// What was rendered of this version, for so many receivers.
    pub fn new(receivers: Option<usize>, template_version: u32, rendered: Rendered) -> Self {
        let Rendered { title, content, html, language, provider_templates: _ } = rendered;
        Self { receivers, template_version, language: language.into(), title, content, html }
    }
}

/// A notification, and what has become of it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "id": "4V3DDQTWPB9XG3ZGNNNY9QXYNW", "type": "sms", "priority": "high", "category": "order", "template": "order_confirmed",
    "templateVersion": 3, "receiver": "tel:+8613800138000", "status": "sent", "attempts": 1, "provider": "aliyun",
    "createdAt": "2026-11-11T00:00:00Z", "sentAt": "2026-11-11T00:00:01Z", "content": "订单 O-20261111-000042 已确认，金额 588.00 元。"
}))]
pub struct NotificationView {
    /// Identity.
    #[schema(value_type = String)]
    pub id: MessageId,
    /// On which way: `sms`, `email`, `wechat`, `push` or `internal` (1 to 5 in the roadmap).
    #[serde(rename = "type")]
    #[schema(value_type = String, example = "sms")]
    pub channel: Channel,
    /// How soon: `low`, `normal`, `high` or `urgent` (1 to 4 in the roadmap).
    #[schema(value_type = String, example = "normal")]
    pub priority: Priority,
    /// What it is about: `account`, `order`, `reminder` or `marketing`.
    #[schema(value_type = String, example = "order")]
    pub category: Category,
    /// What it says.
    #[schema(value_type = String)]
    pub template: TemplateCode,
    /// In this version of the template.
    pub template_version: u32,
    /// To whom: a guest's id, or an address as a URI.
    #[schema(value_type = String)]
    pub receiver: Receiver,
    /// `pending` (0 in the roadmap), `sending` (1), `sent` (2), `delivered` (2), `failed` (3), `cancelled`.
    #[schema(example = "sent")]
    pub status: &'static str,
    /// Rounds of calls to providers that have begun, at most 3 (`retry_count` in the roadmap).
    pub attempts: u32,
    /// Who sent it last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// Why it failed, or why the last attempt did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// When it was accepted.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// Not before.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub scheduled_at: Option<Timestamp>,
    /// Not after.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
    /// When a provider took it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub sent_at: Option<Timestamp>,
    /// When it arrived, as the provider says.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub delivered_at: Option<Timestamp>,
    /// When it failed or was cancelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Timestamp>,
    /// Whether another try may help once something is repaired: it is among the dead letters.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub redrivable: bool,
    /// The notification it was bundled into.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub digest: Option<MessageId>,
    /// The broadcast it is part of.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub broadcast: Option<BroadcastId>,
    /// What it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub transaction_id: Option<TransactionId>,
    /// The title in the template's own language; absent in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The content in the template's own language; absent in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
}

impl NotificationView {
    /// The message, with what it says where that is at hand.
    pub fn new(message: &Message, rendered: Option<Rendered>) -> Self {
        let (mut provider, mut sent_at, mut delivered_at, mut ended_at, mut redrivable) =
            (None, None, None, None, false);
        match &message.state {
            State::Pending => {}
            State::Sending { provider: by, .. } => provider = Some(by),
            State::Sent { provider: by, at, .. } => (provider, sent_at) = (Some(by), Some(*at)),
            State::Delivered { provider: by, sent_at: sent, at, .. } => {
                (provider, sent_at, delivered_at) = (Some(by), Some(*sent), Some(*at));
            }
            State::Failed { provider: by, at, redrivable: again } => {
                (provider, ended_at, redrivable) = (by.as_ref(), Some(*at), *again);
            }
            State::Cancelled { at } => ended_at = Some(*at),
        }
        let (title, content) = match rendered {
            Some(Rendered { title, content, .. }) => (title, Some(content)),
            None => (None, None),
        };
        Self {
            id: message.id,
            channel: message.channel,
            priority: message.priority,
            category: message.category,
            template: message.template.code.clone(),
            template_version: message.template.version,
            receiver: message.receiver.clone(),
            status: message.status().name(),
            attempts: message.attempts,
            provider: provider.map(ToString::to_string),
            error: message.error.clone(),
            created_at: message.accepted_at,
            scheduled_at: message.scheduled_at,
            expires_at: message.expires_at,
            sent_at,
            delivered_at,
            ended_at,
            redrivable,
            digest: message.digest,
            broadcast: message.broadcast,
            transaction_id: message.transaction.clone(),
            title,
            content,
        }
    }
}

/// Part of the notifications to a receiver.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NotificationList {
    /// The notifications, the newest first.
    pub items: Vec<NotificationView>,
    /// Pass it as `cursor` to get what follows; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// A place in the list of a receiver's notifications, before it is made opaque.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotificationCursor(pub MessagePosition);

impl NotificationCursor {
    /// What other lists call a place does not begin with it.
    const MARK: &str = "accepted:";

    /// Where the page begins that the caller asks for, or 400 `invalid-cursor`.
    pub fn from_query(request: &Request) -> Result<Option<MessagePosition>, Problem> {
        let Some(text) = cursor::from_query(request)? else { return Ok(None) };
        Self::parse(&text).map(Some).ok_or_else(cursor::invalid)
    }

    fn parse(text: &str) -> Option<MessagePosition> {
        let (ms, id) = text.strip_prefix(Self::MARK)?.split_once('.')?;
        // Nothing was accepted before 1970, and a number has one spelling.
        let number: u64 = ms.parse().ok().filter(|number: &u64| number.to_string() == ms)?;
        let accepted_at = Timestamp::from_millisecond(i64::try_from(number).ok()?).ok()?;
        Some(MessagePosition { accepted_at, id: id.parse().ok()? })
    }

    /// As a caller gets it.
    pub fn encode(&self) -> String {
        cursor::encode(&format!("{}{}.{}", Self::MARK, self.0.accepted_at.as_millisecond(), self.0.id))
    }
}

#[cfg(test)]
mod tests {
    use platform_http::HeaderMap;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn request(members: &Value) -> SendNotificationRequest {
        let mut body = json!({ "type": "sms", "template": "t", "to": ["ann"], "idempotencyKey": "k" });
        body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        serde_json::from_value(body).unwrap()
    }

    fn parse(members: &Value) -> SendOrder {
        request(members).parse("admin:eve".into(), None)
    }

    fn fields(order: &SendOrder) -> Vec<&str> {
        order.faults.iter().map(|fault| fault.field.as_str()).collect()
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        let order = parse(&json!({
            "type": "fax", "priority": "1", "template": "a b", "params": { "n": 1.5 }, "to": ["ann", 7, "tel:1"],
            "scheduledAt": "tomorrow", "expiresAt": "2026-11-11", "idempotencyKey": "a b", "transactionId": "#",
        }));
        let expected = [
            "type",
            "priority",
            "template",
            "transactionId",
            "idempotencyKey",
            "scheduledAt",
            "expiresAt",
            "to/1",
            "to/2",
            "params/n",
        ];
        assert_eq!(fields(&order), expected);
        assert!(order.notification.is_none());
    }

    #[test]
    fn receivers_keep_their_places_where_some_are_none() {
        let order = parse(&json!({ "to": ["fax:1", "ann"] }));
        let receivers = order.notification.unwrap().receivers;
        assert_eq!(receivers.len(), 2);
        assert_eq!(receivers[1], "ann".parse().unwrap());
    }

    #[test]
    fn a_segment_or_a_group_is_an_audience() {
        let audience = |to: Value| {
            let order = parse(&json!({ "to": to }));
            if order.faults.is_empty() { Ok(order.audience) } else { Err(order.faults[0].field.clone()) }
        };
        assert_eq!(audience(json!({ "segment": "all" })), Ok(Some(Audience::All)));
        let vip = Audience::Group("vip".parse().unwrap());
        assert_eq!(audience(json!({ "group": "vip" })), Ok(Some(vip)));
        assert_eq!(audience(json!(["ann"])), Ok(None));
        for (to, field) in [
            (json!({ "segment": "some" }), "to/segment"),
            (json!({ "segment": true }), "to/segment"),
            (json!({ "group": "a b" }), "to/group"),
            (json!({ "segment": "all", "group": "vip" }), "to"),
            (json!({}), "to"),
            (json!("ann"), "to"),
            (json!(null), "to"),
        ] {
            assert_eq!(audience(to.clone()), Err(field.to_owned()), "{to}");
        }
    }

    #[test]
    fn the_key_is_in_the_body_or_in_the_header_or_the_same_in_both() {
        let of = |body: Value, header: Option<&str>, dry_run: bool| {
            let mut headers = HeaderMap::new();
            if let Some(header) = header {
                headers.insert("idempotency-key", header.parse().unwrap());
            }
            let header = IdempotencyKey::from_headers(&headers).unwrap();
            let request = request(&json!({ "idempotencyKey": body, "dryRun": dry_run }));
            let order = request.parse("s".into(), header.as_ref());
            if order.faults.is_empty() { Some(order.notification.unwrap().key) } else { None }
        };
        assert_eq!(of(json!("k"), None, false).as_deref(), Some("k"));
        assert_eq!(of(json!(null), Some("k"), false).as_deref(), Some("k"));
        assert_eq!(of(json!("k"), Some("\"k\""), false).as_deref(), Some("k"));
        assert_eq!(of(json!("k"), Some("l"), false), None);
        assert_eq!(of(json!(null), None, false), None);
        assert_eq!(of(json!(""), None, false), None);
        assert_eq!(of(json!("k".repeat(256)), None, false), None);
        assert_eq!(of(json!(null), None, true).as_deref(), Some(""), "a dry run has nothing to repeat");
    }

    #[test]
    fn numbers_of_the_roadmap_are_no_names() {
        for (field, value) in [("type", "1"), ("priority", "2")] {
            assert_eq!(fields(&parse(&json!({ field: value }))), [field]);
        }
        let numbers = json!({ "type": 1, "template": "t", "to": [] });
        assert!(serde_json::from_value::<SendNotificationRequest>(numbers).is_err());
    }

    #[test]
    fn a_request_shows_nobody() {
        let request = request(&json!({ "to": ["tel:+8613800138000"], "params": { "code": "123456" } }));
        let shown = format!("{request:?}");
        assert!(!shown.contains("138") && !shown.contains("123456"), "{shown}");
    }

    proptest! {
        #[test]
        fn a_cursor_reads_back(ms in 0..253_402_300_799_999_i64, n: u128) {
            let accepted_at = Timestamp::from_millisecond(ms).unwrap();
            let position = MessagePosition { accepted_at, id: MessageId::from_parts(7, n) };
            let text = cursor::decode(&NotificationCursor(position).encode()).unwrap();
            prop_assert_eq!(NotificationCursor::parse(&text), Some(position));
        }

        #[test]
        fn no_cursor_panics(text in "(accepted:)?[0-9.+A-Z-]{0,60}") {
            let _ = NotificationCursor::parse(&text);
        }

        #[test]
        fn no_request_panics(to in "[a-z:+@0-9]{0,40}", time in "[0-9TZ:+-]{0,30}", key in ".{0,20}") {
            let order = parse(&json!({ "to": [to, { "x": 1 }], "scheduledAt": time, "idempotencyKey": key }));
            prop_assert!(fields(&order).contains(&"to/1"));
        }
    }
}
