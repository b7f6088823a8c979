//! What people searched for, in one `DynamoDB` table.
//!
//! | item | `pk` | `sk` | attributes |
//! |---|---|---|---|
//! | search | `FACTS#<hour>#<0 to 15>` | `<search>#S` | `client` (16 bytes), `found`, `keyword` or `hidden` or neither, `ttl` |
//! | opened result | `FACTS#<hour>#<0 to 15>` | `<search>#C#<ms>#<place>#<homestay>` | `ttl` |
//! | salt of a day | `SALT` | `<day>` | `salt` (32 bytes), `ttl` |
//! | hour to be counted again | `LATE` | `<hour>` | `token`, `ttl` |
//! | counts of an hour | `HOURS#<day>` | `<hour>` | `facts`, `totals`, `keywords`, `ttl` |
//! | votes of an hour | `VOTES` | `<hour>` | `facts`, `votes`, `ttl` |
//! | counts of a day | `DAYS` | `<day>` | `facts`, `totals`, `keywords`, `zeroResultKeywords`, `ttl` |
//! | popular queries | `HOT` | `LIST` | `asOf`, `items`, `baseline` |
//! | entry of a history | `HISTORY#<guest>` | `<digest of the keyword>` | `text`, `at`, `ttl` |
//!
//! A fact's key is made of the fact, and its hour is that of its search: to keep it again writes the same item. So a search
//! event costs one write unit, unconditionally, and two events never meet on an item: an hour's facts are spread over 16
//! partition keys, good for 16,000 a second. Hours (`2026-11-11T00`) and days are those of Asia/Shanghai.

mod batch;
mod days;
mod facts;
mod history;
mod hot;
mod keys;
mod salts;
mod shelf;

use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use coupon_dynamodb::Consumed;

pub use facts::FACTS_KEPT_FOR;
pub use salts::SALTS_KEPT_FOR;

/// The search table.
#[derive(Debug, Clone)]
pub struct SearchTable {
    client: Client,
    table: String,
    consumed: Arc<Consumed>,
}

impl SearchTable {
    /// The table named `table`, reached through `client`.
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table, consumed: Arc::default() }
    }

    /// Counts what DynamoDB charged for the calls of this table.
    pub fn consumed(&self) -> &Consumed {
        &self.consumed
    }
}
