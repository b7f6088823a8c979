//! Messages and what belongs to them in one DynamoDB table.
//!
//! | item | `pk` | `sk` |
//! |---|---|---|
//! | message | `MESSAGE#<message>` | `MESSAGE` |
//! | member of a digest | `DIGEST#<digest>` | `<message>` |
//! | template, its versions | `TEMPLATES`; `TEMPLATE#<code>` | `<code>`; `VERSION#<version>` |
//! | rule | `RULES` | `<rule>` |
//! | what is known of a guest | `GUEST#<guest>` | `CONTACTS`, `DEVICES`, `PREFERENCES` |
//! | whose a device is | `ENDPOINT#<digest of the ARN>` | `ENDPOINT` |
//! | inbox | `INBOX#<guest>` | `ENTRY#<due, ms>#<message>`, `READ` |
//! | address to which nothing is sent | `SUPPRESSED#<digest of the address>` | `SUPPRESSED` |
//! | broadcast, the list of them, its idempotency key | `BROADCAST#<broadcast>`; `BROADCASTS`; `BROADCAST#KEY#<digest>` | `BROADCAST`; `<broadcast>`; `KEY` |
//! | what a provider calls a message | `REFERENCE#<provider>#<reference>` | `REFERENCE` |
//! | messages to a guest today; calls of a provider this second | `LIMIT#…` | `LIMIT` |
//! | shared access token | `TOKEN#<name>` | `TOKEN` |
//!
//! Two indexes, of keys alone: `messages-by-receiver` has every message by its receiver and the time it was accepted;
//! `messages-by-due` has the messages that wait in the table, in 64 parts by the time they are due. Accepting a message is
//! one write and one for the first index; neither lease nor outcome changes an index key.

mod broadcasts;
mod caps;
mod digests;
mod guests;
mod inbox;
mod keys;
mod message_item;
mod messages;
mod permits;
mod references;
mod rules;
mod templates;
mod tokens;

use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use coupon_dynamodb::Consumed;

pub use guests::{SUPPRESSED_FOR, StoredContacts};
pub use inbox::InboxProvider;
pub use message_item::{UnreadableMessage, message_from_item};
pub use permits::Permits;
pub use rules::{RULES_REMEMBERED_FOR, RuleCache};
pub use templates::{TEMPLATE_REMEMBERED_FOR, TemplateCache};

/// The notification table.
#[derive(Debug, Clone)]
pub struct NotificationTable {
    client: Client,
    table: String,
    consumed: Arc<Consumed>,
}

impl NotificationTable {
    /// The table named `table`, reached through `client`.
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table, consumed: Arc::default() }
    }

    /// Counts what DynamoDB charged for the calls that messages take.
    pub fn consumed(&self) -> &Consumed {
        &self.consumed
    }
}
