use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use domain_ids::{GuestId, SearchId};
use domain_search::Hour;
use jiff::{SignedDuration, Timestamp, civil::Date};

pub(crate) type Item = HashMap<String, AttributeValue>;

/// Partition keys that the facts of an hour are spread over: each is good for 1,000 writes a second.
pub(crate) const SHARDS: u8 = 16;

pub(crate) const LATE: &str = "LATE";
pub(crate) const VOTES: &str = "VOTES";
pub(crate) const DAYS: &str = "DAYS";

pub(crate) fn facts(hour: Hour, shard: u8) -> String {
    format!("FACTS#{hour}#{shard}")
}

/// Where the facts of a search are: its id ends in random characters.
pub(crate) fn shard(search: SearchId) -> u8 {
    let sum: u32 = search.to_string().bytes().rev().take(4).map(u32::from).sum();
    u8::try_from(sum % u32::from(SHARDS)).unwrap_or_default()
}

pub(crate) fn salt(day: Date) -> Item {
    key("SALT".into(), day.to_string())
}

pub(crate) fn late(hour: Hour) -> Item {
    key(LATE.into(), hour.to_string())
}

pub(crate) fn hours(day: Date) -> String {
    format!("HOURS#{day}")
}

pub(crate) fn hour(hour: Hour) -> Item {
    key(hours(hour.day()), hour.to_string())
}

pub(crate) fn votes(hour: Hour) -> Item {
    key(VOTES.into(), hour.to_string())
}

pub(crate) fn day(day: Date) -> Item {
    key(DAYS.into(), day.to_string())
}

pub(crate) fn hot() -> Item {
    key("HOT".into(), "LIST".into())
}

pub(crate) fn history(guest: &GuestId) -> String {
    format!("HISTORY#{guest}")
}

pub(crate) fn key(pk: String, sk: String) -> Item {
    HashMap::from([("pk".into(), AttributeValue::S(pk)), ("sk".into(), AttributeValue::S(sk))])
}

pub(crate) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

pub(crate) fn number(value: impl Into<i128>) -> AttributeValue {
    AttributeValue::N(value.into().to_string())
}

/// When an item of that moment may go.
pub(crate) fn ttl(from: Timestamp, kept_for: SignedDuration) -> AttributeValue {
    number(from.as_second().saturating_add(kept_for.as_secs()))
}

pub(crate) fn sk(item: &Item) -> Option<&str> {
    item.get("sk")?.as_s().ok().map(String::as_str)
}
