use std::{collections::HashMap, error::Error};

use aws_sdk_dynamodb::types::AttributeValue;
use domain_channel::{Category, Channel, Priority};
use domain_ids::{BroadcastId, MessageId, ProviderName, TemplateCode, TransactionId};
use domain_notification::{Message, Params, Receiver, State, TemplateRef, due_shard};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::keys::{self, Key};

/// A message as it is stored: below 1 KB with a handful of parameters, so that each write costs one unit. Times are
/// milliseconds since 1970.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct MessageItem {
    id: MessageId,
    channel: Channel,
    priority: Priority,
    category: Category,
    template: TemplateCode,
    version: u32,
    #[serde(default)]
    params: Params,
    receiver: Receiver,
    accepted_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    transaction: Option<TransactionId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    broadcast: Option<BroadcastId>,
    fingerprint: u64,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_digest: bool,
    /// Seconds since 1970, as DynamoDB wants it.
    ttl: i64,
    #[serde(flatten)]
    state: StateItem,
}

/// The attributes that transitions change.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StateItem {
    status: StatusName,
    #[serde(rename = "rev")]
    revision: u64,
    #[serde(default)]
    attempts: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scheduled_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    digest: Option<MessageId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    provider: Option<ProviderName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reference: Option<String>,
    /// When the message came into its state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sent_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    redrivable: Option<bool>,
    /// The part of the index by due time; absent where the message does not wait in the table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    due_shard: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    due_at: Option<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StatusName {
    Pending,
    Sending,
    Sent,
    Delivered,
    Failed,
    Cancelled,
}

impl StateItem {
    /// Every attribute that a transition may set or remove.
    pub(crate) const ATTRIBUTES: [&str; 14] = [
        "status",
        "rev",
        "attempts",
        "scheduledAt",
        "digest",
        "error",
        "provider",
        "reference",
        "at",
        "until",
        "sentAt",
        "redrivable",
        "dueShard",
        "dueAt",
    ];
}

impl From<&Message> for StateItem {
    fn from(message: &Message) -> Self {
        let ms = |at: Timestamp| Some(at.as_millisecond());
        let bare = |status| Self {
            status,
            revision: message.revision,
            attempts: message.attempts,
            scheduled_at: message.scheduled_at.and_then(ms),
            digest: message.digest,
            error: message.error.clone(),
            provider: None,
            reference: None,
            at: None,
            until: None,
            sent_at: None,
            redrivable: None,
            due_shard: message.waits.then(|| keys::due_part(due_shard(message.id))),
            due_at: message.waits.then(|| message.due_at().as_millisecond()),
        };
        match &message.state {
            State::Pending => bare(StatusName::Pending),
            State::Sending { provider, since, until } => Self {
                provider: Some(provider.clone()),
                at: ms(*since),
                until: ms(*until),
                ..bare(StatusName::Sending)
            },
            State::Sent { provider, reference, at } => Self {
                provider: Some(provider.clone()),
                reference: reference.clone(),
                at: ms(*at),
                ..bare(StatusName::Sent)
            },
            State::Delivered { provider, reference, sent_at, at } => Self {
                provider: Some(provider.clone()),
                reference: reference.clone(),
                sent_at: ms(*sent_at),
                at: ms(*at),
                ..bare(StatusName::Delivered)
            },
            State::Failed { provider, at, redrivable } => Self {
                provider: provider.clone(),
                at: ms(*at),
                redrivable: Some(*redrivable),
                ..bare(StatusName::Failed)
            },
            State::Cancelled { at } => Self { at: ms(*at), ..bare(StatusName::Cancelled) },
        }
    }
}

/// An item is no message that can be understood: a defect, or written by other hands.
#[derive(Debug, thiserror::Error)]
#[error("a message's item is not readable")]
pub struct UnreadableMessage(#[source] Box<dyn Error + Send + Sync>);

impl TryFrom<&StateItem> for State {
    type Error = Box<dyn Error + Send + Sync>;

    fn try_from(item: &StateItem) -> Result<Self, Self::Error> {
        let time = |ms: Option<i64>| -> Result<Timestamp, Self::Error> {
            Ok(Timestamp::from_millisecond(ms.ok_or("a time is missing")?)?)
        };
        let provider = || item.provider.clone().ok_or("the provider is missing");
        Ok(match item.status {
            StatusName::Pending => Self::Pending,
            StatusName::Sending => {
                Self::Sending { provider: provider()?, since: time(item.at)?, until: time(item.until)? }
            }
            StatusName::Sent => {
                Self::Sent { provider: provider()?, reference: item.reference.clone(), at: time(item.at)? }
            }
            StatusName::Delivered => Self::Delivered {
                provider: provider()?,
                reference: item.reference.clone(),
                sent_at: time(item.sent_at)?,
                at: time(item.at)?,
            },
            StatusName::Failed => Self::Failed {
                provider: item.provider.clone(),
                at: time(item.at)?,
                redrivable: item.redrivable.unwrap_or(false),
            },
            StatusName::Cancelled => Self::Cancelled { at: time(item.at)? },
        })
    }
}

pub(crate) fn write(message: &Message) -> Result<Key, Box<dyn Error + Send + Sync>> {
    let item = MessageItem {
        id: message.id,
        channel: message.channel,
        priority: message.priority,
        category: message.category,
        template: message.template.code.clone(),
        version: message.template.version,
        params: message.params.clone(),
        receiver: message.receiver.clone(),
        accepted_at: message.accepted_at.as_millisecond(),
        expires_at: message.expires_at.map(Timestamp::as_millisecond),
        transaction: message.transaction.clone(),
        broadcast: message.broadcast,
        fingerprint: message.fingerprint,
        is_digest: message.is_digest,
        ttl: message.forgotten_at().as_second(),
        state: StateItem::from(message),
    };
    let mut item: Key = serde_dynamo::to_item(item)?;
    item.extend(keys::message(message.id));
    Ok(item)
}

/// The attributes that change, and their values now.
pub(crate) fn state(message: &Message) -> Result<Key, Box<dyn Error + Send + Sync>> {
    Ok(serde_dynamo::to_item(StateItem::from(message))?)
}

/// The message of an item, or of an image in the table's stream.
#[expect(clippy::implicit_hasher, reason = "what the SDK returns")]
pub fn message_from_item(item: HashMap<String, AttributeValue>) -> Result<Message, UnreadableMessage> {
    parse(item).map_err(UnreadableMessage)
}

fn parse(item: Key) -> Result<Message, Box<dyn Error + Send + Sync>> {
    let item: MessageItem = serde_dynamo::from_item(item)?;
    let time = Timestamp::from_millisecond;
    Ok(Message {
        id: item.id,
        channel: item.channel,
        priority: item.priority,
        category: item.category,
        template: TemplateRef { code: item.template, version: item.version },
        params: item.params,
        receiver: item.receiver,
        accepted_at: time(item.accepted_at)?,
        scheduled_at: item.state.scheduled_at.map(time).transpose()?,
        expires_at: item.expires_at.map(time).transpose()?,
        transaction: item.transaction,
        broadcast: item.broadcast,
        fingerprint: item.fingerprint,
        waits: item.state.due_shard.is_some(),
        is_digest: item.is_digest,
        digest: item.state.digest,
        attempts: item.state.attempts,
        error: item.state.error.clone(),
        state: State::try_from(&item.state)?,
        revision: item.state.revision,
    })
}
