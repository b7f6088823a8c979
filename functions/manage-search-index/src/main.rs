//! Wiring of `manage-search-index`.

use std::sync::Arc;

use homestay_dynamodb::HomestayTable;
use homestay_index::Index;
use homestay_sqs::RebuildQueue;
use manage_search_index::handler::{self, Chance, Stores};
use platform_config::Env;
use platform_lambda::{Error, now, random};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let env = Env::process();
    platform_telemetry::init("manage-search-index", &env)?;
    let config = platform_aws::sdk_config().await;
    let stores = Arc::new(Stores {
        index: Index::open(&env, &config).await?,
        book: HomestayTable::new(aws_sdk_dynamodb::Client::new(&config), env.required("HOMESTAY_TABLE")?),
        queue: RebuildQueue::new(aws_sdk_sqs::Client::new(&config), env.required("REINDEX_QUEUE_URL")?),
    });
    platform_lambda::run(move |request| {
        let stores = Arc::clone(&stores);
        async move {
            let chance = Chance { at: now(), id: u128::from_ne_bytes(random()) };
            handler::handle(&*stores, chance, request).await
        }
    })
    .await
}
