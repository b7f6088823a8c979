//! The events of the Event Webhook (<https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event>).

use domain_ids::ProviderName;
use domain_notification::{Address, DeliveryReport, Failure, Fate, Reported, Verdict};
use jiff::Timestamp;
use serde::Deserialize;

/// Events of one request: `SendGrid` sends what gathers in a second or 768 KB, an event having some 400 bytes.
pub const MAX_REPORTS: usize = 5_000;

/// The bytes are no events of `SendGrid`. What they are is not repeated: events have addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not events of SendGrid")]
pub struct UnreadableReports;

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "event")]
    name: String,
    timestamp: i64,
    email: Option<String>,
    /// Our custom argument. Whoever else sends by the account may give it any type.
    message_id: Option<serde_json::Value>,
    sg_message_id: Option<String>,
    r#type: Option<String>,
    status: Option<String>,
    reason: Option<String>,
}

/// What the body of one request tells: a report for each event that decides something, in their order. `provider` is whose
/// events these are in the configuration; it names a message whose argument is missing.
///
/// | Event | Fate |
/// |---|---|
/// | `delivered` | delivered |
/// | `bounce` of the type `blocked`: refused for now, or for what it says | failed |
/// | another `bounce` | bounced |
/// | `dropped` because the address had bounced, is none, or its owner wants nothing | bounced |
/// | another `dropped` | failed |
/// | `spamreport`, `unsubscribe`, `group_unsubscribe` | complained |
/// | `processed`, `deferred`, `open`, `click`, others | nothing |
pub fn delivery_reports(
    provider: &ProviderName,
    body: &[u8],
) -> Result<Vec<DeliveryReport>, UnreadableReports> {
    let events: Vec<Event> = serde_json::from_slice(body).map_err(|_| UnreadableReports)?;
    if events.len() > MAX_REPORTS {
        return Err(UnreadableReports);
    }
    let reports = events.into_iter().filter_map(|event| report(provider, event).transpose());
    reports.collect()
}

fn report(provider: &ProviderName, event: Event) -> Result<Option<DeliveryReport>, UnreadableReports> {
    let Some(fate) = fate(&event) else { return Ok(None) };
    let at = Timestamp::from_second(event.timestamp).map_err(|_| UnreadableReports)?;
    let id = event.message_id.as_ref().and_then(|id| id.as_str()?.parse().ok());
    let of = match (id, &event.sg_message_id) {
        (Some(id), _) => Reported::Message(id),
        // What Mail Send answered is what is before the first dot.
        (None, Some(id)) => Reported::Reference {
            provider: provider.clone(),
            reference: code(id.split('.').next().unwrap_or_default()),
        },
        // A mail that nobody can name, as those of the button that tests a webhook.
        (None, None) => return Ok(None),
    };
    let address = event.email.and_then(|email| email.parse().ok()).map(Address::Mail);
    Ok(Some(DeliveryReport { of, fate, at, address }))
}

fn fate(event: &Event) -> Option<Fate> {
    match event.name.as_str() {
        "delivered" => Some(Fate::Delivered),
        "bounce" => {
            let is_blocked = event.r#type.as_deref() == Some("blocked");
            let kind = if is_blocked { "blocked" } else { "bounce" };
            let status = event.status.as_deref().filter(|status| !status.is_empty());
            let code = code(&status.map_or_else(|| kind.to_owned(), |status| format!("{kind}-{status}")));
            Some(if is_blocked { Fate::Failed(code) } else { Fate::Bounced(code) })
        }
        "dropped" => Some(match event.reason.as_deref() {
            Some("Bounced Address") => Fate::Bounced("dropped-bounced-address".into()),
            Some("Invalid") => Fate::Bounced("dropped-invalid".into()),
            Some("Spam Reporting Address") => Fate::Bounced("dropped-spam-reporting-address".into()),
            Some("Unsubscribed Address") => Fate::Bounced("dropped-unsubscribed-address".into()),
            Some(_) | None => Fate::Failed("dropped".into()),
        }),
        "spamreport" | "unsubscribe" | "group_unsubscribe" => Some(Fate::Complained),
        _ => None,
    }
}

