//! What the risk policy does to claims.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use claim_coupon::risk::admit;
use domain_risk::RiskPolicy;
use platform_hot_config::HotConfig;
use platform_http::Request;
use platform_rate_limit::RateLimiter;
use risk_dynamodb::RiskGate;
use testing::{Answer, ApiRequest, EmbeddedDynamoDb, NOW};

const POLICY: &str = r#"{"limits": {"perUser":
    {"kind": "fixed_window", "limit": 1, "windowSeconds": 60, "mode": "block", "weight": 100}}}"#;

fn claim(guest: &str) -> Request {
    ApiRequest::new("POST", "/v1/coupon-templates/{id}/claims").caller(guest, &["guest"]).build()
}

#[tokio::test]
async fn a_guest_beyond_the_limit_is_blocked_and_another_is_not() {
    let (db, name) = EmbeddedDynamoDb::with_coupon_table().await;
    let policy: RiskPolicy = POLICY.parse().unwrap();
    let key = "0123456789abcdef0123456789abcdef".parse().unwrap();
    let gate = RiskGate::new(RateLimiter::new(db.client(), name), HotConfig::fixed(policy), key);
    assert!(admit(&gate, &claim("ann"), NOW).await.is_ok());
    let refused = admit(&gate, &claim("ann"), NOW).await.unwrap_err();
    assert_eq!(Answer::of(refused.into_response()).problem(), (403, "request-blocked"));
    assert!(admit(&gate, &claim("bob"), NOW).await.is_ok());
}

#[tokio::test]
async fn without_a_policy_everybody_who_is_signed_in_passes() {
    let gate = RiskGate::default();
    assert!(admit(&gate, &claim("ann"), NOW).await.is_ok());
    let nobody = ApiRequest::new("POST", "/v1/coupon-templates/{id}/claims").build();
    let refused = admit(&gate, &nobody, NOW).await.unwrap_err();
    assert_eq!(Answer::of(refused.into_response()).problem(), (401, "unauthenticated"));
}
