//! Wiring of `manage-exchange-codes`.

use std::sync::Arc;

use coupon_dynamodb::CouponTable;
use exchange_dynamodb::ExchangeTable;
use exchange_s3::CodeBucket;
use exchange_sqs::CodeQueue;
use manage_exchange_codes::handler::{self, Chance, Office};
use platform_config::Env;
use platform_lambda::{Error, now, random};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let env = Env::process();
    platform_telemetry::init("manage-exchange-codes", &env)?;
    let sdk = platform_aws::sdk_config().await;
    let client = aws_sdk_dynamodb::Client::new(&sdk);
    let table: String = env.required("COUPON_TABLE")?;
    let office = Arc::new(Office {
        templates: CouponTable::new(client.clone(), table.clone()),
        batches: ExchangeTable::new(client, table),
        exports: CodeQueue::new(aws_sdk_sqs::Client::new(&sdk), env.required("CODE_QUEUE_URL")?),
        downloads: CodeBucket::new(&sdk, env.required("JOB_BUCKET")?),
    });
    platform_lambda::run(move |request| {
        let office = Arc::clone(&office);
        async move {
            let chance = Chance { at: now(), id: u128::from_ne_bytes(random()) };
            handler::handle(&office, chance, request).await
        }
    })
    .await
}
