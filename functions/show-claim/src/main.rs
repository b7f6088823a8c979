//! Wiring of `show-claim`.

use std::sync::Arc;

use claim_request_dynamodb::ClaimRequests;
use coupon_dynamodb::CouponTable;
use platform_config::Env;
use platform_lambda::{Error, now};
use show_claim::{
    handler::{self, Stores},
    queue::{QueueWatch, SqsQueue},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let env = Env::process();
    platform_telemetry::init("show-claim", &env)?;
    let config = platform_aws::sdk_config().await;
    let client = aws_sdk_dynamodb::Client::new(&config);
    let table: String = env.required("COUPON_TABLE")?;
    let stores = Arc::new(Stores {
        coupons: CouponTable::new(client.clone(), table.clone()),
        requests: ClaimRequests::new(client, table),
        queue: SqsQueue::new(aws_sdk_sqs::Client::new(&config), env.required("CLAIM_QUEUE_URL")?),
        watch: QueueWatch::default(),
    });
    platform_lambda::run(move |request| {
        let stores = Arc::clone(&stores);
        async move { handler::handle(&stores, now(), request).await }
    })
    .await
}
