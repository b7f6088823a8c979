//! Wiring of `manage-homestays`.

use std::sync::Arc;

use homestay_dynamodb::HomestayTable;
use homestay_s3::ImportBucket;
use homestay_sqs::ImportQueue;
use job_s3::Bucket;
use manage_homestays::handler::{self, Chance, Stores};
use platform_config::Env;
use platform_lambda::{Error, now, random};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let env = Env::process();
    platform_telemetry::init("manage-homestays", &env)?;
    let config = platform_aws::sdk_config().await;
    let dynamodb = aws_sdk_dynamodb::Client::new(&config);
    let stores = Arc::new(Stores {
        homestays: HomestayTable::new(dynamodb, env.required("HOMESTAY_TABLE")?),
        files: ImportBucket::new(Bucket::new(job_s3::client(&config), env.required("JOB_BUCKET")?)),
        queue: ImportQueue::new(aws_sdk_sqs::Client::new(&config), env.required("IMPORT_QUEUE_URL")?),
    });
    platform_lambda::run(move |request| {
        let stores = Arc::clone(&stores);
        async move {
            let chance = Chance { at: now(), id: u128::from_ne_bytes(random()) };
            handler::handle(&stores, chance, request).await
        }
    })
    .await
}
