use std::collections::BTreeMap;

use domain_channel::{Channel, Priority};
use domain_ids::{MessageId, RuleId};
use domain_notification::{Action, Fault, Rule, When};
use jiff::Timestamp;
use platform_http::{Problem, Request, StatusCode, cursor};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::NotificationPreviewView;

/// Bytes of a rule as JSON: a page of rules, and all rules together, stay below the 6 MB of a response.
const MAX_RULE_BYTES: usize = 8 * 1_024;

/// 404.
pub fn notification_rule_not_found() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "notification-rule-not-found",
        "There is no such rule of notifications",
    )
}

/// The place of a rule in the list of all, before it is made opaque.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotificationRuleCursor(pub RuleId);

impl NotificationRuleCursor {
    /// No id begins with it: what another list made is no place in this one.
    const MARK: &str = "rule:";

    /// Where the page begins that the caller asks for, or 400 `invalid-cursor`.
    pub fn from_query(request: &Request) -> Result<Option<RuleId>, Problem> {
        let Some(text) = cursor::from_query(request)? else { return Ok(None) };
        let id = text.strip_prefix(Self::MARK).and_then(|id| id.parse().ok());
        id.map(Some).ok_or_else(cursor::invalid)
    }

    /// As a caller gets it.
    pub fn encode(&self) -> String {
        cursor::encode(&format!("{}{}", Self::MARK, self.0))
    }
}

/// Which event becomes which message, to whom and when. Places in the event's `detail` are JSON pointers (RFC 6901).
#[derive(Debug, Clone, PartialEq, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({
    "name": "入住前一天提醒", "event": "order.created", "key": ["/orderId"], "receiver": "/guestId",
    "action": {
        "type": "send", "channel": "sms", "template": "check_in_reminder",
        "params": {"orderId": "/orderId", "checkIn": "/checkIn"},
        "at": {"field": "/checkIn", "offsetHours": -24, "timeOfDay": "10:00"}
    }
}))]
pub struct NotificationRuleRequest {
    /// What operators call it, 1 to 100 characters.
    name: String,
    /// Whether it is in force; it is, without it.
    #[serde(default = "enabled")]
    enabled: bool,
    /// The `detail-type` of the events it is about.
    #[schema(example = "order.created")]
    event: String,
    /// What must hold of the event's detail: a pointer, and the value there. At most 8.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, Object>)]
    when: BTreeMap<String, Value>,
    /// What to do.
    action: NotificationRuleAction,
    /// Pointers whose values tell one occurrence of the event from the next, 1 to 4: of an event that comes again with the
    /// same values there is no second message.
    key: Vec<String>,
    /// Where the receiver is: a pointer to a guest's id, or to an address as a URI (`tel:`, `mailto:`, …).
    #[schema(example = "/guestId")]
    receiver: String,
}

fn enabled() -> bool {
    true
}

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NotificationRuleActionType {
    /// Sends a message.
    Send,
    /// Cancels what another rule has scheduled for the same key.
    Cancel,
}

/// What a rule does: `send` has all fields but `rule`, `cancel` has `rule` alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NotificationRuleAction {
    /// What it does.
    #[serde(rename = "type")]
    kind: NotificationRuleActionType,
    /// On which way: that of the template. `sms` (1 in the roadmap), `email` (2), `wechat` (3), `push` (4) or `internal` (5).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "sms")]
    channel: Option<Channel>,
    /// How soon: `low` (1 in the roadmap), `normal` (2), `high` (3) or `urgent` (4); `normal` without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "normal")]
    priority: Option<Priority>,
    /// What it says: the code of a template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    template: Option<String>,
    /// What fills it in, at most 32: by the variable's name a pointer (which begins with `/`), or the text itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    params: Option<BTreeMap<String, String>>,
    /// When, if not at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at: Option<NotificationRuleTime>,
    /// The rule whose message is cancelled: one that sends, with as many pointers in its `key`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rule: Option<String>,
}

/// A moment that an event names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NotificationRuleTime {
    /// A pointer to an instant in RFC 3339, or to a day (`2026-12-24`).
    #[schema(example = "/checkIn")]
    field: String,
    /// So many hours later, or earlier where it is below 0.
    offset_hours: i32,
    /// At this time of that day in Asia/Shanghai, whatever the hour was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "10:00")]
    time_of_day: Option<String>,
}

