//! Who passes the gate, on an embedded table and on one that fails.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use account_dynamodb::Accounts;
use aws_config::SdkConfig;
use aws_sdk_dynamodb::{
    Client,
    config::{ConfigBag, Intercept, interceptors::BeforeSerializationInterceptorContextRef},
    error::BoxError,
};
use domain_risk::{Assessment, Decision, LimitName, Reason, RiskPolicy, Rule};
use jiff::{SignedDuration, Timestamp};
use platform_config::Env;
use platform_hot_config::HotConfig;
use platform_rate_limit::{RateLimiter, SubjectKey};
use risk_dynamodb::{Attempt, DEVICE_HEADER, RiskGate};
use serde_json::{Value, json};
use testing::{Answer, ApiRequest, COUPON_TABLE, EmbeddedDynamoDb, Fault, NOW};

const ROUTE: &str = "/v1/coupon-templates/{id}/claims";

fn key() -> SubjectKey {
    "0123456789abcdef0123456789abcdef".parse().unwrap()
}

fn gate(client: Client, policy: &Value) -> RiskGate {
    let policy: RiskPolicy = policy.to_string().parse().unwrap();
    RiskGate::new(RateLimiter::new(client, COUPON_TABLE.into()), HotConfig::fixed(policy), key())
}

/// Every limit, each with its own number of attempts a minute.
fn limits(mode: &str) -> Value {
    let limit = |limit: u32| json!({ "kind": "fixed_window", "limit": limit, "windowSeconds": 60, "mode": mode, "weight": 100 });
    json!({ "limits": { "perUser": limit(2), "perIp": limit(3), "perDevice": limit(4), "velocity": limit(5) } })
}

fn attempt(guest: &str, ip: &str, device: &str, action: &'static str) -> Attempt {
    Attempt {
        guest: guest.parse().unwrap(),
        source_ip: Some(ip.parse().unwrap()),
        device: Some(device.into()),
        account_created_at: None,
        action,
    }
}

#[tokio::test]
async fn a_new_account_is_known_by_when_its_guest_signed_up() {
    let (db, name) = EmbeddedDynamoDb::with_coupon_table().await;
    let accounts = Accounts::new(db.client(), name);
    let day = SignedDuration::from_hours(24);
    for (guest, since) in [("ann", NOW - day), ("bob", NOW - SignedDuration::from_mins(1))] {
        accounts.note(&guest.parse().unwrap(), since).await.unwrap();
    }
    let policy = json!({ "signals": {
        "newAccount": { "youngerThanSeconds": 86_400, "mode": "block", "weight": 100 }
    }});
    let gate = gate(db.client(), &policy).with_accounts(accounts);
    for (guest, decision) in
        [("ann", Decision::Admit), ("bob", Decision::Block), ("nobody-told-of", Decision::Admit)]
    {
        let assessed = gate.assess(&attempt(guest, "192.0.2.1", "phone", "claim"), NOW).await;
        assert_eq!(assessed.decision, decision, "{guest}");
    }
}

async fn items(client: &Client) -> usize {
    client.scan().table_name(COUPON_TABLE).send().await.unwrap().items().len()
}

async fn told(gate: &RiskGate, request: ApiRequest) -> Result<(), (u16, String)> {
    let attempt = Attempt::from_request(&request.build(), "ann".parse().unwrap(), "claim");
    gate.admit(&attempt, NOW).await.map_err(|problem| {
        let answer = Answer::of(problem.into_response());
        assert_eq!(answer.body.as_object().unwrap().len(), 3, "no reason is told: {}", answer.body);
        let (status, slug) = answer.problem();
        (status, slug.to_owned())
    })
}

