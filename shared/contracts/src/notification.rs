use domain_ids::{BroadcastId, MessageId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A message to be dispatched, for `dispatch-notification`; or to be woken, for `schedule-notifications`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QueuedMessage {
    /// The message.
    pub message: MessageId,
}

/// A page of a broadcast's guests, for `broadcast-notifications`: small enough for one invocation, and its own to repeat.
/// `send-notification` sends the first, `broadcast-notifications` all others.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BroadcastPage {
    /// The broadcast.
    pub broadcast: BroadcastId,
    /// Which page, from 0.
    pub page: u32,
    /// Where the page begins in the directory; none for the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

/// The directory's token is of no use in a log.
impl std::fmt::Debug for BroadcastPage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BroadcastPage")
            .field("broadcast", &self.broadcast)
            .field("page", &self.page)
            .finish_non_exhaustive()
    }
}

/// Whatever happens on the platform, for `notify-on-event`: a whole event of `EventBridge`, or the same said by a function
/// that puts it into the queue itself. Which members `detail` has, the rules say that operators write.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct PlatformEvent {
    /// What happened, for example `order.created`.
    #[serde(rename = "detail-type")]
    pub detail_type: String,
    /// The particulars.
    pub detail: Value,
}

/// Particulars are about people.
impl std::fmt::Debug for PlatformEvent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PlatformEvent").field("detail_type", &self.detail_type).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::samples;

    #[test]
    fn the_samples_are_read_and_written() {
        let message = "01KA3Z5QJ8M4T2R7V9X1C6B0NG".parse().unwrap();
        samples::assert_is("queued-message.json", &QueuedMessage { message });
        let broadcast = "01KA3Z5QJ8M4T2R7V9X1C6B0NG".parse().unwrap();
        let page = BroadcastPage { broadcast, page: 2, token: Some("CAISsQIIARJ4".into()) };
        samples::assert_is("broadcast-page.json", &page);
        let detail = json!({
            "guestId": "0c9c3a2e-6d0b-4f6e-8f0e-0d5d7c1f2a34",
            "couponId": "01KA3Z5QJ8M4T2R7V9X1C6B0NG-1-JRRFGR2VKZHEGU2V",
            "couponName": "满100减20",
            "days": 3,
            "expiresAt": "2026-12-10T16:00:00Z",
        });
        let event = PlatformEvent { detail_type: "coupon.expiring".into(), detail };
        samples::assert_is("coupon-expiring.json", &event);
    }

    #[test]
    fn what_others_know_is_not_logged() {
        let event = PlatformEvent { detail_type: "x".into(), detail: json!({ "phone": "13800138000" }) };
        assert!(!format!("{event:?}").contains("138"));
    }

    #[test]
    fn every_event_of_the_bus_is_read() {
        for name in [
            "guest-birthday.json",
            "guest-signed-up.json",
            "order-cancelled.json",
            "order-completed.json",
            "order-created.json",
            "order-paid.json",
        ] {
            let event: PlatformEvent = serde_json::from_str(&samples::text(name)).unwrap();
            assert!(event.detail["guestId"].is_string(), "{name}");
        }
    }
}
