//! Events of the platform, as they wait in the notification event queue.

use std::{convert::Infallible, fmt, sync::Arc};

use contracts::PlatformEvent;
use domain_channel::{Category, Channel, Priority};
use domain_coupon::StoreError;
use domain_ids::{RuleId, TemplateCode};
use domain_notification::{
    AcceptError, Action, CancelError, Consequence, MessageStore, NewNotification, RULE_SCOPE, Receiver,
    Renderer, Rule, RuleShelf, Status, TemplateReader, TemplateRef, Unmatched, Unwanted, accept, cancel,
    cancel_ahead, check, message_id,
};
use jiff::Timestamp;
use notification_dynamodb::RuleCache;
use platform_batch::{
    BatchResponse, Failure,
    sqs::{self, SqsEvent},
};

/// Events worked on at once: each is a write or two for each rule that is about it.
const CONCURRENCY: usize = 10;

/// What an invocation works on.
#[derive(Debug)]
pub struct Ports<S, K, T, R> {
    /// Messages.
    pub store: S,
    /// What is to be done about events.
    pub rules: RuleCache<K>,
    /// What messages say.
    pub templates: T,
    /// What fills it in.
    pub renderer: R,
}

/// What a rule did about an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Done {
    /// A message is accepted.
    Accepted,
    /// It had been, or had been cancelled.
    Repeat,
    /// A message is cancelled, perhaps ahead of its being asked for.
    Cancelled,
    /// It was sent, or failed, before.
    TooLate,
    /// There is no message, and no rule that would ask for it.
    Nothing,
}

/// Why a rule was not carried out. Names rules and fields, never what the event says.
#[derive(Debug, thiserror::Error)]
enum RuleError {
    /// The event does not have what the rule needs.
    #[error(transparent)]
    Unmatched(#[from] Unmatched),
    /// The message is refused as the rule makes it.
    #[error("the rule {rule} makes no message: {why}")]
    Refused { rule: RuleId, why: Refusal },
    /// The message that is to be cancelled is with a provider just now.
    #[error("the message that the rule {rule} cancels is being sent")]
    Sending { rule: RuleId },
    /// Others were faster each time.
    #[error("others change the message that the rule {rule} cancels")]
    Busy { rule: RuleId },
    /// The store failed.
    #[error("the store failed at the rule {rule}")]
    Store { rule: RuleId, source: StoreError },
}

/// What is wrong with a message that a rule makes.
#[derive(Debug)]
enum Refusal {
    NoTemplate(TemplateCode),
    Disabled(TemplateCode),
    Invalid(Vec<String>),
    KeyReused,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTemplate(code) => write!(f, "there is no template {code}"),
            Self::Disabled(code) => write!(f, "the template {code} is disabled"),
            Self::Invalid(fields) => write!(f, "not valid: {}", fields.join(", ")),
            Self::KeyReused => f.write_str("there is another one under its key"),
        }
    }
}

impl RuleError {
    fn is_retryable(&self) -> bool {
        match self {
            Self::Unmatched(_) | Self::Refused { .. } => false,
            Self::Sending { .. } | Self::Busy { .. } => true,
            Self::Store { source, .. } => source.is_retryable(),
        }
    }
}

/// What rules could not be carried out for good, each with its reason.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
struct NotCarriedOut(Vec<RuleError>);

/// Carries out the rules about each event, or reports the event to be delivered again: what has been done then is found, by
/// what names it.
pub async fn handle<S, K, T, R>(
    ports: &Ports<S, K, T, R>,
    now: Timestamp,
    event: SqsEvent,
) -> Result<BatchResponse, Infallible>
where
    S: MessageStore,
    K: RuleShelf,
    T: TemplateReader,
    R: Renderer,
{
    // Once for the whole batch, so that its events do not all ask for the same.
    let rules = ports.rules.rules().await.map_err(Arc::new);
    let rules = &rules;
    let carry_out = |message: sqs::Message<PlatformEvent>| async move {
        let outcome = match rules {
            Ok(rules) => ports.carry_out(rules, &message.body, now).await,
            Err(error) if error.is_retryable() => Err(Failure::again(Arc::clone(error))),
            Err(error) => Err(Failure::never(Arc::clone(error))),
        };
        let name = match &outcome {
            Ok(0) => "ignored",
            Ok(_) => "handled",
            Err(_) => "failed",
        };
        metrics::counter!("EventsReceived", "outcome" => name).increment(1);
        outcome.map(|_| ())
    };
    Ok(sqs::each(event, CONCURRENCY, sqs::json, carry_out).await)
}

