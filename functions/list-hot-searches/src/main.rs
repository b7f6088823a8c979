//! Wiring of `list-hot-searches`.

use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use domain_search::HotMemory;
use list_hot_searches::handler;
use platform_config::Env;
use platform_lambda::{Error, now};
use search_dynamodb::SearchTable;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let env = Env::process();
    platform_telemetry::init("list-hot-searches", &env)?;
    let client = Client::new(&platform_aws::sdk_config().await);
    let parts = Arc::new((SearchTable::new(client, env.required("SEARCH_TABLE")?), HotMemory::default()));
    platform_lambda::run(move |request| {
        let parts = Arc::clone(&parts);
        async move {
            let (store, memory) = &*parts;
            handler::handle(store, memory, now(), request).await
        }
    })
    .await
}
