//! Wiring of `import-homestays`.

use std::sync::Arc;

use homestay_dynamodb::HomestayTable;
use homestay_s3::ImportBucket;
use homestay_sqs::ImportQueue;
use import_homestays::handler::{self, Stores};
use jiff::SignedDuration;
use job_s3::Bucket;
use platform_config::Env;
use platform_lambda::{Error, Trigger, now};

/// Half of the function's time-out of a minute: what is under way then is finished and noted.
const RUNS_FOR: SignedDuration = SignedDuration::from_secs(30);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let env = Env::process();
    platform_telemetry::init("import-homestays", &env)?;
    let config = platform_aws::sdk_config().await;
    let dynamodb = aws_sdk_dynamodb::Client::new(&config);
    let stores = Arc::new(Stores {
        homestays: HomestayTable::new(dynamodb, env.required("HOMESTAY_TABLE")?),
        files: ImportBucket::new(Bucket::new(job_s3::client(&config), env.required("JOB_BUCKET")?)),
        queue: ImportQueue::new(aws_sdk_sqs::Client::new(&config), env.required("IMPORT_QUEUE_URL")?),
    });
    platform_lambda::run_event(Trigger::PubSub, move |event| {
        let stores = Arc::clone(&stores);
        async move {
            let started = now();
            handler::handle(&stores, started, || now().duration_since(started) < RUNS_FOR, event).await
        }
    })
    .await
}
