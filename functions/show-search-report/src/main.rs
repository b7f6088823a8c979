//! Wiring of `show-search-report`.

use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use platform_config::Env;
use platform_lambda::{Error, now};
use search_dynamodb::SearchTable;
use show_search_report::handler;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let env = Env::process();
    platform_telemetry::init("show-search-report", &env)?;
    let client = Client::new(&platform_aws::sdk_config().await);
    let store = Arc::new(SearchTable::new(client, env.required("SEARCH_TABLE")?));
    platform_lambda::run(move |request| {
        let store = Arc::clone(&store);
        async move { handler::handle(&*store, now(), request).await }
    })
    .await
}
