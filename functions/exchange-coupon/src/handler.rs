//! `POST /v1/me/coupon-exchanges`.

use std::{convert::Infallible, time::Duration};

use coupon_http::{
    CouponView, JsonBody, ProblemView, SignedIn, claim_answer, claim_problem, claim_reason, guest,
    store_problem,
};
use domain_coupon::{ClaimStore, Claimed, CouponCode};
use domain_exchange::{
    CodeBatchLookup, ExchangeCoupon, ExchangeDesk, ExchangeError, Guesser, Guesses, exchange,
};
use jiff::Timestamp;
use platform_http::{Body, Problem, Request, Response, StatusCode, json_body};
use risk_dynamodb::{Attempt, RiskGate};
use serde::Deserialize;
use utoipa::ToSchema;

/// What the risk policy's limits count these attempts under.
const ACTION: &str = "exchange";

/// What an invocation cannot compute: the time, and random bits from a cryptographic source.
#[derive(Debug, Clone, Copy)]
pub struct Chance {
    /// Now, in whole milliseconds.
    pub at: Timestamp,
    /// Becomes the coupon's code.
    pub code: u128,
    /// Seeds the choice of shards and the jitter.
    pub seed: u64,
}

/// The code to exchange.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"code": "7K3MQ-X4T9F-2KM3Q-BW60D"}))]
pub struct ExchangeCouponRequest {
    /// As it was typed: case, `-` and spaces do not matter; `O` is read as 0, `I` and `L` as 1.
    pub code: String,
}

/// 201 with the coupon; also for a repeat by the same guest, then with `Idempotent-Replayed: true`.
#[utoipa::path(
    post, path = "/v1/me/coupon-exchanges", operation_id = "exchangeCoupon", tag = "coupons",
    summary = "Exchange a code for a coupon",
    description = "Issues the coupon of a code to the guest who enters it first. A repeat by that guest returns the same \
        coupon; no idempotency key is needed. Whatever is wrong with a code, the answer is `invalid-code`. After ten of \
        those in an hour (fifty from one address) nothing is looked at until the hour is over, genuine codes included.",
    request_body = ExchangeCouponRequest,
    responses(
        (status = 201, description = "The coupon", body = CouponView, headers(
            ("Location" = String, description = "Where the coupon can be read"),
            ("Idempotent-Replayed" = bool, description = "`true` where an earlier request with this code issued it"),
        )),
        SignedIn, JsonBody,
        (status = 403, description = "`challenge-required`, `request-blocked`", body = ProblemView, content_type = "application/problem+json"),
        (status = 409, description = "`code-used`, `code-disabled`, `coupon-sold-out`, `claim-limit-reached` (with `couponIds`), \
            `template-not-claimable`, `sale-not-started`, `sale-ended`, `sale-paused` (with `startTime` and `endTime`)",
            body = ProblemView, content_type = "application/problem+json"),
        (status = 422, description = "`invalid-code`; `invalid-body`, with the field at fault", body = ProblemView, content_type = "application/problem+json"),
        (status = 429, description = "`too-many-guesses`, `too-many-requests`, with `Retry-After`", body = ProblemView, content_type = "application/problem+json"),
    ),
    security(("jwt" = [])),
)]
pub async fn handle<C: ClaimStore, B: CodeBatchLookup, G: Guesses>(
    gate: &RiskGate,
    desk: &ExchangeDesk<C, B, G>,
    chance: Chance,
    request: Request,
) -> Result<Response<Body>, Infallible> {
    Ok(respond(gate, desk, chance, &request).await.unwrap_or_else(Problem::into_response))
}

async fn respond<C: ClaimStore, B: CodeBatchLookup, G: Guesses>(
    gate: &RiskGate,
    desk: &ExchangeDesk<C, B, G>,
    chance: Chance,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let attempt = Attempt::from_request(request, guest(request)?, ACTION);
    let body: ExchangeCouponRequest = json_body(request)?;
    gate.admit(&attempt, chance.at).await.inspect_err(|_| refused("risk"))?;
    let command = ExchangeCoupon {
        guesser: Guesser { guest: attempt.guest, ip: attempt.source_ip },
        code: body.code.parse().ok(),
        coupon: CouponCode::from_random(chance.code),
        at: chance.at,
        seed: chance.seed,
    };
    let outcome = exchange(desk, &command).await;
    record(&outcome);
    match outcome {
        Ok(claimed) => Ok(claim_answer(&claimed, chance.at)),
        Err(error) => Err(to_problem(&error)),
    }
}

fn to_problem(error: &ExchangeError) -> Problem {
    match error {
        ExchangeError::InvalidCode => {
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid-code", "There is no such exchange code")
        }
        ExchangeError::TooManyGuesses { retry_after } => {
            Problem::new(StatusCode::TOO_MANY_REQUESTS, "too-many-guesses", "Too many codes were not valid")
                .retry_after(seconds(*retry_after))
        }
        ExchangeError::Disabled => {
            Problem::new(StatusCode::CONFLICT, "code-disabled", "The exchange code has been revoked")
        }
        ExchangeError::Claim(error) => claim_problem(error),
        ExchangeError::Store(error) => store_problem(error),
    }
}

/// Whole seconds, at least one: coming back at once would be coming back too early.
fn seconds(duration: Duration) -> u32 {
    let whole = duration.as_millis().div_ceil(1_000).max(1);
    u32::try_from(whole).unwrap_or(u32::MAX)
}

/// One log line and the metrics of an exchange; no guest, no code.
fn record(outcome: &Result<Claimed, ExchangeError>) {
    match outcome {
        Ok(claimed) => {
            let name = if claimed.replayed { "replayed" } else { "issued" };
            metrics::counter!("ClaimConflicts").increment(u64::from(claimed.conflicts));
            metrics::counter!("CodesExchanged", "outcome" => name).increment(1);
            let template = claimed.coupon.template();
            tracing::info!(template.id = %template, exchange.outcome = name, "exchange");
        }
        Err(error) => refused(reason(error)),
    }
}

fn refused(reason: &'static str) {
    metrics::counter!("ExchangesRefused", "reason" => reason).increment(1);
    tracing::info!(exchange.outcome = reason, "exchange");
}

fn reason(error: &ExchangeError) -> &'static str {
    match error {
        ExchangeError::InvalidCode => "invalid_code",
        ExchangeError::TooManyGuesses { .. } => "too_many_guesses",
        ExchangeError::Disabled => "disabled",
        ExchangeError::Claim(error) => claim_reason(error),
        ExchangeError::Store(_) => "store_failed",
    }
}
