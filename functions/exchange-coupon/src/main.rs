//! Wiring of `exchange-coupon`.

use std::sync::Arc;

use account_dynamodb::Accounts;
use aws_sdk_dynamodb::Client;
use coupon_dynamodb::CouponTable;
use domain_coupon::SaleMemory;
use domain_exchange::{BatchMemory, ExchangeDesk};
use domain_risk::RiskPolicy;
use exchange_coupon::handler::{self, Chance};
use exchange_dynamodb::{ExchangeTable, GuessCounter};
use platform_config::Env;
use platform_hot_config::HotConfig;
use platform_lambda::{Error, now, random};
use platform_rate_limit::{RateLimiter, SubjectKey};
use risk_dynamodb::RiskGate;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let env = Env::process();
    platform_telemetry::init("exchange-coupon", &env)?;
    let sdk = platform_aws::sdk_config().await;
    let client = Client::new(&sdk);
    let table: String = env.required("COUPON_TABLE")?;
    let policy = HotConfig::from_env(&env, "RISK_POLICY", &sdk, RiskPolicy::default())?;
    // The policy is loaded before the first guest comes, and while the secrets are read.
    let (key, subjects, _) = tokio::join!(
        platform_secrets::read(&sdk, &env, "EXCHANGE_KEY_SECRET"),
        platform_secrets::read::<SubjectKey>(&sdk, &env, "RISK_KEY_SECRET"),
        policy.current(now()),
    );
    let (key, subjects) = (key?, subjects?);
    let limiter = RateLimiter::new(client.clone(), table.clone());
    let accounts = Accounts::new(client.clone(), table.clone());
    let gate = Arc::new(RiskGate::new(limiter, policy, subjects.clone()).with_accounts(accounts));
    let desk = Arc::new(ExchangeDesk {
        claims: CouponTable::new(client.clone(), table.clone()),
        batches: ExchangeTable::new(client.clone(), table.clone()),
        guesses: GuessCounter::new(client, table, subjects)?,
        key,
        sales: SaleMemory::default(),
        memory: BatchMemory::default(),
    });
    platform_lambda::run(move |request| {
        let (gate, desk) = (Arc::clone(&gate), Arc::clone(&desk));
        async move {
            let code = u128::from_ne_bytes(random());
            let chance = Chance { at: now(), code, seed: u64::from_ne_bytes(random()) };
            handler::handle(&gate, &desk, chance, request).await
        }
    })
    .await
}