impl<S: MessageStore, K: RuleShelf, T: TemplateReader, R: Renderer> Ports<S, K, T, R> {
    /// Has every rule its turn, also after one has failed; says how many did something about the event.
    async fn carry_out(
        &self,
        rules: &[Rule],
        event: &PlatformEvent,
        now: Timestamp,
    ) -> Result<usize, Failure> {
        let (mut carried_out, mut again, mut never) = (0, None, Vec::new());
        for rule in rules {
            let done = match rule.apply(&event.detail_type, &event.detail, now) {
                Ok(None) => continue,
                Ok(Some(Consequence::Send(new))) => self.send(rule, new, now).await,
                Ok(Some(Consequence::Cancel { key, receiver })) => {
                    self.take_back(rules, rule, key, receiver, now).await
                }
                Err(unmatched) => Err(unmatched.into()),
            };
            match done {
                Ok(done) => {
                    record(rule, done);
                    carried_out += 1;
                }
                Err(error) if error.is_retryable() => again = Some(error),
                Err(error) => never.push(error),
            }
        }
        match again {
            // When the event comes again, the others fail again, and are told of then.
            Some(error) => Err(Failure::again(error)),
            None if never.is_empty() => Ok(carried_out),
            None => Err(Failure::never(NotCarriedOut(never))),
        }
    }

    async fn send(&self, rule: &Rule, new: NewNotification, now: Timestamp) -> Result<Done, RuleError> {
        let template = new.template.clone();
        let failed = |error| refused(rule, &template, error);
        let checked = check(&self.templates, &self.renderer, new, now).await.map_err(failed)?;
        let taken = accept(&self.store, &checked, now).await.map_err(failed)?;
        Ok(if taken.iter().all(|taken| taken.is_repeat) { Done::Repeat } else { Done::Accepted })
    }

    /// Cancels what another rule has asked for, or will: events come in any order.
    async fn take_back(
        &self,
        rules: &[Rule],
        rule: &Rule,
        key: String,
        receiver: Receiver,
        now: Timestamp,
    ) -> Result<Done, RuleError> {
        let store_failed = |source| RuleError::Store { rule: rule.id.clone(), source };
        let cancelled = match sent_by_the_other(rules, rule) {
            // What it asked for may still wait, and more will not come.
            None => cancel(&self.store, message_id(RULE_SCOPE, &key, &receiver), now).await,
            Some((channel, priority, code)) => {
                let template = self.templates.template(code).await.map_err(store_failed)?;
                let (category, version) =
                    template.map_or((Category::Order, 0), |template| (template.category, template.version));
                let template = TemplateRef { code: code.clone(), version };
                let scope = RULE_SCOPE.into();
                let unwanted = Unwanted { scope, key, receiver, channel, priority, category, template };
                cancel_ahead(&self.store, &unwanted, now).await
            }
        };
        match cancelled {
            Ok(_) => Ok(Done::Cancelled),
            Err(CancelError::NotFound) => Ok(Done::Nothing),
            // If the provider does not take it, it is pending again.
            Err(CancelError::TooLate(Status::Sending)) => Err(RuleError::Sending { rule: rule.id.clone() }),
            Err(CancelError::TooLate(
                Status::Pending | Status::Sent | Status::Delivered | Status::Failed | Status::Cancelled,
            )) => Ok(Done::TooLate),
            Err(CancelError::Busy) => Err(RuleError::Busy { rule: rule.id.clone() }),
            Err(CancelError::Store(source)) => Err(store_failed(source)),
        }
    }
}

fn refused(rule: &Rule, template: &TemplateCode, error: AcceptError) -> RuleError {
    let why = match error {
        AcceptError::NoTemplate => Refusal::NoTemplate(template.clone()),
        AcceptError::Disabled => Refusal::Disabled(template.clone()),
        AcceptError::Invalid(faults) => {
            Refusal::Invalid(faults.into_iter().map(|fault| fault.field).collect())
        }
        AcceptError::KeyReused => Refusal::KeyReused,
        AcceptError::Store(source) => return RuleError::Store { rule: rule.id.clone(), source },
    };
    RuleError::Refused { rule: rule.id.clone(), why }
}

