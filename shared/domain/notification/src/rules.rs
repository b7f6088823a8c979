//! Rules that turn what happens on the platform into messages.

use std::collections::BTreeMap;

use domain_channel::{Channel, Priority};
use domain_coupon::StoreError;
use domain_ids::{RuleId, TemplateCode};
use jiff::{SignedDuration, Timestamp, civil, tz::TimeZone};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Fault, NewNotification, ParamValue, Params, Receiver, preferences::SHANGHAI};

/// Rules there may be.
pub const MAX_RULES: usize = 200;

/// Parameters that a rule fills in.
pub const MAX_RULE_PARAMS: usize = 32;

/// The scope of the keys of messages that rules make.
pub const RULE_SCOPE: &str = "rule";

/// The farthest from the moment that a rule names.
pub const MAX_OFFSET: SignedDuration = SignedDuration::from_hours(24 * 366);

/// A rule: which event, to whom, what, when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rule {
    /// Names it.
    pub id: RuleId,
    /// What operators call it, at most 100 characters.
    pub name: String,
    /// Whether it is in force.
    pub enabled: bool,
    /// The `detail-type` of the events it is about, for example `order.created`.
    pub event: String,
    /// What must hold of the event's detail: a JSON pointer, and the value there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub when: BTreeMap<String, Value>,
    /// What to do.
    pub action: Action,
    /// JSON pointers into the detail whose values tell one occurrence of the event from the next, 1 to 4: they are the
    /// idempotency key, together with the rule's id.
    pub key: Vec<String>,
    /// Where the receiver is: a JSON pointer to a guest's id, or to an address as a URI.
    pub receiver: String,
    /// Changes with every change, from 1: the entity tag.
    #[serde(default)]
    pub revision: u32,
}

/// What a rule does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", rename_all_fields = "camelCase", tag = "type", deny_unknown_fields)]
pub enum Action {
    /// Sends a message.
    Send {
        /// On which way.
        channel: Channel,
        /// How soon.
        #[serde(default)]
        priority: Priority,
        /// What it says.
        template: TemplateCode,
        /// What fills it in: by the variable's name, where it is in the detail (a JSON pointer, which begins with `/`), or
        /// the text itself.
        #[serde(default)]
        params: BTreeMap<String, String>,
        /// When, if not at once.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<When>,
    },
    /// Cancels what another rule has scheduled for the same key.
    Cancel {
        /// The other rule.
        rule: RuleId,
    },
}

/// A moment that an event names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct When {
    /// Where it is in the detail: a JSON pointer to an instant in RFC 3339, or to a day (`2026-12-24`).
    pub field: String,
    /// So many hours later, or, where it is below 0, earlier.
    pub offset_hours: i32,
    /// At this time of that day in Asia/Shanghai (`10:00`), whatever the hour was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_of_day: Option<String>,
}

/// What is to be done about an event, by one rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Consequence {
    /// A message is to be accepted.
    Send(NewNotification),
    /// The message under this scope and key to this receiver is to be cancelled.
    Cancel {
        /// The key under which it was accepted, in the scope [`RULE_SCOPE`].
        key: String,
        /// To whom.
        receiver: Receiver,
    },
}

/// An event does not have what a rule needs. The event cannot be handled as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the event has no usable {pointer}, which the rule {rule} needs")]
pub struct Unmatched {
    /// The rule.
    pub rule: RuleId,
    /// Where it looked.
    pub pointer: String,
}

impl Rule {
    /// What this rule makes of an event; nothing where it is about others. A moment that has passed by more than a day is none
    /// to write about any more.
    pub fn apply(
        &self,
        event: &str,
        detail: &Value,
        now: Timestamp,
    ) -> Result<Option<Consequence>, Unmatched> {
        let holds = |(pointer, value): (&String, &Value)| detail.pointer(pointer) == Some(value);
        if !self.enabled || self.event != event || !self.when.iter().all(holds) {
            return Ok(None);
        }
        let unmatched = |pointer: &str| Unmatched { rule: self.id.clone(), pointer: pointer.to_owned() };
        let text = |pointer: &str| text_at(detail, pointer).ok_or_else(|| unmatched(pointer));
        let receiver: Receiver = text(&self.receiver)?.parse().map_err(|_| unmatched(&self.receiver))?;
        let values: Vec<String> = self.key.iter().map(|pointer| text(pointer)).collect::<Result<_, _>>()?;
        let key_of = |rule: &RuleId| format!("{rule}/{}", values.join("/"));
        match &self.action {
            Action::Cancel { rule } => Ok(Some(Consequence::Cancel { key: key_of(rule), receiver })),
            Action::Send { channel, priority, template, params, at } => {
                let scheduled_at = match at {
                    None => None,
                    Some(when) => {
                        let at = when.of(detail).ok_or_else(|| unmatched(&when.field))?;
                        if now.duration_since(at) > SignedDuration::from_hours(24) {
                            return Ok(None);
                        }
                        Some(at)
                    }
                };
                let filled = params.iter().map(|(name, from)| {
                    let value = if from.starts_with('/') {
                        detail.pointer(from).and_then(param).ok_or_else(|| unmatched(from))?
                    } else {
                        ParamValue::Text(from.clone())
                    };
                    Ok((name.clone(), value))
                });
                let filled: BTreeMap<String, ParamValue> = filled.collect::<Result<_, Unmatched>>()?;
                Ok(Some(Consequence::Send(NewNotification {
                    scope: RULE_SCOPE.into(),
                    key: key_of(&self.id),
                    channel: *channel,
                    priority: *priority,
                    template: template.clone(),
                    params: Params(filled),
                    receivers: vec![receiver],
                    scheduled_at,
                    expires_at: None,
                    transaction: None,
                    broadcast: None,
                })))
            }
        }
    }

