//! Wiring of `suggest-homestays`.

use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use domain_homestay::SuggestMemory;
use homestay_index::Index;
use platform_config::Env;
use platform_lambda::{Error, now};
use search_dynamodb::SearchTable;
use suggest_homestays::handler::{self, Parts};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let env = Env::process();
    platform_telemetry::init("suggest-homestays", &env)?;
    let sdk = platform_aws::sdk_config().await;
    let hot = SearchTable::new(Client::new(&sdk), env.required("SEARCH_TABLE")?);
    let index = Index::open(&env, &sdk).await?;
    let parts = Arc::new(Parts { index, hot, memory: SuggestMemory::default() });
    // Boxed, as futures of both kinds of index are large.
    Box::pin(parts.warm_up(now())).await;
    platform_lambda::run(move |request| {
        let parts = Arc::clone(&parts);
        async move { Box::pin(handler::handle(&parts, now(), request)).await }
    })
    .await
}
