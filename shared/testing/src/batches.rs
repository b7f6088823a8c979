use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Messages with these bodies as Lambda passes them on from a queue: `m-0`, `m-1`, …, received for the first time.
pub fn sqs_event<E: DeserializeOwned>(bodies: &[impl AsRef<str>]) -> E {
    let message = |(at, body): (usize, &str)| {
        json!({
            "messageId": format!("m-{at}"),
            "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a",
            "body": body,
            "attributes": {
                "ApproximateReceiveCount": "1",
                "SentTimestamp": "1794326400000",
                "SenderId": "AIDAIENQZJOLO23YVJ4VO",
                "ApproximateFirstReceiveTimestamp": "1794326400001",
            },
            "messageAttributes": {},
            "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:queue",
            "awsRegion": "us-east-1",
        })
    };
    batch(bodies.iter().map(AsRef::as_ref).enumerate().map(message))
}

/// A change of an item, from its old image (none: it is new) to its new one (none: it is gone).
pub type ItemChange = (Option<HashMap<String, AttributeValue>>, Option<HashMap<String, AttributeValue>>);

/// These changes as Lambda passes them on from a table's stream with new and old images, with the sequence numbers
/// 100, 101, ….
pub fn stream_event<E: DeserializeOwned>(changes: &[ItemChange]) -> E {
    let record = |(at, (old, new)): (usize, &ItemChange)| {
        let keys = old.as_ref().or(new.as_ref()).expect("a change has an image");
        let keys = keys.iter().filter(|(name, _)| matches!(name.as_str(), "pk" | "sk"));
        let mut change = json!({
            "ApproximateCreationDateTime": 1_794_326_400,
            "Keys": image(&keys.map(|(name, value)| (name.clone(), value.clone())).collect()),
            "SequenceNumber": (100 + at).to_string(),
            "SizeBytes": 400,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        });
        for (name, item) in [("OldImage", old), ("NewImage", new)] {
            if let Some(item) = item {
                change[name] = image(item);
            }
        }
        json!({
            "eventID": format!("e-{at}"),
            "eventName": match (old, new) {
                (None, _) => "INSERT",
                (Some(_), Some(_)) => "MODIFY",
                (Some(_), None) => "REMOVE",
            },
            "eventVersion": "1.1",
            "eventSource": "aws:dynamodb",
            "awsRegion": "us-east-1",
            "dynamodb": change,
            "eventSourceARN": "arn:aws:dynamodb:us-east-1:123456789012:table/coupons/stream/2026-11-10T16:00:00.000",
        })
    };
    batch(changes.iter().enumerate().map(record))
}

/// `DynamoDB`'s JSON of an item.
fn image(item: &HashMap<String, AttributeValue>) -> Value {
    json!(serde_dynamo::Item::from(item.clone()))
}

fn batch<E: DeserializeOwned>(records: impl Iterator<Item = Value>) -> E {
    let event = json!({ "Records": records.collect::<Vec<_>>() });
    serde_json::from_value(event).expect("an event of this kind")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_named_by_their_place() {
        let event: Value = sqs_event(&["a", "b"]);
        assert_eq!(
            (&event["Records"][1]["messageId"], &event["Records"][1]["body"]),
            (&json!("m-1"), &json!("b"))
        );
    }

    #[test]
    fn a_change_has_the_images_it_should() {
        let item = |status: &str| {
            let text = |value: &str| AttributeValue::S(value.into());
            HashMap::from([
                ("pk".into(), text("a")),
                ("sk".into(), text("b")),
                ("status".into(), text(status)),
                ("rev".into(), AttributeValue::N("1".into())),
            ])
        };
        let event: Value = stream_event(&[
            (None, Some(item("unused"))),
            (Some(item("unused")), Some(item("used"))),
            (Some(item("used")), None),
        ]);
        let names = event["Records"].as_array().unwrap().iter().map(|record| &record["eventName"]);
        assert_eq!(names.collect::<Vec<_>>(), ["INSERT", "MODIFY", "REMOVE"]);
        let modified = &event["Records"][1]["dynamodb"];
        assert_eq!(modified["Keys"], json!({ "pk": { "S": "a" }, "sk": { "S": "b" } }));
        assert_eq!(modified["OldImage"]["status"], json!({ "S": "unused" }));
        assert_eq!(modified["NewImage"]["rev"], json!({ "N": "1" }));
        assert_eq!(event["Records"][0]["dynamodb"].get("OldImage"), None);
    }
}