#[tokio::test]
async fn each_limit_counts_its_own_subject() {
    let (db, _) = EmbeddedDynamoDb::with_coupon_table().await;
    let gate = gate(db.client(), &limits("block"));
    let exceeded = async |attempt: Attempt| gate.assess(&attempt, NOW).await.reasons;
    let counted = |names: &[LimitName]| -> Vec<Reason> {
        names.iter().map(|name| Reason::Counted(Rule::Limit(*name))).collect()
    };
    for _ in 0..2 {
        assert_eq!(exceeded(attempt("ann", "192.0.2.1", "phone", "claim")).await, []);
    }
    let third = exceeded(attempt("ann", "192.0.2.1", "phone", "claim")).await;
    assert_eq!(third, counted(&[LimitName::PerUser]));
    let other_guest = exceeded(attempt("bob", "192.0.2.1", "phone", "claim")).await;
    assert_eq!(other_guest, counted(&[LimitName::PerIp]));
    let other_address = exceeded(attempt("eve", "192.0.2.2", "phone", "claim")).await;
    assert_eq!(other_address, counted(&[LimitName::PerDevice]));
    for _ in 0..2 {
        assert_eq!(exceeded(attempt("ann", "192.0.2.3", "tablet", "exchange")).await, [], "another action");
    }
    let sixth = exceeded(attempt("ann", "192.0.2.3", "tablet", "redeem")).await;
    assert_eq!(sixth, counted(&[LimitName::Velocity]), "whatever the action");
}

/// Fails the test at the first call.
#[derive(Debug)]
struct Untouchable;

impl Intercept for Untouchable {
    fn name(&self) -> &'static str {
        "Untouchable"
    }

    fn read_before_execution(
        &self,
        _: &BeforeSerializationInterceptorContextRef<'_>,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        panic!("nothing is to be called");
    }
}

fn untouchable() -> Client {
    let config = Fault::Broken.client().config().to_builder().interceptor(Untouchable).build();
    Client::from_conf(config)
}

#[tokio::test]
async fn where_every_rule_is_off_nothing_is_called() {
    let nothing = Assessment { score: 0, decision: Decision::Admit, reasons: Vec::new() };
    for gate in [gate(untouchable(), &json!({})), gate(untouchable(), &limits("off")), RiskGate::default()] {
        assert_eq!(gate.assess(&attempt("ann", "192.0.2.1", "phone", "claim"), NOW).await, nothing);
    }
}

#[test]
fn an_assessment_can_be_awaited_on_any_thread() {
    fn is_send<T: Send>(_: T) {}
    let (gate, attempt) = (RiskGate::default(), attempt("ann", "192.0.2.1", "phone", "claim"));
    is_send(gate.admit(&attempt, NOW));
}

#[tokio::test]
async fn what_is_observed_is_counted_and_refuses_nobody() {
    let (db, _) = EmbeddedDynamoDb::with_coupon_table().await;
    let gate = gate(db.client(), &limits("observe"));
    for _ in 0..9 {
        gate.assess(&attempt("ann", "192.0.2.1", "phone", "claim"), NOW).await;
    }
    let assessment = gate.assess(&attempt("ann", "192.0.2.1", "phone", "claim"), NOW).await;
    assert_eq!((assessment.score, assessment.decision, assessment.reasons.len()), (0, Decision::Admit, 4));
    assert_eq!(items(&db.client()).await, 4);
}

#[tokio::test]
async fn a_store_that_fails_lets_everybody_pass() {
    for fault in [Fault::Unreachable, Fault::Broken, Fault::Garbled, Fault::Throttling] {
        let gate = gate(fault.client(), &limits("block"));
        for _ in 0..9 {
            let assessment = gate.assess(&attempt("ann", "192.0.2.1", "phone", "claim"), NOW).await;
            assert_eq!(assessment.decision, Decision::Admit, "{fault:?}");
        }
    }
}

#[tokio::test]
async fn who_is_on_a_list_costs_nothing() {
    let phone = key().device("phone").to_string();
    let network = key().ip("2001:db8::".parse().unwrap()).to_string();
    let mut policy = limits("block");
    policy["allowList"] = json!([phone]);
    policy["blockList"] = json!([network]);
    let gate = gate(untouchable(), &policy);
    for (ip, device, decision) in [
        ("2001:db8::1", "phone", Decision::Admit),
        ("2001:db8::1", "tablet", Decision::Block),
        ("192.0.2.1", "phone", Decision::Admit),
    ] {
        let assessment = gate.assess(&attempt("ann", ip, device, "claim"), NOW).await;
        assert_eq!(assessment.decision, decision, "{ip} {device}");
    }
}

