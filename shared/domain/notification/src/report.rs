//! What providers tell afterwards: delivered, bounced, complained of.

use domain_ids::{MessageId, ProviderName};
use jiff::Timestamp;

use crate::Address;

/// What one delivery report tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryReport {
    /// Of which message.
    pub of: Reported,
    /// What became of it.
    pub fate: Fate,
    /// When, as the provider says.
    pub at: Timestamp,
    /// The address it is about, where the report has it.
    pub address: Option<Address>,
}

/// How a report names its message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reported {
    /// By our own id, which the provider was given.
    Message(MessageId),
    /// By the provider's.
    Reference {
        /// The provider in the configuration.
        provider: ProviderName,
        /// What it calls the message.
        reference: String,
    },
}

/// What became of a message after the provider took it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It arrived.
    Delivered,
    /// It did not arrive, and the address is not to blame. With the provider's code, cut as in
    /// [`Failure`](crate::Failure).
    Failed(String),
    /// It did not arrive, and nothing will: the address goes to the suppression list. With the provider's code.
    Bounced(String),
    /// It arrived and its receiver objects: the address goes to the suppression list.
    Complained,
}