/// Cut as every code and reference is.
fn code(text: &str) -> String {
    Failure::new(Verdict::GiveUp, text).code
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    const ID: &str = "01KA3Z5QJ8M4T2R7V9X1C6B0NG";

    /// As in the reference, with our argument.
    fn event(name: &str, details: Value) -> Value {
        let mut event = json!({
            "email": "example@test.com",
            "timestamp": 1_513_299_569,
            "smtp-id": "<14c5d75ce93.dfd.64b469@ismtpd-555>",
            "event": name,
            "category": "cat facts",
            "sg_event_id": "sg_event_id",
            "sg_message_id": "14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0",
            "message_id": ID
        });
        if let (Value::Object(event), Value::Object(details)) = (&mut event, details) {
            event.extend(details);
        }
        event
    }

    fn parse(events: &[Value]) -> Result<Vec<DeliveryReport>, UnreadableReports> {
        delivery_reports(&"sendgrid".parse().unwrap(), json!(events).to_string().as_bytes())
    }

    fn fate_of(name: &str, details: Value) -> Option<Fate> {
        parse(&[event(name, details)]).unwrap().pop().map(|report| report.fate)
    }

    #[test]
    fn a_delivery_is_reported_of_our_message_at_its_time() {
        let report = DeliveryReport {
            of: Reported::Message(ID.parse().unwrap()),
            fate: Fate::Delivered,
            at: "2017-12-15T00:59:29Z".parse().unwrap(),
            address: Some(Address::Mail("example@test.com".parse().unwrap())),
        };
        assert_eq!(parse(&[event("delivered", json!({ "response": "250 OK" }))]), Ok(vec![report]));
    }

    #[test]
    fn each_event_has_its_fate() {
        let bounced = |code: &str| Some(Fate::Bounced(code.into()));
        let failed = |code: &str| Some(Fate::Failed(code.into()));
        for (name, details, fate) in [
            ("bounce", json!({ "type": "bounce", "status": "5.1.1" }), bounced("bounce-5.1.1")),
            ("bounce", json!({ "reason": "500 unknown recipient" }), bounced("bounce")),
            ("bounce", json!({ "type": "blocked", "status": "5.7.1" }), failed("blocked-5.7.1")),
            ("dropped", json!({ "reason": "Bounced Address" }), bounced("dropped-bounced-address")),
            ("dropped", json!({ "reason": "Invalid" }), bounced("dropped-invalid")),
            ("dropped", json!({ "reason": "Unsubscribed Address" }), bounced("dropped-unsubscribed-address")),
            ("dropped", json!({ "reason": "Recipient List over Package Quota" }), failed("dropped")),
            ("spamreport", json!({}), Some(Fate::Complained)),
            ("unsubscribe", json!({}), Some(Fate::Complained)),
            ("group_unsubscribe", json!({ "asm_group_id": 10 }), Some(Fate::Complained)),
            ("group_resubscribe", json!({}), None),
            ("processed", json!({}), None),
            ("deferred", json!({ "response": "400 try again later", "attempt": "5" }), None),
            ("open", json!({}), None),
        ] {
            assert_eq!(fate_of(name, details), fate, "{name}");
        }
    }

    #[test]
    fn without_our_argument_the_provider_s_id_names_the_message() {
        let reference =
            Reported::Reference { provider: "sendgrid".parse().unwrap(), reference: "14c5d75ce93".into() };
        for other in [json!("not an id"), json!(7), Value::Null] {
            let reports = parse(&[event("delivered", json!({ "message_id": other }))]).unwrap();
            assert_eq!(reports[0].of, reference);
        }
        let nameless = json!({ "message_id": null, "sg_message_id": null });
        assert_eq!(parse(&[event("delivered", nameless)]), Ok(vec![]));
    }

    #[test]
    fn several_events_keep_their_order() {
        let events =
            [event("deferred", json!({})), event("delivered", json!({})), event("spamreport", json!({}))];
        let fates: Vec<Fate> = parse(&events).unwrap().into_iter().map(|report| report.fate).collect();
        assert_eq!(fates, [Fate::Delivered, Fate::Complained]);
    }

    #[test]
    fn what_is_no_list_of_events_is_unreadable() {
        for garbage in ["", "{}", "null", "[1]", r#"[{"event": "delivered"}]"#, r#"[{"timestamp": 1}]"#] {
            let parsed = delivery_reports(&"sendgrid".parse().unwrap(), garbage.as_bytes());
            assert_eq!(parsed, Err(UnreadableReports), "{garbage}");
        }
        assert_eq!(parse(&[event("delivered", json!({ "timestamp": i64::MAX }))]), Err(UnreadableReports));
        let many = vec![json!({ "event": "open", "timestamp": 1 }); MAX_REPORTS + 1];
        assert_eq!(parse(&many), Err(UnreadableReports));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = delivery_reports(&"sendgrid".parse().unwrap(), &bytes);
        }
    }
}
