//! Wiring of `manage-grants`.

use std::sync::Arc;

use coupon_dynamodb::CouponTable;
use grant_dynamodb::GrantTable;
use grant_s3::JobBucket;
use grant_sqs::GrantQueue;
use job_s3::Bucket;
use manage_grants::handler::{self, Chance, Stores};
use platform_config::Env;
use platform_lambda::{Error, now, random};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let env = Env::process();
    platform_telemetry::init("manage-grants", &env)?;
    let config = platform_aws::sdk_config().await;
    let table: String = env.required("COUPON_TABLE")?;
    let dynamodb = aws_sdk_dynamodb::Client::new(&config);
    let stores = Arc::new(Stores {
        grants: GrantTable::new(dynamodb.clone(), table.clone()),
        templates: CouponTable::new(dynamodb, table),
        files: JobBucket::new(Bucket::new(job_s3::client(&config), env.required("JOB_BUCKET")?)),
        queue: GrantQueue::new(aws_sdk_sqs::Client::new(&config), env.required("GRANT_QUEUE_URL")?),
    });
    platform_lambda::run(move |request| {
        let stores = Arc::clone(&stores);
        async move {
            let chance = Chance { at: now(), id: u128::from_ne_bytes(random()), secret: random() };
            handler::handle(&stores, chance, request).await
        }
    })
    .await
}
