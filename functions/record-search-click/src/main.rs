//! Wiring of `record-search-click`.

use std::sync::Arc;

use aws_sdk_sqs::Client;
use platform_config::Env;
use platform_lambda::{Error, now};
use record_search_click::handler;
use search_sqs::SearchEventQueue;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let env = Env::process();
    platform_telemetry::init("record-search-click", &env)?;
    let client = Client::new(&platform_aws::sdk_config().await);
    let log = Arc::new(SearchEventQueue::new(client, env.required("SEARCH_EVENT_QUEUE_URL")?));
    platform_lambda::run(move |request| {
        let log = Arc::clone(&log);
        async move { handler::handle(&*log, now(), request).await }
    })
    .await
}
