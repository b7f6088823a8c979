//! Wiring of `rank-hot-searches`.

use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use domain_homestay::SearchRules;
use domain_search::MinClients;
use platform_config::Env;
use platform_hot_config::HotConfig;
use platform_lambda::{Error, now};
use rank_hot_searches::handler;
use search_dynamodb::SearchTable;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let env = Env::process();
    platform_telemetry::init("rank-hot-searches", &env)?;
    let sdk = platform_aws::sdk_config().await;
    let rules = HotConfig::from_env(&env, "SEARCH_RULES", &sdk, SearchRules::default())?;
    let min_clients: MinClients = env.or("HOT_MIN_CLIENTS", MinClients::default())?;
    let store = Arc::new(SearchTable::new(Client::new(&sdk), env.required("SEARCH_TABLE")?));
    platform_lambda::run_schedule(move || {
        let (store, rules) = (Arc::clone(&store), rules.clone());
        async move {
            let now = now();
            handler::handle(&*store, &*rules.current(now).await, min_clients, now).await
        }
    })
    .await
}