    /// What is wrong with the rule itself; fields as in the API.
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        let mut check = |holds: bool, field: &str, must: &str| {
            if !holds {
                faults.push(Fault::new(field, must));
            }
        };
        let is_pointer = |text: &String| text.starts_with('/') && text.len() <= 200;
        let is_event = |text: &str| {
            (1..=128).contains(&text.len())
                && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
        };
        check((1..=100).contains(&self.name.chars().count()), "name", "must be 1 to 100 characters");
        check(is_event(&self.event), "event", "must be a detail-type such as order.created");
        check(self.when.len() <= 8, "when", "must have at most 8 conditions");
        check(self.when.keys().all(is_pointer), "when", "must be by JSON pointers such as /status");
        check((1..=4).contains(&self.key.len()), "key", "must be 1 to 4 JSON pointers");
        check(self.key.iter().all(is_pointer), "key", "must be JSON pointers such as /orderId");
        check(is_pointer(&self.receiver), "receiver", "must be a JSON pointer such as /guestId");
        match &self.action {
            Action::Cancel { rule } => {
                check(*rule != self.id, "action/rule", "must be another rule");
            }
            Action::Send { params, at, .. } => {
                check(params.len() <= MAX_RULE_PARAMS, "action/params", "must be at most 32");
                let short = params.values().all(|text| text.chars().count() <= 1_000);
                check(short, "action/params", "must be at most 1000 characters each");
                if let Some(when) = at {
                    let hours = i64::from(when.offset_hours).abs();
                    check(
                        is_pointer(&when.field),
                        "action/at/field",
                        "must be a JSON pointer such as /checkInAt",
                    );
                    check(hours <= MAX_OFFSET.as_hours(), "action/at/offsetHours", "must be within a year");
                    let time = when.time_of_day.as_ref().is_none_or(|text| parse_time(text).is_some());
                    check(time, "action/at/timeOfDay", "must be a time such as 10:00");
                }
            }
        }
        faults
    }
}

impl When {
    fn of(&self, detail: &Value) -> Option<Timestamp> {
        let text = detail.pointer(&self.field)?.as_str()?;
        let zone = TimeZone::fixed(SHANGHAI);
        let moment = match text.parse::<Timestamp>() {
            Ok(at) => at,
            Err(_) => text.parse::<civil::Date>().ok()?.to_zoned(zone.clone()).ok()?.timestamp(),
        };
        let moved = moment.checked_add(SignedDuration::from_hours(self.offset_hours.into())).ok()?;
        match &self.time_of_day {
            None => Some(moved),
            Some(time) => {
                let day = moved.to_zoned(zone.clone()).date();
                Some(day.to_datetime(parse_time(time)?).to_zoned(zone).ok()?.timestamp())
            }
        }
    }
}

fn parse_time(text: &str) -> Option<civil::Time> {
    crate::preferences::time_of_day(text)
}

