use std::collections::BTreeMap;

use domain_ids::GuestId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A notification to be sent, as `POST /v1/notifications` takes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NotificationRequest {
    /// Names the notification: requested again under the same key, it is sent once. At most 255 visible ASCII
    /// characters.
    pub idempotency_key: String,
    /// On which way.
    #[serde(rename = "type")]
    pub channel: Channel,
    /// How soon.
    #[serde(default)]
    pub priority: Priority,
    /// The text to send, for example `coupon_expiring`.
    pub template: String,
    /// What the text is filled in with.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, String>,
    /// To whom. Where to is not for the sender to know.
    pub to: GuestId,
    /// Not before, if it is not to be sent at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduled_at: Option<Timestamp>,
    /// What it belongs to, where several are sent for one reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transaction_id: Option<String>,
}

/// The way of a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// Text message.
    Sms,
    /// Mail.
    Email,
    /// `WeChat`.
    Wechat,
    /// The phone's notifications.
    Push,
    /// The inbox within the app.
    Internal,
}

/// How soon a notification is sent where many wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// After all others: marketing.
    Low,
    /// As usual.
    #[default]
    Normal,
    /// Before the usual ones.
    High,
    /// Before all others: a code that somebody waits for.
    Urgent,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    #[test]
    fn the_sample_is_read_and_written() {
        let params = [("couponName", "满100减20"), ("expireTime", "2026-12-10T16:00:00Z")];
        let request = NotificationRequest {
            idempotency_key: "coupon-expiring-3-01KA3Z5QJ8M4T2R7V9X1C6B0NG-1-JRRFGR2VKZHEGU2V".into(),
            channel: Channel::Internal,
            priority: Priority::Low,
            template: "coupon_expiring".into(),
            params: params.map(|(name, value)| (name.into(), value.into())).into(),
            to: "0c9c3a2e-6d0b-4f6e-8f0e-0d5d7c1f2a34".parse().unwrap(),
            scheduled_at: Some("2026-12-07T01:00:00Z".parse().unwrap()),
            transaction_id: Some("reminders-2026-12-07".into()),
        };
        samples::assert_is("notification-request.json", &request);
    }

    #[test]
    fn the_shortest_request_is_sent_at_once_and_as_usual() {
        let text = r#"{"idempotencyKey": "k", "type": "sms", "template": "t", "to": "ann"}"#;
        let request: NotificationRequest = serde_json::from_str(text).unwrap();
        assert_eq!((request.priority, request.scheduled_at), (Priority::Normal, None));
    }

    #[test]
    fn the_ways_and_priorities_are_those_of_the_api() {
        use serde_json::json;

        let channels = [Channel::Sms, Channel::Email, Channel::Wechat, Channel::Push, Channel::Internal];
        assert_eq!(json!(channels), json!(["sms", "email", "wechat", "push", "internal"]));
        let priorities = [Priority::Low, Priority::Normal, Priority::High, Priority::Urgent];
        assert_eq!(json!(priorities), json!(["low", "normal", "high", "urgent"]));
    }
}