impl NotificationRuleRequest {
    /// The rule as the domain has it, of this id and revision, or all that is wrong with it by itself.
    pub fn parse(self, id: RuleId, revision: u32) -> Result<Rule, Vec<Fault>> {
        let mut faults = Vec::new();
        let action = self.action.parse(&mut faults);
        let rule = action.map(|action| Rule {
            id,
            name: self.name,
            enabled: self.enabled,
            event: self.event,
            when: self.when,
            action,
            key: self.key,
            receiver: self.receiver,
            revision,
        });
        match rule {
            Some(rule) if faults.is_empty() => {
                faults.extend(rule.faults());
                let bytes = serde_json::to_string(&rule).map_or(usize::MAX, |json| json.len());
                if bytes > MAX_RULE_BYTES {
                    faults.push(Fault::new("", "must be at most 8192 bytes of JSON"));
                }
                if faults.is_empty() { Ok(rule) } else { Err(faults) }
            }
            Some(_) | None => Err(faults),
        }
    }
}

impl NotificationRuleAction {
    fn parse(self, faults: &mut Vec<Fault>) -> Option<Action> {
        let of_send = [
            ("channel", self.channel.is_some()),
            ("priority", self.priority.is_some()),
            ("template", self.template.is_some()),
            ("params", self.params.is_some()),
            ("at", self.at.is_some()),
        ];
        let of_cancel = [("rule", self.rule.is_some())];
        let (foreign, other): (&[_], _) = match self.kind {
            NotificationRuleActionType::Send => (&of_cancel, "cancel"),
            NotificationRuleActionType::Cancel => (&of_send, "send"),
        };
        for (name, _) in foreign.iter().filter(|(_, is_there)| *is_there) {
            faults.push(Fault::new(format!("action/{name}"), format!("must be left out but for {other}")));
        }
        let missing = |field: &str| Fault::new(format!("action/{field}"), "must be present");
        match self.kind {
            NotificationRuleActionType::Send => {
                if self.channel.is_none() {
                    faults.push(missing("channel"));
                }
                let template = match self.template.map(|code| code.parse()) {
                    None => Err(missing("template")),
                    Some(code) => code.map_err(|_| {
                        Fault::new(
                            "action/template",
                            "must be the code of a template: 1 to 64 of A-Z a-z 0-9 - _ .",
                        )
                    }),
                };
                let template = template.map_err(|fault| faults.push(fault)).ok();
                Some(Action::Send {
                    channel: self.channel?,
                    priority: self.priority.unwrap_or_default(),
                    template: template?,
                    params: self.params.unwrap_or_default(),
                    at: self.at.map(|at| When {
                        field: at.field,
                        offset_hours: at.offset_hours,
                        time_of_day: at.time_of_day,
                    }),
                })
            }
            NotificationRuleActionType::Cancel => {
                let rule = match self.rule.map(|rule| rule.parse()) {
                    None => Err(missing("rule")),
                    Some(rule) => rule.map_err(|_| {
                        Fault::new("action/rule", "must be the id of a rule: 1 to 64 of A-Z a-z 0-9 - _ .")
                    }),
                };
                let rule = rule.map_err(|fault| faults.push(fault)).ok();
                Some(Action::Cancel { rule: rule? })
            }
        }
    }
}

impl From<&Action> for NotificationRuleAction {
    fn from(action: &Action) -> Self {
        let bare = Self {
            kind: NotificationRuleActionType::Cancel,
            channel: None,
            priority: None,
            template: None,
            params: None,
            at: None,
            rule: None,
        };
        match action {
            Action::Cancel { rule } => Self { rule: Some(rule.to_string()), ..bare },
            Action::Send { channel, priority, template, params, at } => Self {
                kind: NotificationRuleActionType::Send,
                channel: Some(*channel),
                priority: Some(*priority),
                template: Some(template.to_string()),
                params: Some(params.clone()),
                at: at.as_ref().map(|at| NotificationRuleTime {
                    field: at.field.clone(),
                    offset_hours: at.offset_hours,
                    time_of_day: at.time_of_day.clone(),
                }),
                ..bare
            },
        }
    }
}

/// A rule of notifications.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NotificationRuleView {
    /// Names it.
    #[schema(value_type = String)]
    pub id: RuleId,
    /// What operators call it.
    pub name: String,
    /// Whether it is in force.
    pub enabled: bool,
    /// The `detail-type` of the events it is about.
    pub event: String,
    /// What must hold of the event's detail.
    #[schema(value_type = BTreeMap<String, Object>)]
    pub when: BTreeMap<String, Value>,
    /// What it does.
    pub action: NotificationRuleAction,
    /// What tells one occurrence of the event from the next.
    pub key: Vec<String>,
    /// Where the receiver is.
    pub receiver: String,
    /// Counts the changes; the entity tag.
    pub revision: u32,
}

