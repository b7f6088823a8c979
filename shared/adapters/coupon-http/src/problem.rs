use domain_coupon::{StoreError, Violations};
use platform_http::{Problem, StatusCode};
use platform_telemetry::Chain;
use serde::Serialize;
use utoipa::ToSchema;

/// Problem details (RFC 9457). Members beside the standard ones depend on `type`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "type": "urn:flashsale:problem:invalid-body", "title": "The body is not valid", "status": 422,
    "errors": [{"field": "perUserLimit", "must": "must be 1 to 20"}]
}))]
pub struct ProblemView {
    /// `urn:flashsale:problem:<slug>`; stable, made for programs.
    #[serde(rename = "type")]
    pub kind: String,
    /// Made for people; may change.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// More for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The fields at fault.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ErrorView>,
}

/// One field at fault.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorView {
    /// The field; nested fields joined by `/`.
    pub field: String,
    /// What it must be.
    pub must: String,
}

/// 422: fields that are well-formed but not sensible.
pub fn invalid(violations: &Violations) -> Problem {
    let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid-body", "The body is not valid");
    violations.iter().fold(problem, |problem, violation| problem.field(violation.field, violation.must))
}

/// 400: the header is there, but is not one key.
pub fn invalid_idempotency_key() -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "invalid-idempotency-key",
        "The Idempotency-Key must be 1 to 255 visible ASCII characters",
    )
}

/// 404.
pub fn template_not_found() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "template-not-found", "There is no such coupon template")
}

/// 404: for a coupon that nobody holds and for one that another guest holds.
pub fn coupon_not_found() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "coupon-not-found", "The guest holds no such coupon")
}

/// What a caller is told when the store fails; the cause goes to the log.
pub fn store_problem(error: &StoreError) -> Problem {
    tracing::error!(error = %Chain(error), "the store failed");
    match error {
        StoreError::Throttled(_) => too_many_requests(),
        StoreError::Unavailable(_) | StoreError::Corrupt(_) => try_again(),
    }
}

/// 429: the store refuses more work for now.
pub fn too_many_requests() -> Problem {
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "too-many-requests", "Too many requests at the moment")
        .retry_after(RETRY_AFTER_SECONDS)
}

/// 503: a repeat may succeed.
pub fn try_again() -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "try-again", "Please try again")
        .detail("Nothing is lost: repeat the request, with the same Idempotency-Key if it had one.")
        .retry_after(RETRY_AFTER_SECONDS)
}

/// Conflicts and throttling pass within a second.
const RETRY_AFTER_SECONDS: u32 = 1;
