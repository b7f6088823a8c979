//! What API Gateway sends for a claim.

use domain_ids::TemplateId;
use serde_json::Value;

/// Characters of an access token of Cognito, whose user pool we do not need here.
const TOKEN_CHARS: usize = 1_000;

/// Stands where the guest's id comes to stand, and is as long.
const PLACEHOLDER: &str = "00000000-0000-0000-0000-000000000000";

/// The events of claims on one template: `events/api/claim-coupon.json` with an access token of the usual length.
#[derive(Debug, Clone)]
pub struct Events {
    text: String,
}

impl Events {
    /// Claims on `template`, each with an `Idempotency-Key` or none of them.
    pub fn of(template: TemplateId, keyed: bool) -> Self {
        let mut event = testing::event("api/claim-coupon.json");
        let sample =
            event.pointer("/pathParameters/id").and_then(Value::as_str).unwrap_or_default().to_owned();
        if let Some(headers) = event.pointer_mut("/headers").and_then(Value::as_object_mut) {
            headers.insert("authorization".into(), format!("Bearer {}", "x".repeat(TOKEN_CHARS)).into());
            if !keyed {
                headers.remove("idempotency-key");
            }
        }
        if let Some(subject) = event.pointer_mut("/requestContext/authorizer/jwt/claims/sub") {
            *subject = PLACEHOLDER.into();
        }
        Self { text: event.to_string().replace(&sample, &template.to_string()) }
    }

    /// The claim of this guest.
    pub fn from(&self, guest: &str) -> String {
        self.text.replacen(PLACEHOLDER, guest, 1)
    }
}

/// The `n`th guest of a crowd: an id like Cognito's.
pub fn guest(crowd: u32, n: usize) -> String {
    format!("{crowd:08x}-0000-4000-8000-{n:012x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_names_the_template_and_the_guest() {
        let id = testing::template_id(9);
        let guest = guest(1, 2);
        let text = Events::of(id, true).from(&guest);
        let event: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(guest.len(), PLACEHOLDER.len());
        assert_eq!(event["requestContext"]["authorizer"]["jwt"]["claims"]["sub"], guest);
        assert_eq!(event["pathParameters"]["id"], id.to_string());
        assert_eq!(event["rawPath"], format!("/v1/coupon-templates/{id}/claims"));
        assert!(event["headers"]["idempotency-key"].is_string());
        assert!(event["headers"]["authorization"].as_str().unwrap().len() > TOKEN_CHARS);
    }

    #[test]
    fn a_key_can_be_left_out() {
        let event: Value =
            serde_json::from_str(&Events::of(testing::template_id(1), false).from(&guest(1, 1))).unwrap();
        assert!(event["headers"].get("idempotency-key").is_none());
    }
}
