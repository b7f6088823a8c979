//! Wiring of `claim-coupon`.

use std::sync::Arc;

use account_dynamodb::Accounts;
use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use campaign_dynamodb::CampaignTable;
use claim_coupon::{
    campaign,
    handler::{self, Chance},
    risk,
};
use coupon_dynamodb::CouponTable;
use domain_campaign::{CampaignMemory, REMEMBERED_FOR};
use domain_coupon::SaleMemory;
use domain_risk::RiskPolicy;
use platform_config::Env;
use platform_hot_config::HotConfig;
use platform_http::Problem;
use platform_lambda::{Error, now, random};
use platform_rate_limit::RateLimiter;
use risk_dynamodb::RiskGate;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let env = Env::process();
    platform_telemetry::init("claim-coupon", &env)?;
    let sdk = platform_aws::sdk_config().await;
    let client = Client::new(&sdk);
    let table: String = env.required("COUPON_TABLE")?;
    let limiter = RateLimiter::new(client.clone(), table.clone());
    let accounts = Accounts::new(client.clone(), table.clone());
    let gate = Arc::new(risk_gate(&env, &sdk, limiter).await?.with_accounts(accounts));
    let campaigns = Arc::new(CampaignTable::new(client.clone(), table.clone()));
    let known = Arc::new(CampaignMemory::new(REMEMBERED_FOR));
    let store = Arc::new(CouponTable::new(client, table));
    let memory = Arc::new(SaleMemory::default());
    platform_lambda::run(move |request| {
        let (campaigns, known) = (Arc::clone(&campaigns), Arc::clone(&known));
        let (store, memory) = (Arc::clone(&store), Arc::clone(&memory));
        let gate = Arc::clone(&gate);
        async move {
            let code = u128::from_ne_bytes(random());
            let chance = Chance { at: now(), code, seed: u64::from_ne_bytes(random()) };
            if let Err(problem) = risk::admit(&gate, &request, chance.at).await {
                return Ok(Problem::into_response(problem));
            }
            match platform_http::route_key(&request) {
                campaign::ROUTE => {
                    campaign::handle(&*campaigns, &known, &*store, &memory, chance, request).await
                }
                _ => handler::handle(&*store, &memory, chance, request).await,
            }
        }
    })
    .await
}

/// Without a policy everybody passes, and no secret is read.
async fn risk_gate(env: &Env, sdk: &SdkConfig, limiter: RateLimiter) -> Result<RiskGate, Error> {
    if env.optional::<String>("RISK_POLICY")?.is_none() {
        return Ok(RiskGate::default());
    }
    let policy = HotConfig::from_env(env, "RISK_POLICY", sdk, RiskPolicy::default())?;
    // Loaded before the first guest comes, and while the secret is read.
    let (key, _) = tokio::join!(platform_secrets::read(sdk, env, "RISK_KEY_SECRET"), policy.current(now()));
    Ok(RiskGate::new(limiter, policy, key?))
}
