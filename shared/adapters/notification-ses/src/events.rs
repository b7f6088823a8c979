//! The events that SES publishes through SNS
//! (<https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html>).

use std::collections::BTreeMap;

use domain_ids::{MessageId, ProviderName};
use domain_notification::{Address, DeliveryReport, Failure, Fate, Reported, Verdict};
use jiff::Timestamp;
use serde::Deserialize;

use crate::MESSAGE_TAG;

/// Reports of one event, of which there is one for each recipient: SES takes 50 of a mail, and our mails have one.
pub const MAX_REPORTS: usize = 50;

/// The bytes are no event of SES. What they are is not repeated: events have addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an event of SES")]
pub struct UnreadableReports;

/// What SNS puts around an event on its way to a queue.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Notification {
    message: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    #[serde(rename = "eventType")]
    name: String,
    mail: Mail,
    bounce: Option<Bounce>,
    complaint: Option<Complaint>,
    delivery: Option<Delivery>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Mail {
    timestamp: Timestamp,
    message_id: String,
    #[serde(default)]
    destination: Vec<String>,
    #[serde(default)]
    tags: BTreeMap<String, Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bounce {
    #[serde(rename = "bounceType")]
    class: String,
    #[serde(rename = "bounceSubType", default)]
    subclass: String,
    bounced_recipients: Vec<Recipient>,
    timestamp: Timestamp,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Complaint {
    complained_recipients: Vec<Recipient>,
    timestamp: Timestamp,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Recipient {
    email_address: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Delivery {
    timestamp: Timestamp,
    recipients: Vec<String>,
}

/// What an event tells: one report for each recipient, none for events that decide nothing (`Send`, `DeliveryDelay`,
/// `Open`, `Click`, `Subscription`). `provider` is whose events these are in the configuration; it names a message whose tag
/// is missing.
///
/// `body` is the event, or SNS's envelope of it (`{"Type": "Notification", "Message": "…"}`), which raw message delivery
/// leaves out.
///
/// A permanent bounce is a dead address; a transient or undetermined one has cost this message only.
pub fn delivery_reports(
    provider: &ProviderName,
    body: &[u8],
) -> Result<Vec<DeliveryReport>, UnreadableReports> {
    match serde_json::from_slice::<Notification>(body) {
        Ok(notification) => of_event(provider, notification.message.as_bytes()),
        Err(_) => of_event(provider, body),
    }
}

fn of_event(provider: &ProviderName, event: &[u8]) -> Result<Vec<DeliveryReport>, UnreadableReports> {
    let event: Event = serde_json::from_slice(event).map_err(|_| UnreadableReports)?;
    let Event { name, mail, bounce, complaint, delivery } = event;
    let addresses = |recipients: Vec<Recipient>| -> Vec<String> {
        recipients.into_iter().map(|recipient| recipient.email_address).collect()
    };
    let (fate, at, recipients) = match name.as_str() {
        "Delivery" => {
            let Delivery { timestamp, recipients } = delivery.ok_or(UnreadableReports)?;
            (Fate::Delivered, timestamp, recipients)
        }
        "Bounce" => {
            let bounce = bounce.ok_or(UnreadableReports)?;
            let code = code(&format!("{}/{}", bounce.class, bounce.subclass));
            let is_dead = bounce.class == "Permanent";
            let fate = if is_dead { Fate::Bounced(code) } else { Fate::Failed(code) };
            (fate, bounce.timestamp, addresses(bounce.bounced_recipients))
        }
        "Complaint" => {
            let Complaint { complained_recipients, timestamp } = complaint.ok_or(UnreadableReports)?;
            (Fate::Complained, timestamp, addresses(complained_recipients))
        }
        // Found out after SES took it: a virus, or a template that does not render. They have no time of their own.
        "Reject" | "Rendering Failure" => {
            (Fate::Failed(code(&name)), mail.timestamp, mail.destination.clone())
        }
        _ => return Ok(Vec::new()),
    };
    let of = of(provider, &mail);
    let report = |address: Option<&String>| DeliveryReport {
        of: of.clone(),
        fate: fate.clone(),
        at,
        address: address.and_then(|address| address.parse().ok()).map(Address::Mail),
    };
    // A complaint may come without an address, and is about the message all the same.
    if recipients.is_empty() {
        return Ok(vec![report(None)]);
    }
    Ok(recipients.iter().take(MAX_REPORTS).map(|address| report(Some(address))).collect())
}

/// Our id from the tag, else SES's.
fn of(provider: &ProviderName, mail: &Mail) -> Reported {
    let tag = mail.tags.get(MESSAGE_TAG).and_then(|values| values.first());
    match tag.and_then(|id| id.parse::<MessageId>().ok()) {
        Some(id) => Reported::Message(id),
        None => Reported::Reference { provider: provider.clone(), reference: code(&mail.message_id) },
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

    /// As in the SES developer guide, shortened, with our tag.
    fn event(event_type: &str, key: &str, details: &Value) -> Value {
        json!({
            "eventType": event_type,
            "mail": {
                "timestamp": "2016-10-19T23:20:52.240Z",
                "source": "sender@example.com",
                "sourceArn": "arn:aws:ses:us-east-1:123456789012:identity/sender@example.com",
                "sendingAccountId": "123456789012",
                "messageId": "EXAMPLE7c191be45-e9aedb9a-02f9-4d12-a87d-dd0099a07f8a-000000",
                "destination": ["recipient@example.com"],
                "headersTruncated": false,
                "tags": { "ses:configuration-set": ["ConfigSet"], "message_id": [ID] }
            },
            (key): details
        })
    }

    fn parse(event: &Value) -> Result<Vec<DeliveryReport>, UnreadableReports> {
        delivery_reports(&"ses".parse().unwrap(), event.to_string().as_bytes())
    }

    fn bounce(bounce_type: &str, sub_type: &str) -> Value {
        event(
            "Bounce",
            "bounce",
            &json!({
                "bounceType": bounce_type,
                "bounceSubType": sub_type,
                "bouncedRecipients": [{
                    "emailAddress": "recipient@example.com",
                    "action": "failed",
                    "status": "5.1.1",
                    "diagnosticCode": "smtp; 550 5.1.1 user unknown"
                }],
                "timestamp": "2017-08-05T00:41:02.669Z",
                "feedbackId": "01000157c44f053b-61b59c11-9236-11e6-8f96-7be8aexample-000000",
                "reportingMTA": "dsn; mta.example.com"
            }),
        )
    }

    fn fates(event: &Value) -> Vec<Fate> {
        parse(event).unwrap().into_iter().map(|report| report.fate).collect()
    }

    #[test]
    fn a_delivery_is_reported_of_our_message_at_its_time() {
        let delivered = event(
            "Delivery",
            "delivery",
            &json!({
                "timestamp": "2016-10-19T23:21:04.133Z",
                "processingTimeMillis": 11893,
                "recipients": ["recipient@example.com"],
                "smtpResponse": "250 2.6.0 Message received",
                "reportingMTA": "mta.example.com"
            }),
        );
        let report = DeliveryReport {
            of: Reported::Message(ID.parse().unwrap()),
            fate: Fate::Delivered,
            at: "2016-10-19T23:21:04.133Z".parse().unwrap(),
            address: Some(Address::Mail("recipient@example.com".parse().unwrap())),
        };
        assert_eq!(parse(&delivered), Ok(vec![report.clone()]));
        let envelope = json!({ "Type": "Notification", "Message": delivered.to_string() }).to_string();
        let of_envelope = delivery_reports(&"ses".parse().unwrap(), envelope.as_bytes());
        assert_eq!(of_envelope, Ok(vec![report]));
    }

    #[test]
    fn only_a_permanent_bounce_is_a_dead_address() {
        for (bounce_type, sub_type) in [("Permanent", "General"), ("Permanent", "OnAccountSuppressionList")] {
            let code = format!("{bounce_type}/{sub_type}");
            assert_eq!(fates(&bounce(bounce_type, sub_type)), [Fate::Bounced(code)]);
        }
        for (bounce_type, sub_type) in [("Transient", "MailboxFull"), ("Undetermined", "Undetermined")] {
            let code = format!("{bounce_type}/{sub_type}");
            assert_eq!(fates(&bounce(bounce_type, sub_type)), [Fate::Failed(code)]);
        }
    }

    #[test]
    fn a_complaint_is_one_even_without_an_address() {
        let complaint = |recipients: Value| {
            let details = json!({
                "complainedRecipients": recipients,
                "timestamp": "2017-08-05T00:41:02.669Z",
                "complaintFeedbackType": "abuse"
            });
            parse(&event("Complaint", "complaint", &details)).unwrap()
        };
        let reports = complaint(json!([{ "emailAddress": "recipient@example.com" }]));
        assert_eq!((reports.len(), &reports[0].fate), (1, &Fate::Complained));
        assert!(reports[0].address.is_some());
        let anonymous = complaint(json!([]));
        assert_eq!((anonymous.len(), &anonymous[0].fate), (1, &Fate::Complained));
        assert_eq!(anonymous[0].address, None);
    }

    #[test]
    fn what_ses_finds_out_too_late_has_failed() {
        let rejected = event("Reject", "reject", &json!({ "reason": "Bad content" }));
        assert_eq!(fates(&rejected), [Fate::Failed("Reject".into())]);
        let details = json!({ "errorMessage": "Attribute 'name' is not present", "templateName": "T" });
        let unrendered = event("Rendering Failure", "failure", &details);
        assert_eq!(fates(&unrendered), [Fate::Failed("RenderingFailure".into())]);
    }

    #[test]
    fn what_decides_nothing_reports_nothing() {
        for event_type in ["Send", "DeliveryDelay", "Open", "Click", "Subscription", "Later"] {
            assert_eq!(parse(&event(event_type, "details", &json!({}))), Ok(vec![]), "{event_type}");
        }
    }

    #[test]
    fn without_our_tag_the_provider_s_id_names_the_message() {
        let mut untagged = bounce("Permanent", "General");
        untagged["mail"]["tags"] = json!({ "message_id": ["not an id"] });
        let reference = "EXAMPLE7c191be45-e9aedb9a-02f9-4d12-a87d-dd0099a07f8a-000000".to_owned();
        let of = Reported::Reference { provider: "ses".parse().unwrap(), reference };
        assert_eq!(parse(&untagged).unwrap()[0].of, of);
    }

    #[test]
    fn an_event_without_its_details_is_none() {
        for event_type in ["Delivery", "Bounce", "Complaint"] {
            assert_eq!(parse(&event(event_type, "x", &json!({}))), Err(UnreadableReports), "{event_type}");
        }
        for garbage in ["", "{}", "[]", "null", r#"{"Message": ""}"#] {
            let parsed = delivery_reports(&"ses".parse().unwrap(), garbage.as_bytes());
            assert_eq!(parsed, Err(UnreadableReports), "{garbage:?}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = delivery_reports(&"ses".parse().unwrap(), &bytes);
        }
    }
}
