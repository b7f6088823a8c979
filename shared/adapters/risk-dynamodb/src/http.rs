use domain_ids::GuestId;
use domain_risk::Decision;
use jiff::Timestamp;
use lambda_http::{RequestExt, request::RequestContext};
use platform_http::{HeaderName, Problem, Request, StatusCode};

use crate::{Attempt, RiskGate};

/// Where an app says which device it runs on: an id that it made at its installation.
pub const DEVICE_HEADER: HeaderName = HeaderName::from_static("x-device-id");

/// Characters of a device's id.
pub const MAX_DEVICE_CHARS: usize = 128;

impl Attempt {
    /// The attempt of `guest` at `action` that `request` is. What is not usable counts as not sent: a device's id that is
    /// empty, too long or not of visible ASCII characters, and an address that is none.
    pub fn from_request(request: &Request, guest: GuestId, action: &'static str) -> Self {
        let source_ip = match request.request_context_ref() {
            Some(RequestContext::ApiGatewayV2(context)) => {
                context.http.source_ip.as_deref().and_then(|address| address.parse().ok())
            }
            _ => None,
        };
        let is_id = |text: &&str| {
            (1..=MAX_DEVICE_CHARS).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
        };
        let device = request.headers().get(DEVICE_HEADER).and_then(|value| value.to_str().ok()).filter(is_id);
        Self { guest, source_ip, device: device.map(Into::into), account_created_at: None, action }
    }
}

impl RiskGate {
    /// [`assess`](Self::assess), with what a caller is told who may not pass.
    pub async fn admit(&self, attempt: &Attempt, now: Timestamp) -> Result<(), Problem> {
        match self.assess(attempt, now).await.decision {
            Decision::Admit => Ok(()),
            Decision::Challenge => Err(challenge_required()),
            Decision::Block => Err(request_blocked()),
        }
    }
}

/// 403: more evidence is needed that a person is behind the request. What, is for the app to know.
pub fn challenge_required() -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "challenge-required", "Please confirm that you are not a robot")
}

/// 403: the request is refused. Why is not told: it would teach the caller how to get past.
pub fn request_blocked() -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "request-blocked", "This request cannot be served")
}
