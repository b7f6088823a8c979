//! What a push says, for each platform
//! (<https://docs.aws.amazon.com/sns/latest/dg/sns-send-custom-platform-specific-payloads-mobile-devices.html>).

use domain_ids::MessageId;
use domain_notification::Rendered;
use serde_json::{Value, json};

/// Bytes of a notification: what APNs and FCM take.
pub const MAX_PAYLOAD_BYTES: usize = 4_096;

/// What a text that was cut ends with.
const ELLIPSIS: char = '…';

/// The `Message` of `Publish`, with `MessageStructure` `json`: SNS picks what is for the endpoint's platform. A text that a
/// platform would refuse for its length is cut; the inbox has the whole.
pub(crate) fn message(id: MessageId, rendered: &Rendered) -> String {
    let (title, body) = (rendered.title.as_deref(), rendered.content.as_str());
    let apns = fitted(body, |body| apns(id, title, body));
    let fcm = fitted(body, |body| fcm(id, title, body));
    let (apns, fcm) = (apns.to_string(), fcm.to_string());
    json!({ "default": body, "APNS": apns, "APNS_SANDBOX": apns, "GCM": fcm }).to_string()
}

fn apns(id: MessageId, title: Option<&str>, body: &str) -> Value {
    let mut alert = json!({ "body": body });
    if let (Some(title), Some(alert)) = (title, alert.as_object_mut()) {
        alert.insert("title".into(), title.into());
    }
    json!({ "aps": { "alert": alert, "sound": "default" }, "messageId": id })
}

/// In the form of FCM's HTTP v1 API.
fn fcm(id: MessageId, title: Option<&str>, body: &str) -> Value {
    let mut notification = json!({ "body": body });
    if let (Some(title), Some(notification)) = (title, notification.as_object_mut()) {
        notification.insert("title".into(), title.into());
    }
    json!({
        "fcmV1Message": {
            "message": {
                "notification": notification,
                "data": { "messageId": id },
                "android": { "priority": "high", "notification": { "tag": id } }
            }
        }
    })
}

/// The payload with as much of `body` as it takes.
fn fitted(body: &str, payload: impl Fn(&str) -> Value) -> Value {
    let whole = payload(body);
    if whole.to_string().len() <= MAX_PAYLOAD_BYTES {
        return whole;
    }
    let room =
        MAX_PAYLOAD_BYTES.saturating_sub(payload("").to_string().len()).saturating_sub(ELLIPSIS.len_utf8());
    let mut used = 0_usize;
    let cut = body.chars().take_while(|&character| {
        used = used.saturating_add(escaped_len(character));
        used <= room
    });
    payload(&cut.chain([ELLIPSIS]).collect::<String>())
}

/// Bytes of a character within a JSON text.
fn escaped_len(character: char) -> usize {
    Value::from(character.to_string()).to_string().len().saturating_sub(2)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: &str = "01KA3Z5QJ8M4T2R7V9X1C6B0NG";

    fn platforms(title: Option<&str>, content: &str) -> (Value, Value, Value) {
        let rendered =
            Rendered { title: title.map(Into::into), content: content.into(), ..Rendered::default() };
        let message: Value = serde_json::from_str(&message(ID.parse().unwrap(), &rendered)).unwrap();
        assert_eq!(message["APNS"], message["APNS_SANDBOX"]);
        let platform = |name: &str| serde_json::from_str(message[name].as_str().unwrap()).unwrap();
        (message["default"].clone(), platform("APNS"), platform("GCM"))
    }

    #[test]
    fn each_platform_gets_title_body_and_our_id_in_its_form() {
        let (default, apns, fcm) = platforms(Some("订单"), "已\"确认\"");
        assert_eq!(default, "已\"确认\"", "SNS insists on it");
        let alert = json!({ "title": "订单", "body": "已\"确认\"" });
        assert_eq!(apns, json!({ "aps": { "alert": alert, "sound": "default" }, "messageId": ID }));
        let message = json!({
            "notification": { "title": "订单", "body": "已\"确认\"" },
            "data": { "messageId": ID },
            "android": { "priority": "high", "notification": { "tag": ID } }
        });
        assert_eq!(fcm, json!({ "fcmV1Message": { "message": message } }));
    }

    #[test]
    fn without_a_title_there_is_none() {
        let (_, apns, fcm) = platforms(None, "x");
        assert_eq!(apns["aps"]["alert"], json!({ "body": "x" }));
        assert_eq!(fcm["fcmV1Message"]["message"]["notification"], json!({ "body": "x" }));
    }

    #[test]
    fn a_long_text_is_cut_where_the_platform_would_refuse_it() {
        let long = "房".repeat(5_000);
        let (_, apns, _) = platforms(Some("x"), &long);
        let body = apns["aps"]["alert"]["body"].as_str().unwrap();
        assert!(body.ends_with("房…"));
        assert!(apns.to_string().len() > MAX_PAYLOAD_BYTES - 8, "as much as fits");
    }

    proptest! {
        #[test]
        fn every_payload_fits(title in ".{0,200}", content in proptest::collection::vec(any::<char>(), 0..6_000)) {
            let content: String = content.into_iter().collect();
            let (_, apns, fcm) = platforms(Some(&title), &content);
            prop_assert!(apns.to_string().len() <= MAX_PAYLOAD_BYTES);
            prop_assert!(fcm.to_string().len() <= MAX_PAYLOAD_BYTES);
        }
    }
}
