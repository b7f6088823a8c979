//! Wiring of `grant-coupons`.

use std::sync::Arc;

use coupon_dynamodb::CouponTable;
use domain_coupon::SaleMemory;
use grant_cognito::UserPool;
use grant_coupons::handler::{self, Stores};
use grant_dynamodb::GrantTable;
use grant_s3::JobBucket;
use grant_sqs::GrantQueue;
use jiff::SignedDuration;
use job_s3::Bucket;
use platform_config::Env;
use platform_lambda::{Error, Trigger, now};

/// Less than the function's time-out of two minutes: what is under way then is finished and noted.
const RUNS_FOR: SignedDuration = SignedDuration::from_secs(100);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let env = Env::process();
    platform_telemetry::init("grant-coupons", &env)?;
    let config = platform_aws::sdk_config().await;
    let table: String = env.required("COUPON_TABLE")?;
    let dynamodb = aws_sdk_dynamodb::Client::new(&config);
    let cognito = aws_sdk_cognitoidentityprovider::Client::new(&config);
    let stores = Arc::new(Stores {
        book: GrantTable::new(dynamodb.clone(), table.clone()),
        coupons: CouponTable::new(dynamodb, table),
        files: JobBucket::new(Bucket::new(job_s3::client(&config), env.required("JOB_BUCKET")?)),
        queue: GrantQueue::new(aws_sdk_sqs::Client::new(&config), env.required("GRANT_QUEUE_URL")?),
        segments: UserPool::new(cognito, env.required("USER_POOL_ID")?),
        memory: SaleMemory::default(),
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
