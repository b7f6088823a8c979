use coupon_http::{Responses, problems};
use utoipa::IntoResponses;

/// Why a route that takes notifications may refuse them, for its documentation: to be said after `JsonBody`.
#[derive(Debug)]
pub struct Acceptance;

impl IntoResponses for Acceptance {
    fn responses() -> Responses {
        problems([
            ("400", "`invalid-json`, `invalid-idempotency-key`"),
            ("404", "`notification-template-not-found`"),
            ("409", "`template-disabled`"),
            ("422", "`invalid-body`, with the fields at fault; `idempotency-key-reused`"),
        ])
    }
}
