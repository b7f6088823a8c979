//! Wiring of `export-exchange-codes`.

use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use exchange_dynamodb::ExchangeTable;
use exchange_s3::CodeBucket;
use export_exchange_codes::handler::{self, Press};
use platform_config::Env;
use platform_lambda::{Error, Trigger, now};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let env = Env::process();
    platform_telemetry::init("export-exchange-codes", &env)?;
    let sdk = platform_aws::sdk_config().await;
    let press = Arc::new(Press {
        batches: ExchangeTable::new(Client::new(&sdk), env.required("COUPON_TABLE")?),
        files: CodeBucket::new(&sdk, env.required("JOB_BUCKET")?),
        key: platform_secrets::read(&sdk, &env, "EXCHANGE_KEY_SECRET").await?,
    });
    platform_lambda::run_event(Trigger::PubSub, move |event| {
        let press = Arc::clone(&press);
        async move { handler::handle(&press, now(), event).await }
    })
    .await
}
