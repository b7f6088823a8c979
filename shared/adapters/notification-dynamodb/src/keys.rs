//! Keys of the table, written and read in one place.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use domain_ids::MessageId;
use domain_notification::{Due, MessagePosition, Receiver, due_shard};

pub(crate) type Key = HashMap<String, AttributeValue>;

/// The index of every message by its receiver.
pub(crate) const BY_RECEIVER: &str = "messages-by-receiver";

/// The index of the messages that wait in the table, by the time they are due.
pub(crate) const BY_DUE: &str = "messages-by-due";

pub(crate) const MESSAGE: &str = "MESSAGE";

pub(crate) fn message(id: MessageId) -> Key {
    key(format!("MESSAGE#{id}"), MESSAGE.into())
}

/// The message a key belongs to.
pub(crate) fn parse_message(key: &Key) -> Option<MessageId> {
    key.get("pk")?.as_s().ok()?.strip_prefix("MESSAGE#")?.parse().ok()
}

/// A place in the index by receiver.
pub(crate) fn received(receiver: &Receiver, position: MessagePosition) -> Key {
    let mut key = message(position.id);
    key.insert("receiver".into(), AttributeValue::S(receiver.to_string()));
    key.insert("acceptedAt".into(), AttributeValue::N(position.accepted_at.as_millisecond().to_string()));
    key
}

/// A place in the index by due time.
pub(crate) fn due(due: Due) -> Key {
    let mut key = message(due.id);
    key.insert("dueShard".into(), AttributeValue::S(due_part(due_shard(due.id))));
    key.insert("dueAt".into(), AttributeValue::N(due.at.as_millisecond().to_string()));
    key
}

pub(crate) fn due_part(shard: u16) -> String {
    format!("DUE#{shard:02}")
}

pub(crate) fn digest_pk(digest: MessageId) -> String {
    format!("DIGEST#{digest}")
}

pub(crate) fn limit(rule: &str) -> Key {
    key(format!("LIMIT#{rule}"), "LIMIT".into())
}

pub(crate) fn token(name: &str) -> Key {
    key(format!("TOKEN#{name}"), "TOKEN".into())
}

pub(crate) fn reference(provider: &str, reference: &str) -> Key {
    key(format!("REFERENCE#{provider}#{reference}"), "REFERENCE".into())
}

pub(crate) fn key(pk: String, sk: String) -> Key {
    HashMap::from([("pk".into(), AttributeValue::S(pk)), ("sk".into(), AttributeValue::S(sk))])
}
