use domain_ids::GuestId;
use platform_http::{Problem, Request, caller, unauthenticated};

/// The guest who asks: the subject of the access token.
///
/// 401 `unauthenticated` without one, or where the issuer names subjects in a way that no guest is named.
pub fn guest(request: &Request) -> Result<GuestId, Problem> {
    caller(request)?.subject.parse().map_err(|_| unauthenticated())
}
