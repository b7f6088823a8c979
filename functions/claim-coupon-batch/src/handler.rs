//! Messages of the claim queue.

use std::{convert::Infallible, sync::Arc, time::Duration};

use claim_request_dynamodb::{ClaimRequests, Outcome, Settled};
use contracts::QueuedClaim;
use coupon_http::{claim_problem, claim_reason, invalid_idempotency_key, template_not_found};
use domain_coupon::{
    BatchClaimStore, ClaimCoupon, ClaimError, ClaimKey, Claimed, CouponCode, SaleMemory, Source, StoreError,
    Template, claim_batch,
};
use domain_ids::TemplateId;
use futures_util::{StreamExt, future::join, stream};
use jiff::{SignedDuration, Timestamp};
use platform_batch::{
    BatchResponse, Failure,
    sqs::{self, SqsEvent},
};
use platform_http::{HeaderMap, HeaderValue, Problem};
use platform_idempotency::{IDEMPOTENCY_KEY, IdempotencyKey};
use platform_telemetry::Chain;

use crate::{
    Progress,
    line::{Claim, batches},
};

/// Transactions under way at once: all of an invocation's hundred claims.
const CONCURRENCY: usize = 10;

/// Times that a claim is tried which met too many others, and the pause before the next: the queue would hand it out
/// again after the visibility time-out alone, and let its guest wait for a minute and a half. Takes seconds at worst,
/// of the fifteen there are.
const ROUNDS: u32 = 3;
const PAUSE: Duration = Duration::from_secs(1);

/// Times are whole milliseconds.
const TICK: SignedDuration = SignedDuration::from_millis(1);

/// What an invocation works on, and what its environment remembers of those before.
#[derive(Debug)]
pub struct Stores<S> {
    /// Templates, stock and coupons.
    pub coupons: S,
    /// Outcomes.
    pub requests: ClaimRequests,
    /// Of templates and their stock.
    pub memory: SaleMemory,
    /// Of messages taken.
    pub progress: Progress,
}

/// Random bits from a cryptographic source, for one claim.
#[derive(Debug, Clone, Copy)]
pub struct Draw {
    /// Becomes the coupon's code.
    pub code: u128,
    /// Seeds the choice of shards and the jitter.
    pub seed: u64,
}

/// Settles each claim, or reports it to be delivered again.
///
/// A claim is settled when its outcome is written: a coupon, or the problem that the guest would have been answered.
/// What may still change (a conflict, a store that fails) is no outcome.
pub async fn handle<S: BatchClaimStore + Sync>(
    stores: &Stores<S>,
    now: impl Fn() -> Timestamp,
    draw: impl Fn() -> Draw,
    event: SqsEvent,
) -> Result<BatchResponse, Infallible> {
    let (claims, response) = sqs::messages(event, str::parse::<QueuedClaim>);
    let taken = claims.iter().filter(|claim| claim.receive_count <= 1).count();
    let settle = stream::iter(batches(claims))
        .map(|batch| settle(stores, &now, &draw, batch))
        .buffer_unordered(CONCURRENCY)
        .flat_map(stream::iter)
        .fold(response, async |mut response, (id, failure)| {
            response.fail(&id, &failure);
            response
        });
    let (response, ()) = join(settle, count_taken(stores, taken, now())).await;
    Ok(response)
}

