//! The function's handler, from the event to the response.

use anyhow::{Result, ensure};
use claim_coupon::handler::{self, Chance};
use domain_coupon::{ClaimStore, SaleMemory};
use jiff::Timestamp;
use lambda_http::{Context, RequestExt, http::StatusCode, request};

/// One execution environment.
pub struct Handler<S> {
    store: S,
    memory: SaleMemory,
}

impl<S: ClaimStore> Handler<S> {
    /// A fresh one.
    pub fn new(store: S) -> Self {
        Self { store, memory: SaleMemory::default() }
    }

    /// What it claims from.
    pub fn store(&self) -> &S {
        &self.store
    }

    /// Answers an event now, which must come to this status.
    pub async fn expect(&self, event: &str, status: StatusCode) -> Result<()> {
        self.expect_at(platform_lambda::now(), event, status).await
    }

    /// Answers an event at this time, which must come to this status.
    pub async fn expect_at(&self, at: Timestamp, event: &str, status: StatusCode) -> Result<()> {
        let mut context = Context::default();
        testing::REQUEST_ID.clone_into(&mut context.request_id);
        let request = request::from_str(event)?.with_lambda_context(context);
        // As `main` does it.
        let code = u128::from_ne_bytes(platform_lambda::random());
        let chance = Chance { at, code, seed: u64::from_ne_bytes(platform_lambda::random()) };
        let response = handler::handle(&self.store, &self.memory, chance, request).await?;
        ensure!(response.status() == status, "{}: {:?}", response.status(), response.body());
        Ok(())
    }
}