#[tokio::test]
async fn a_new_account_is_known_by_its_age() {
    let policy = json!({ "signals": { "newAccount": { "youngerThanSeconds": 3_600, "mode": "challenge", "weight": 50 } } });
    let gate = gate(untouchable(), &policy);
    let aged = |age| Attempt {
        account_created_at: Some(NOW - age),
        ..attempt("ann", "192.0.2.1", "phone", "claim")
    };
    for (age, decision) in [
        (SignedDuration::from_mins(59), Decision::Challenge),
        (SignedDuration::from_mins(60), Decision::Admit),
        (SignedDuration::from_mins(-1), Decision::Challenge),
    ] {
        assert_eq!(gate.assess(&aged(age), NOW).await.decision, decision, "{age}");
    }
    let forever = Attempt { account_created_at: Some(Timestamp::MIN), ..aged(SignedDuration::ZERO) };
    assert_eq!(gate.assess(&forever, NOW).await.decision, Decision::Admit);
}

#[tokio::test]
async fn a_caller_is_told_no_reasons() {
    let request = || ApiRequest::new("POST", ROUTE).caller("ann", &["guest"]);
    for (mode, slug) in [("challenge", "challenge-required"), ("block", "request-blocked")] {
        let (db, _) = EmbeddedDynamoDb::with_coupon_table().await;
        let gate = gate(db.client(), &limits(mode));
        for _ in 0..2 {
            assert_eq!(told(&gate, request()).await, Ok(()));
        }
        assert_eq!(told(&gate, request()).await, Err((403, slug.to_owned())));
    }
}

#[tokio::test]
async fn a_policy_that_is_changed_applies_to_the_next_attempt_after_it_is_seen() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("risk.json");
    std::fs::write(&path, json!({ "blockList": [key().guest("ann").to_string()] }).to_string()).unwrap();
    let env = Env::from_pairs([("RISK_POLICY", format!("file:{}", path.display()))]);
    let sdk = SdkConfig::builder().build();
    let policy = HotConfig::from_env(&env, "RISK_POLICY", &sdk, RiskPolicy::default()).unwrap();
    let gate = RiskGate::new(RateLimiter::new(untouchable(), COUPON_TABLE.into()), policy, key());
    let decision =
        async |now| gate.assess(&attempt("ann", "192.0.2.1", "phone", "claim"), now).await.decision;
    assert_eq!(decision(NOW).await, Decision::Block);
    std::fs::write(&path, "{}").unwrap();
    assert_eq!(decision(NOW + SignedDuration::from_hours(1)).await, Decision::Admit);
    std::fs::write(&path, "{ nonsense").unwrap();
    assert_eq!(decision(NOW + SignedDuration::from_hours(2)).await, Decision::Admit);
}

#[test]
fn an_attempt_is_read_from_the_request() {
    let guest = || "ann".parse().unwrap();
    let with = |device: &str| {
        ApiRequest::new("POST", ROUTE).caller("ann", &[]).header(DEVICE_HEADER.as_str(), device).build()
    };
    let attempt = Attempt::from_request(&with("0b9f4a1e-7c35"), guest(), "claim");
    assert_eq!(attempt.source_ip, Some("192.0.2.1".parse().unwrap()));
    assert_eq!((attempt.device.as_deref(), attempt.action), (Some("0b9f4a1e-7c35"), "claim"));
    for device in ["", "a b", "设备", &"x".repeat(129)] {
        assert_eq!(Attempt::from_request(&with(device), guest(), "claim").device, None, "{device}");
    }
    let longest = "x".repeat(128);
    assert_eq!(Attempt::from_request(&with(&longest), guest(), "claim").device, Some(longest));

    for address in [json!("somewhere"), json!(""), json!(null)] {
        let mut event = ApiRequest::new("POST", ROUTE).event();
        event["requestContext"]["http"]["sourceIp"] = address;
        assert_eq!(Attempt::from_request(&testing::request(event), guest(), "claim").source_ip, None);
    }
    let through_no_api = platform_http::Request::default();
    assert_eq!(Attempt::from_request(&through_no_api, guest(), "claim").source_ip, None);
}