/// Claims of one template: writes their outcomes, and returns the messages that failed.
async fn settle<S: BatchClaimStore + Sync>(
    stores: &Stores<S>,
    now: &impl Fn() -> Timestamp,
    draw: &impl Fn() -> Draw,
    batch: Vec<Claim>,
) -> Vec<(String, Failure)> {
    let mut settled: Vec<(String, Settled)> = Vec::with_capacity(batch.len());
    let mut failed = Vec::new();
    let mut conclude = |claim: Claim, verdict: Result<Outcome, Failure>| match verdict {
        Ok(outcome) => settled.push((claim.id, settled_by(claim.body, outcome, now()))),
        Err(failure) => failed.push((claim.id, failure)),
    };
    let mut asked = Vec::with_capacity(batch.len());
    let mut commands = Vec::with_capacity(batch.len());
    for claim in batch {
        match parse(&claim.body, draw()) {
            Ok(command) => {
                commands.push(command);
                asked.push(claim);
            }
            Err(problem) => conclude(claim, refused(&problem)),
        }
    }
    let answers = claim_all(stores, now, &commands).await;
    for (claim, answer) in asked.into_iter().zip(answers) {
        count(&claim.body, &answer, now());
        conclude(claim, verdict(answer));
    }

    let (ids, outcomes): (Vec<String>, Vec<Settled>) = settled.into_iter().unzip();
    tracing::info!(claims.settled = ids.len(), claims.failed = failed.len(), "claims");
    if let Err(error) = stores.requests.record(&outcomes).await {
        let error = Arc::new(error);
        failed.extend(ids.into_iter().map(|id| (id, failure_of(Arc::clone(&error)))));
    }
    failed
}

fn parse(claim: &QueuedClaim, draw: Draw) -> Result<ClaimCoupon, Problem> {
    let template = claim.template.ok_or_else(template_not_found)?;
    let key = idempotency_key(&claim.key)?;
    // A request without a key is still one request, however often it is delivered.
    let key = key.as_ref().map_or(claim.request.as_str(), IdempotencyKey::as_str);
    Ok(ClaimCoupon {
        key: Some(ClaimKey::new(&claim.guest, template, &format!("queue:{key}"))),
        guest: claim.guest.clone(),
        template,
        source: Source::Queue,
        campaign: None,
        exchange: None,
        code: CouponCode::from_random(draw.code),
        at: claim.accepted_at,
        seed: draw.seed,
    })
}

/// The header as API Gateway has passed it on; it does not tell an empty one from none.
fn idempotency_key(header: &str) -> Result<Option<IdempotencyKey>, Problem> {
    if header.is_empty() {
        return Ok(None);
    }
    let value = HeaderValue::from_str(header).map_err(|_| invalid_idempotency_key())?;
    IdempotencyKey::from_headers(&HeaderMap::from_iter([(IDEMPOTENCY_KEY, value)]))
        .map_err(|_| invalid_idempotency_key())
}

/// Claims each, and those again that met too many others.
async fn claim_all<S: BatchClaimStore + Sync>(
    stores: &Stores<S>,
    now: &impl Fn() -> Timestamp,
    commands: &[ClaimCoupon],
) -> Vec<Result<Claimed, ClaimError>> {
    let mut answers = claim_once(stores, now(), commands.to_vec()).await;
    for _ in 1..ROUNDS {
        let met_many =
            |answer: &Result<_, _>| matches!(answer, Err(ClaimError::Busy | ClaimError::Throttled));
        let (open, again): (Vec<_>, Vec<ClaimCoupon>) = answers
            .iter_mut()
            .zip(commands)
            .filter(|(answer, _)| met_many(answer))
            .map(|(answer, command)| (answer, command.clone()))
            .unzip();
        if again.is_empty() {
            break;
        }
        stores.coupons.wait(PAUSE).await;
        for (answer, retried) in open.into_iter().zip(claim_once(stores, now(), again).await) {
            *answer = retried;
        }
    }
    answers
}

/// Claims in turn, each at the moment at which it counts.
async fn claim_once<S: BatchClaimStore + Sync>(
    stores: &Stores<S>,
    now: Timestamp,
    mut commands: Vec<ClaimCoupon>,
) -> Vec<Result<Claimed, ClaimError>> {
    let Some(id) = commands.first().map(|command| command.template) else { return Vec::new() };
    // Where it cannot be read, the claims fail for the same reason.
    let template = recall(stores, id, now).await.ok().flatten();
    for command in &mut commands {
        command.at = moment(template.as_deref(), command.at, now);
    }
    // Memory takes a claim's moment for the present.
    let own = SaleMemory::default();
    let timely = commands.iter().all(|command| command.at == now);
    claim_batch(&stores.coupons, if timely { &stores.memory } else { &own }, &commands).await
}

