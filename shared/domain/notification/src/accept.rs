//! Taking a message: all that can be wrong with it is told now, and what is taken is never lost.
//!
//! A message is one item, and writing it is all that happens: the table's stream is the outbox from which it is queued.
//! Its id is made from who asks, the key and the receiver, so that a repeat finds it instead of making another.

use domain_channel::{Channel, Priority};
use domain_coupon::StoreError;
use domain_ids::{BroadcastId, MessageId, TemplateCode, TransactionId};
use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::{SignedDuration, Timestamp};

use crate::{
    Added, Fault, Message, MessageStore, Params, Receiver, Renderer, State, Template, TemplateReader,
    TemplateRef, TemplateVersion,
    cancel::CANCELLED_AHEAD,
    message::{digest, first, message_id},
};

/// Receivers of one request.
pub const MAX_RECEIVERS: usize = 1_000;

/// Bytes of what fills in one message, as JSON: a message is written and changed four times, at a unit for each KB.
pub const MAX_PARAMS_BYTES: usize = 4 * 1_024;

/// The farthest time ahead.
pub const MAX_AHEAD: SignedDuration = SignedDuration::from_hours(24 * 366);

/// Messages of a request that are written at once.
const CONCURRENCY: usize = 32;

/// What somebody wants sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewNotification {
    /// Who asks: keys of different scopes do not meet.
    pub scope: String,
    /// The idempotency key.
    pub key: String,
    /// On which way: that of the template.
    pub channel: Channel,
    /// How soon.
    pub priority: Priority,
    /// What it says.
    pub template: TemplateCode,
    /// What fills it in.
    pub params: Params,
    /// To whom, 1 to [`MAX_RECEIVERS`].
    pub receivers: Vec<Receiver>,
    /// Not before.
    pub scheduled_at: Option<Timestamp>,
    /// Not after.
    pub expires_at: Option<Timestamp>,
    /// What it belongs to.
    pub transaction: Option<TransactionId>,
    /// The broadcast it is part of.
    pub broadcast: Option<BroadcastId>,
}

/// A message that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// The message.
    pub id: MessageId,
    /// To whom.
    pub receiver: Receiver,
    /// Whether it had been taken before, or cancelled ahead.
    pub is_repeat: bool,
}

/// Nothing was taken, or, after an error of the store, perhaps some: a repeat takes the rest.
#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    /// There is no such template.
    #[error("there is no such template")]
    NoTemplate,
    /// The template is not in use.
    #[error("the template is disabled")]
    Disabled,
    /// Something is wrong with the request.
    #[error("{} field(s) are not valid", .0.len())]
    Invalid(Vec<Fault>),
    /// The key was used for something else.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

/// A request that was found in order, with the template it uses.
#[derive(Debug, Clone)]
pub struct Checked {
    new: NewNotification,
    template: Template,
}

/// Checks a request without taking it: template, variables, receivers, times.
pub async fn check(
    templates: &impl TemplateReader,
    renderer: &impl Renderer,
    new: NewNotification,
    now: Timestamp,
) -> Result<Checked, AcceptError> {
    let template = templates.template(&new.template).await?.ok_or(AcceptError::NoTemplate)?;
    if !template.enabled {
        return Err(AcceptError::Disabled);
    }
    let of = TemplateRef { code: template.code.clone(), version: template.version };
    let version = templates.version(&of).await?.ok_or(AcceptError::NoTemplate)?;
    let faults = faults(&new, &version, renderer, now);
    if faults.is_empty() { Ok(Checked { new, template }) } else { Err(AcceptError::Invalid(faults)) }
}

/// Takes what was checked: one message for each receiver, each once however often this is repeated.
pub async fn accept(
    store: &impl MessageStore,
    checked: &Checked,
    now: Timestamp,
) -> Result<Vec<Taken>, AcceptError> {
    let Checked { new, template } = checked;
    let fingerprint = fingerprint(new);
    let is_single = new.receivers.len() == 1 && new.broadcast.is_none();
    // Of owned receivers: with borrowed ones the compiler cannot tell that the future is `Send`.
    stream::iter(new.receivers.iter().cloned())
        .map(|receiver| {
            let message = Message {
                id: message_id(&new.scope, &new.key, &receiver),
                channel: new.channel,
                priority: new.priority,
                category: template.category,
                template: TemplateRef { code: template.code.clone(), version: template.version },
                params: new.params.clone(),
                receiver,
                accepted_at: now,
                scheduled_at: new.scheduled_at.filter(|at| *at > now),
                expires_at: new.expires_at,
                transaction: new.transaction.clone(),
                broadcast: new.broadcast,
                fingerprint,
                waits: !is_single && waits_in_table(new.scheduled_at, now),
                is_digest: false,
                digest: None,
                attempts: 0,
                error: None,
                state: State::Pending,
                revision: 1,
            };
            async move {
                let is_repeat = match store.add(&message).await? {
                    Added::New => false,
                    Added::Known(known) if known.fingerprint == fingerprint => true,
                    Added::Known(known) if known.fingerprint == CANCELLED_AHEAD => true,
                    Added::Known(_) => return Err(AcceptError::KeyReused),
                };
                Ok(Taken { id: message.id, receiver: message.receiver, is_repeat })
            }
        })
        .buffered(CONCURRENCY)
        .try_collect()
        .await
}

/// Whether a message for `at` waits in the table: what is due sooner than a queue can delay goes there at once.
fn waits_in_table(at: Option<Timestamp>, now: Timestamp) -> bool {
    at.is_some_and(|at| at.duration_since(now) > crate::MAX_DELAY)
}

fn faults(
    new: &NewNotification,
    version: &TemplateVersion,
    renderer: &impl Renderer,
    now: Timestamp,
) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut check = |holds: bool, field: &str, must: &str| {
        if !holds {
            faults.push(Fault::new(field, must));
        }
    };
    check(new.channel == version.channel, "type", "must be that of the template");
    check((1..=MAX_RECEIVERS).contains(&new.receivers.len()), "to", "must be 1 to 1000 receivers");
    for (place, receiver) in new.receivers.iter().enumerate() {
        check(receiver.takes(new.channel), &format!("to/{place}"), "must be reachable by this type");
    }
    let params = serde_json::to_string(&new.params).map_or(usize::MAX, |json| json.len());
    check(params <= MAX_PARAMS_BYTES, "params", "must be at most 4096 bytes of JSON");
    let latest = now.checked_add(MAX_AHEAD).unwrap_or(Timestamp::MAX);
    check(new.scheduled_at.is_none_or(|at| at <= latest), "scheduledAt", "must be within a year");
    let due = new.scheduled_at.unwrap_or(now).max(now);
    check(new.expires_at.is_none_or(|at| at > due), "expiresAt", "must be after the time of sending");
    if let Err(more) = renderer.render(version, None, &new.params) {
        faults.extend(more);
    }
    faults
}

/// Of all that must be the same in a repeat.
fn fingerprint(new: &NewNotification) -> u64 {
    let time = |at: Option<Timestamp>| at.map(|at| at.to_string()).unwrap_or_default();
    let params = serde_json::to_string(&new.params).unwrap_or_default();
    let transaction = new.transaction.as_ref().map(ToString::to_string).unwrap_or_default();
    u64::from_be_bytes(first(&digest(&[
        new.channel.name(),
        new.priority.name(),
        new.template.as_str(),
        &params,
        &time(new.scheduled_at),
        &time(new.expires_at),
        &transaction,
    ])))
}
