//! Wiring of `manage-search-history`.

use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use manage_search_history::handler;
use platform_config::Env;
use platform_lambda::{Error, now};
use search_dynamodb::SearchTable;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let env = Env::process();
    platform_telemetry::init("manage-search-history", &env)?;
    let client = Client::new(&platform_aws::sdk_config().await);
    let history = Arc::new(SearchTable::new(client, env.required("SEARCH_TABLE")?));
    platform_lambda::run(move |request| {
        let history = Arc::clone(&history);
        async move { handler::handle(&*history, now(), request).await }
    })
    .await
}