fn text_at(detail: &Value, pointer: &str) -> Option<String> {
    match detail.pointer(pointer)? {
        Value::String(text) if !text.is_empty() && text.len() <= 255 => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn param(value: &Value) -> Option<ParamValue> {
    match value {
        Value::Bool(flag) => Some(ParamValue::Flag(*flag)),
        Value::Number(number) => number.as_i64().map(ParamValue::Integer),
        Value::String(text) => Some(ParamValue::Text(text.clone())),
        Value::Array(list) => {
            let texts = list.iter().map(|it| it.as_str().map(Into::into)).collect::<Option<_>>()?;
            Some(ParamValue::List(texts))
        }
        Value::Null | Value::Object(_) => None,
    }
}

/// Where rules are kept.
pub trait RuleShelf: Sync {
    /// Every rule, by id. May be some seconds old.
    fn rules(&self) -> impl Future<Output = Result<Vec<Rule>, StoreError>> + Send;

    /// One rule as it is now.
    fn rule(&self, id: &RuleId) -> impl Future<Output = Result<Option<Rule>, StoreError>> + Send;

    /// Writes a rule, if the one there has one revision less (0: if there is none); says whether it was written.
    fn put_rule(&self, next: &Rule) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Removes a rule of this revision; says whether it was there.
    fn remove_rule(
        &self,
        id: &RuleId,
        revision: u32,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fixtures::at;

    #[expect(clippy::needless_pass_by_value, reason = "a change is made for one rule")]
    fn rule(value: Value) -> Rule {
        let mut base = json!({
            "id": "order-confirmed", "name": "确认短信", "enabled": true, "event": "order.created",
            "key": ["/orderId"], "receiver": "/guestId",
            "action": {
                "type": "send", "channel": "sms", "template": "order_confirmed",
                "params": { "orderId": "/orderId", "amount": "/amountFen", "brand": "Flashsale" },
            },
        });
        base.as_object_mut().unwrap().extend(value.as_object().unwrap().clone());
        serde_json::from_value(base).unwrap()
    }

    fn detail() -> Value {
        json!({
            "orderId": "O-1", "guestId": "ann", "amountFen": 58_800, "status": "new",
            "checkIn": "2026-12-24", "completedAt": "2026-11-24T10:00:00Z",
        })
    }

    fn sent(rule: &Rule, detail: &Value) -> NewNotification {
        match rule.apply("order.created", detail, at(0)).unwrap() {
            Some(Consequence::Send(new)) => new,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_event_becomes_a_message() {
        let rule = rule(json!({}));
        assert_eq!(rule.faults(), []);
        let new = sent(&rule, &detail());
        assert_eq!(new.key, "order-confirmed/O-1");
        assert_eq!(new.receivers, ["ann".parse().unwrap()]);
        let expected = [
            ("amount", ParamValue::Integer(58_800)),
            ("brand", ParamValue::Text("Flashsale".into())),
            ("orderId", ParamValue::Text("O-1".into())),
        ];
        assert_eq!(new.params.0, expected.map(|(name, value)| (name.to_owned(), value)).into());
        assert_eq!(new.scheduled_at, None);
    }

    #[test]
    fn other_events_and_conditions_that_do_not_hold_become_nothing() {
        let none = |rule: &Rule, event: &str| rule.apply(event, &detail(), at(0)).unwrap().is_none();
        assert!(none(&rule(json!({})), "order.paid"));
        assert!(none(&rule(json!({ "enabled": false })), "order.created"));
        assert!(none(&rule(json!({ "when": { "/status": "paid" } })), "order.created"));
        assert!(!none(&rule(json!({ "when": { "/status": "new" } })), "order.created"));
    }

    #[test]
    fn a_day_before_check_in_and_three_days_after_the_stay() {
        let with = |at: Value| {
            let mut it = rule(json!({}));
            let Action::Send { at: place, .. } = &mut it.action else { panic!() };
            *place = Some(serde_json::from_value(at).unwrap());
            it
        };
        let before = with(json!({ "field": "/checkIn", "offsetHours": -24, "timeOfDay": "10:00" }));
        let expected = "2026-12-23T10:00:00+08:00".parse().unwrap();
        assert_eq!(sent(&before, &detail()).scheduled_at, Some(expected));
        let after = with(json!({ "field": "/completedAt", "offsetHours": 72 }));
        assert_eq!(sent(&after, &detail()).scheduled_at, Some(at(72 * 3_600)));
        let over = with(json!({ "field": "/completedAt", "offsetHours": -25 }));
        assert_eq!(over.apply("order.created", &detail(), at(0)), Ok(None), "nobody writes about yesterday");
        let unmatched = with(json!({ "field": "/nowhere", "offsetHours": 0 }));
        assert!(unmatched.apply("order.created", &detail(), at(0)).is_err());
    }

    #[test]
    fn a_cancelled_order_takes_back_what_was_scheduled() {
        let cancel = rule(json!({
            "id": "order-cancelled", "event": "order.cancelled",
            "action": { "type": "cancel", "rule": "order-confirmed" },
        }));
        let new = sent(&rule(json!({})), &detail());
        let consequence = cancel.apply("order.cancelled", &detail(), at(0)).unwrap().unwrap();
        assert_eq!(consequence, Consequence::Cancel { key: new.key, receiver: "ann".parse().unwrap() });
    }

    #[test]
    fn an_event_that_lacks_something_says_what() {
        let error = rule(json!({})).apply("order.created", &json!({ "orderId": "1" }), at(0)).unwrap_err();
        assert_eq!(error.pointer, "/guestId");
        let odd = json!({ "orderId": { "a": 1 }, "guestId": "ann" });
        assert_eq!(rule(json!({})).apply("order.created", &odd, at(0)).unwrap_err().pointer, "/orderId");
    }

    #[test]
    fn what_is_wrong_with_a_rule_is_named() {
        for (change, field) in [
            (json!({ "name": "" }), "name"),
            (json!({ "event": "a b" }), "event"),
            (json!({ "key": [] }), "key"),
            (json!({ "key": ["orderId"] }), "key"),
            (json!({ "receiver": "guestId" }), "receiver"),
            (json!({ "when": { "x": 1 } }), "when"),
            (json!({ "action": { "type": "cancel", "rule": "order-confirmed" } }), "action/rule"),
        ] {
            let faults = rule(change.clone()).faults();
            assert!(faults.iter().any(|fault| fault.field == field), "{change} {faults:?}");
        }
    }
}
