//! Wiring of `show-coupon-report`.

use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use platform_config::Env;
use platform_lambda::{Error, now};
use report_dynamodb::ReportTable;
use show_coupon_report::handler;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let env = Env::process();
    platform_telemetry::init("show-coupon-report", &env)?;
    let client = Client::new(&platform_aws::sdk_config().await);
    let store = Arc::new(ReportTable::new(client, env.required("COUPON_TABLE")?));
    platform_lambda::run(move |request| {
        let store = Arc::clone(&store);
        async move { handler::handle(&*store, now(), request).await }
    })
    .await
}
