//! Grants in the coupon table.
//!
//! | item | `pk` | `sk` | attributes |
//! |---|---|---|---|
//! | grant | `GRANT#<grant>` | `GRANT` | template, recipients, progress |
//! | chunk of a grant | `GRANT#<grant>` | `CHUNK#<number>` | its file, what came of it; `ttl` |
//! | every grant | `GRANTS` | `<grant>` | |
//! | key of a request | `GRANT#KEY#<digest>` | `KEY` | the grant it ordered |
//!
//! A chunk that is done and what it adds to its grant are written in one transaction on the condition that it is not
//! done yet: so the grant's figures are exact, whatever is repeated.

mod grant_item;
mod keys;
mod progress;
mod shelf;

use aws_sdk_dynamodb::Client;

/// The coupon table, as far as it holds grants.
#[derive(Debug, Clone)]
pub struct GrantTable {
    client: Client,
    table: String,
}

impl GrantTable {
    /// The table named `table`, reached through `client`.
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }
}