async fn recall<S: BatchClaimStore>(
    stores: &Stores<S>,
    id: TemplateId,
    now: Timestamp,
) -> Result<Option<Arc<Template>>, StoreError> {
    if let Some(known) = stores.memory.recall(id, now) {
        return Ok(known);
    }
    let template = stores.coupons.template(id).await?.map(Arc::new);
    stores.memory.learn(id, template.clone(), now);
    Ok(template)
}

/// When a claim counts: now, but what decides whether the sale was running is the moment at which the claim was
/// accepted. Who was early is not served for having waited in the queue, and who was in time is not late because of it.
fn moment(template: Option<&Template>, accepted_at: Timestamp, now: Timestamp) -> Timestamp {
    match template {
        Some(template) if accepted_at < template.starts_at => template.starts_at - TICK,
        Some(template) if accepted_at < template.ends_at => {
            now.max(template.starts_at).min(template.ends_at - TICK)
        }
        Some(template) => now.max(template.ends_at),
        None => now,
    }
}

/// What came of a claim, unless it has to be tried again.
fn verdict(answer: Result<Claimed, ClaimError>) -> Result<Outcome, Failure> {
    let error = match answer {
        Ok(claimed) => return Ok(Outcome::Issued(claimed.coupon.id)),
        Err(error) => error,
    };
    match error {
        ClaimError::TemplateNotFound
        | ClaimError::NotClaimable
        | ClaimError::QueueOnly
        | ClaimError::CampaignOnly
        | ClaimError::CodeUsed
        | ClaimError::NotStarted(_)
        | ClaimError::Ended(_)
        | ClaimError::Paused(_)
        | ClaimError::SoldOut
        | ClaimError::LimitReached { .. } => refused(&claim_problem(&error)),
        ClaimError::Busy | ClaimError::Throttled => Err(Failure::again(error)),
        ClaimError::Store(error) => Err(failure_of(Arc::new(error))),
    }
}

fn refused(problem: &Problem) -> Result<Outcome, Failure> {
    serde_json::to_value(problem).map(Outcome::Refused).map_err(Failure::never)
}

fn failure_of(error: Arc<StoreError>) -> Failure {
    if error.is_retryable() { Failure::again(error) } else { Failure::never(error) }
}

fn settled_by(claim: QueuedClaim, outcome: Outcome, at: Timestamp) -> Settled {
    let QueuedClaim { request, guest, template, .. } = claim;
    Settled { request, guest, template, outcome, at }
}

/// The metrics of a claim; no guest, no code.
fn count(claim: &QueuedClaim, answer: &Result<Claimed, ClaimError>, now: Timestamp) {
    match answer {
        Ok(claimed) if claimed.replayed => metrics::counter!("ClaimsReplayed").increment(1),
        Ok(_) => {
            metrics::counter!("ClaimsIssued").increment(1);
            let waited_ms = now.duration_since(claim.accepted_at).as_millis();
            metrics::histogram!("ClaimWaitMs").record(u32::try_from(waited_ms.max(0)).unwrap_or(u32::MAX));
        }
        Err(error) => {
            metrics::counter!("ClaimsRefused", "reason" => claim_reason(error)).increment(1);
        }
    }
}

/// Nobody's claim fails because the places of others are not quite right.
async fn count_taken<S>(stores: &Stores<S>, taken: usize, now: Timestamp) {
    if let Some(taken) = stores.progress.add(taken, now)
        && let Err(error) = stores.requests.count_taken(taken).await
    {
        tracing::warn!(error = %Chain(&error), "the progress of the queue is not counted");
    }
}