impl From<&Rule> for NotificationRuleView {
    fn from(rule: &Rule) -> Self {
        Self {
            id: rule.id.clone(),
            name: rule.name.clone(),
            enabled: rule.enabled,
            event: rule.event.clone(),
            when: rule.when.clone(),
            action: (&rule.action).into(),
            key: rule.key.clone(),
            receiver: rule.receiver.clone(),
            revision: rule.revision,
        }
    }
}

/// Part of the rules, in the order of their ids.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NotificationRuleList {
    /// The rules.
    pub items: Vec<NotificationRuleView>,
    /// Pass it as `cursor` to get what follows; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// An event to try a rule with. `Debug` hides it: particulars are about people.
#[derive(Clone, PartialEq, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"detail": {"orderId": "O-1", "guestId": "ann", "checkIn": "2026-12-24"}}))]
pub struct TryNotificationRuleRequest {
    /// The event's particulars.
    #[schema(value_type = Object)]
    pub detail: serde_json::Map<String, Value>,
}

impl std::fmt::Debug for TryNotificationRuleRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TryNotificationRuleRequest").finish_non_exhaustive()
    }
}

/// What a rule would do about an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TriedOutcome {
    /// It would send a message.
    Send,
    /// It would send none as things are: `faults` say why.
    Refuse,
    /// It would cancel a message.
    Cancel,
    /// It would do nothing: a condition does not hold, or the moment is over.
    Nothing,
}

/// What would be done about an event. `Debug` hides to whom.
#[derive(Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TriedNotificationRuleView {
    /// What would be done, were the rule in force.
    pub outcome: TriedOutcome,
    /// The message that would be sent or cancelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub message_id: Option<MessageId>,
    /// To whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receiver: Option<String>,
    /// When, if not at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub scheduled_at: Option<Timestamp>,
    /// The message in the template's default language.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preview: Option<NotificationPreviewView>,
    /// Why it would not be sent.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<FaultView>,
}

impl std::fmt::Debug for TriedNotificationRuleView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TriedNotificationRuleView").field("outcome", &self.outcome).finish_non_exhaustive()
    }
}

/// One thing that is wrong with a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FaultView {
    /// The field of the message; nested ones joined by `/`.
    pub field: String,
    /// What it must be.
    pub must: String,
}

impl From<Fault> for FaultView {
    fn from(fault: Fault) -> Self {
        Self { field: fault.field, must: fault.must }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(action: &Value) -> Result<Rule, Vec<String>> {
        let body = json!({
            "name": "x", "event": "order.created", "key": ["/orderId"], "receiver": "/guestId", "action": action,
        });
        let request: NotificationRuleRequest = serde_json::from_value(body).unwrap();
        request
            .parse("r".parse().unwrap(), 1)
            .map_err(|faults| faults.into_iter().map(|fault| fault.field).collect())
    }

    #[test]
    fn a_rule_reads_back() {
        for action in [
            json!({ "type": "cancel", "rule": "a" }),
            json!({
                "type": "send", "channel": "sms", "priority": "low", "template": "t", "params": { "a": "/b" },
                "at": { "field": "/x", "offsetHours": -24, "timeOfDay": "10:00" },
            }),
        ] {
            let rule = parse(&action).unwrap();
            assert_eq!(json!(NotificationRuleView::from(&rule))["action"], action);
        }
    }

    #[test]
    fn an_action_has_its_own_fields_and_no_others() {
        for (action, fields) in [
            (json!({ "type": "send" }), &["action/channel", "action/template"][..]),
            (json!({ "type": "send", "channel": "sms", "template": "a b" }), &["action/template"]),
            (json!({ "type": "send", "channel": "sms", "template": "a", "rule": "b" }), &["action/rule"]),
            (json!({ "type": "cancel" }), &["action/rule"]),
            (json!({ "type": "cancel", "rule": "a b" }), &["action/rule"]),
            (json!({ "type": "cancel", "rule": "r" }), &["action/rule"]),
            (
                json!({ "type": "cancel", "rule": "a", "channel": "sms", "params": {} }),
                &["action/channel", "action/params"],
            ),
        ] {
            assert_eq!(parse(&action).unwrap_err(), fields, "{action}");
        }
    }

    #[test]
    fn a_rule_is_bounded() {
        let params: BTreeMap<String, String> = (0..10).map(|n| (format!("p{n}"), "长".repeat(900))).collect();
        let action = json!({ "type": "send", "channel": "sms", "template": "t", "params": params });
        assert_eq!(parse(&action).unwrap_err(), [""]);
    }
}
