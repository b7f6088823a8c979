//! Whether a claim is let in at all, whichever route it takes.

use coupon_http::guest;
use jiff::Timestamp;
use platform_http::{Problem, Request};
use risk_dynamodb::{Attempt, RiskGate};

/// What the risk policy's limits count these attempts under.
const ACTION: &str = "claim";

/// An error where the risk policy in force turns the request away, or nobody is signed in.
pub async fn admit(gate: &RiskGate, request: &Request, now: Timestamp) -> Result<(), Problem> {
    let attempt = Attempt::from_request(request, guest(request)?, ACTION);
    let admitted = gate.admit(&attempt, now).await;
    if admitted.is_err() {
        metrics::counter!("ClaimsRefused", "reason" => "risk").increment(1);
        tracing::info!(claim.outcome = "risk", "claim");
    }
    admitted
}
