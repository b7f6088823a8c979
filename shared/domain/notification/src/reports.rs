//! What a delivery report changes: the message's status, and the suppression list.

use domain_coupon::StoreError;
use domain_ids::{MessageId, ProviderName};
use jiff::Timestamp;

use crate::{Address, DeliveryReport, Fate, Guests, Message, MessageStore, Receiver, Reported};

/// Where messages are found by what a provider calls them, for the providers that cannot be told what we call them.
pub trait References: Sync {
    /// The message that `provider` calls `reference`.
    fn referred(
        &self,
        provider: &ProviderName,
        reference: &str,
    ) -> impl Future<Output = Result<Option<MessageId>, StoreError>> + Send;

    /// Notes that `provider` calls the message `to` by `reference`.
    fn refer(
        &self,
        provider: &ProviderName,
        reference: &str,
        to: MessageId,
        forgotten_at: Timestamp,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// What came of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// The message has a new status.
    Changed,
    /// It tells nothing new, or nothing of ours.
    Nothing,
}

/// Tries to write what a report changes, while others write too.
const TRIES: usize = 4;

/// Records one report of the provider `from`: as often as it comes, and in any order. What a provider says of a message that
/// another one has by now changes nothing about it.
pub async fn record(
    store: &(impl MessageStore + Guests + References),
    from: &ProviderName,
    report: &DeliveryReport,
) -> Result<Recorded, StoreError> {
    let id = match &report.of {
        Reported::Message(id) => Some(*id),
        Reported::Reference { provider, reference } => store.referred(provider, reference).await?,
    };
    let mut address = report.address.clone();
    let mut recorded = Recorded::Nothing;
    if let Some(id) = id {
        let mut tries = 0;
        while let Some(message) = store.message(id).await? {
            if address.is_none() {
                address = address_of(store, &message).await?;
            }
            let next = match &report.fate {
                Fate::Delivered => message.delivered(report.at),
                Fate::Failed(code) | Fate::Bounced(code) => message.bounced(code, report.at),
                Fate::Complained => break,
            };
            let Ok(next) = next else { break };
            if message.provider() != Some(from) {
                break;
            }
            if store.replace(&next).await? {
                recorded = Recorded::Changed;
                break;
            }
            tries += 1;
            if tries == TRIES {
                return Err(StoreError::Throttled("others were faster each time".into()));
            }
        }
    }
    let reason = match &report.fate {
        Fate::Delivered | Fate::Failed(_) => None,
        Fate::Bounced(code) => Some(code.as_str()),
        Fate::Complained => Some("complained"),
    };
    if let (Some(reason), Some(address)) = (reason, address) {
        store.suppress(&address, reason, report.at).await?;
    }
    Ok(recorded)
}

/// Where it went, as far as is known today.
async fn address_of(store: &impl Guests, message: &Message) -> Result<Option<Address>, StoreError> {
    match &message.receiver {
        Receiver::Guest(guest) => Ok(store.profile(guest).await?.contacts.address(guest, message.channel)),
        Receiver::Phone(_) | Receiver::Mail(_) | Receiver::WechatOfficial(_) | Receiver::WechatMini(_) => {
            Ok(message.receiver.address())
        }
    }
}
