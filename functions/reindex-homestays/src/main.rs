//! Wiring of `reindex-homestays`.

use std::sync::Arc;

use domain_homestay::{Pace, Workshop};
use homestay_dynamodb::HomestayTable;
use homestay_index::Index;
use homestay_sqs::RebuildQueue;
use jiff::SignedDuration;
use platform_config::Env;
use platform_lambda::{Error, Trigger, now, random};
use reindex_homestays::handler::{self, Chance};

/// Less than the function's time-out of five minutes: a page that is under way then is finished and noted.
const RUNS_FOR: SignedDuration = SignedDuration::from_secs(240);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let env = Env::process();
    platform_telemetry::init("reindex-homestays", &env)?;
    let config = platform_aws::sdk_config().await;
    let table = HomestayTable::new(aws_sdk_dynamodb::Client::new(&config), env.required("HOMESTAY_TABLE")?);
    let shop = Arc::new(Workshop {
        index: Index::open(&env, &config).await?,
        source: table.clone(),
        book: table,
        queue: RebuildQueue::new(aws_sdk_sqs::Client::new(&config), env.required("REINDEX_QUEUE_URL")?),
        pace: Pace::DEFAULT,
    });
    // The queue and the schedule share the function: it is the one that may write generations besides index-homestay.
    platform_lambda::run_event(Trigger::PubSub, move |event| {
        let shop = Arc::clone(&shop);
        async move {
            let started = now();
            let chance = Chance { at: started, id: u128::from_ne_bytes(random()) };
            handler::handle(&*shop, chance, || now().duration_since(started) < RUNS_FOR, event).await
        }
    })
    .await
}
