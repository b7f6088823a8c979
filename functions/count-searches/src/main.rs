//! Wiring of `count-searches`.

use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use count_searches::handler;
use domain_search::{Chance, Salt, Salts};
use platform_config::Env;
use platform_lambda::{Error, Trigger, now, random};
use search_dynamodb::SearchTable;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let env = Env::process();
    platform_telemetry::init("count-searches", &env)?;
    let client = Client::new(&platform_aws::sdk_config().await);
    let parts = Arc::new((SearchTable::new(client, env.required("SEARCH_TABLE")?), Salts::default()));
    platform_lambda::run_event(Trigger::PubSub, move |event| {
        let parts = Arc::clone(&parts);
        async move {
            let (store, salts) = &*parts;
            let chance = Chance { at: now(), salt: Salt(random()), token: u64::from_ne_bytes(random()) };
            handler::handle(store, salts, chance, event).await
        }
    })
    .await
}