/// How, how soon and what the rule sends that `cancelling` is about, if there is such a rule.
fn sent_by_the_other<'a>(
    rules: &'a [Rule],
    cancelling: &Rule,
) -> Option<(Channel, Priority, &'a TemplateCode)> {
    let Action::Cancel { rule: other } = &cancelling.action else { return None };
    match &rules.iter().find(|rule| rule.id == *other)?.action {
        Action::Send { channel, priority, template, .. } => Some((*channel, *priority, template)),
        Action::Cancel { .. } => None,
    }
}

/// One log line for a rule that did something, and the metric of its messages; no guest, nothing of the event.
fn record(rule: &Rule, done: Done) {
    let outcome = match done {
        Done::Accepted => "accepted",
        Done::Repeat => "repeat",
        Done::Cancelled => "cancelled",
        Done::TooLate => "too_late",
        Done::Nothing => "nothing",
    };
    if done == Done::Accepted {
        metrics::counter!("RuleMessages", "rule" => rule.id.to_string()).increment(1);
    }
    tracing::info!(rule.id = %rule.id, rule.outcome = outcome, "rule");
}

#[cfg(test)]
mod tests {
    use domain_notification::Fault;
    use notification_dynamodb::{NotificationTable, TemplateCache};
    use notification_minijinja::Templates;
    use platform_telemetry::Chain;
    use serde_json::{Value, json};
    use testing::{EmbeddedDynamoDb, NOW};

    use super::*;

    fn rule(members: &Value) -> Rule {
        let mut rule = json!({
            "id": "confirm", "name": "a", "enabled": true, "event": "order.created", "key": ["/orderId"],
            "receiver": "/guestId", "action": { "type": "send", "channel": "sms", "template": "confirmed" },
        });
        rule.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        serde_json::from_value(rule).unwrap()
    }

    #[tokio::test]
    async fn the_reason_names_every_rule_that_failed_and_nothing_of_the_event() {
        let (db, name) = EmbeddedDynamoDb::with_notification_table().await;
        let table = NotificationTable::new(db.client(), name);
        let ports = Ports {
            rules: RuleCache::new(table.clone(), || NOW),
            templates: TemplateCache::new(table.clone(), || NOW),
            store: table,
            renderer: Templates::default(),
        };
        let rules = [rule(&json!({ "id": "host", "receiver": "/host/phone" })), rule(&json!({}))];
        let detail = json!({ "orderId": "O-1", "guestId": "secret", "host": { "phone": "138#0013" } });
        let event = PlatformEvent { detail_type: "order.created".into(), detail };
        let failure = ports.carry_out(&rules, &event, NOW).await.unwrap_err();
        assert_eq!(
            Chain(&failure).to_string(),
            "can never succeed: the event has no usable /host/phone, which the rule host needs; \
             the rule confirm makes no message: there is no template confirmed",
        );
    }

    #[test]
    fn what_can_never_succeed_is_told_from_what_may() {
        let rule = rule(&json!({}));
        let faults = vec![Fault::new("params/amount", "must be there"), Fault::new("to/0", "must be")];
        let store = |error| AcceptError::Store(error);
        for (error, told, is_retryable) in [
            (
                AcceptError::NoTemplate,
                "the rule confirm makes no message: there is no template confirmed",
                false,
            ),
            (
                AcceptError::Disabled,
                "the rule confirm makes no message: the template confirmed is disabled",
                false,
            ),
            (
                AcceptError::Invalid(faults),
                "the rule confirm makes no message: not valid: params/amount, to/0",
                false,
            ),
            (
                AcceptError::KeyReused,
                "the rule confirm makes no message: there is another one under its key",
                false,
            ),
            (store(StoreError::Unavailable("down".into())), "the store failed at the rule confirm", true),
            (store(StoreError::Throttled("busy".into())), "the store failed at the rule confirm", true),
            (store(StoreError::Corrupt("x".into())), "the store failed at the rule confirm", false),
        ] {
            let error = refused(&rule, &"confirmed".parse().unwrap(), error);
            assert_eq!((error.to_string().as_str(), error.is_retryable()), (told, is_retryable));
        }
    }
}
