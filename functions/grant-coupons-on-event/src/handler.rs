//! Events of the bus, as they wait in the reward queue.

use std::convert::Infallible;

use account_dynamodb::Accounts;
use contracts::GuestEvent;
use coupon_http::claim_reason;
use domain_coupon::{ClaimError, ClaimStore, SaleMemory, TemplateShelf};
use domain_grant::{Occasion, RewardMemory, Rewarded, Secret, reward};
use domain_ids::GuestId;
use jiff::Timestamp;
use platform_batch::{
    BatchResponse, Failure,
    sqs::{self, SqsEvent},
};

/// Events worked on at once: each is a transaction or two.
const CONCURRENCY: usize = 10;

/// What an environment remembers between invocations.
#[derive(Debug, Default)]
pub struct Memory {
    /// Which templates have a rule.
    pub rules: RewardMemory,
    /// Templates and their stock.
    pub sales: SaleMemory,
}

/// What an invocation cannot compute: the time, and random bits from a cryptographic source.
pub struct Chance<S> {
    /// Now, in whole milliseconds.
    pub at: Timestamp,
    /// 128 bits that make the codes of an event's coupons, new each time.
    pub secret: S,
}

/// Grants what each event earns, or reports the event to be delivered again. A coupon that an event has earned before
/// is found again by what names it, so that a repeat changes nothing. A guest who signs up is noted to have an account
/// since then, which the risk policy may ask for.
pub async fn handle<S: Fn() -> [u8; 16]>(
    store: &(impl ClaimStore + TemplateShelf),
    accounts: &Accounts,
    memory: &Memory,
    chance: Chance<S>,
    event: SqsEvent,
) -> Result<BatchResponse, Infallible> {
    let Chance { at, secret } = &chance;
    let grant = |message: sqs::Message<GuestEvent>| async move {
        if let GuestEvent::SignedUp { guest_id, at } = &message.body {
            accounts.note(guest_id, *at).await.map_err(Failure::again)?;
        }
        grant(store, memory, message.body, Secret::from_random(secret()), *at).await
    };
    Ok(sqs::each(event, CONCURRENCY, sqs::json, grant).await)
}

async fn grant(
    store: &(impl ClaimStore + TemplateShelf),
    memory: &Memory,
    event: GuestEvent,
    secret: Secret,
    at: Timestamp,
) -> Result<(), Failure> {
    let (guest, occasion) = parse(event);
    let memories = (&memory.rules, &memory.sales);
    let rewards = reward(store, memories, &guest, &occasion, secret, at)
        .await
        .map_err(|error| if error.is_retryable() { Failure::again(error) } else { Failure::never(error) })?;
    rewards.iter().for_each(record);
    // Every template had its turn: one that has to be tried again keeps none of the others waiting.
    let (again, settled): (Vec<_>, Vec<_>) = rewards.into_iter().partition(Rewarded::is_retryable);
    let again = again.into_iter().find_map(|rewarded| rewarded.outcome.err()).map(Failure::again);
    let never = settled.into_iter().find_map(|rewarded| match rewarded.outcome {
        Err(ClaimError::Store(error)) => Some(Failure::never(error)),
        Ok(_) | Err(_) => None,
    });
    again.or(never).map_or(Ok(()), Err)
}

/// Whose event it is, and what has happened.
fn parse(event: GuestEvent) -> (GuestId, Occasion) {
    match event {
        GuestEvent::SignedUp { guest_id, .. } => (guest_id, Occasion::SignedUp),
        GuestEvent::Birthday { guest_id, year } => (guest_id, Occasion::Birthday { year }),
        GuestEvent::OrderPaid { guest_id, order_id, amount_fen, first_order, .. } => {
            (guest_id, Occasion::OrderPaid { order: order_id, amount: amount_fen, first: first_order })
        }
    }
}

/// One log line and the metrics of what a template granted; no guest, no order.
fn record(rewarded: &Rewarded) {
    let outcome = match &rewarded.outcome {
        Ok(claimed) if claimed.replayed => {
            metrics::counter!("RewardsReplayed").increment(1);
            "replayed"
        }
        Ok(_) => {
            metrics::counter!("RewardsGranted").increment(1);
            "granted"
        }
        Err(error) => {
            let reason = claim_reason(error);
            metrics::counter!("RewardsRefused", "reason" => reason).increment(1);
            reason
        }
    };
    tracing::info!(template.id = %rewarded.template, reward.outcome = outcome, "reward");
}
