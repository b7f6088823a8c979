//! Wiring of `quote-coupons`.

use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use coupon_dynamodb::CouponTable;
use domain_quote::UsageMemory;
use platform_config::Env;
use platform_lambda::{Error, now};
use quote_coupons::handler;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let env = Env::process();
    platform_telemetry::init("quote-coupons", &env)?;
    let client = Client::new(&platform_aws::sdk_config().await);
    let store = Arc::new(CouponTable::new(client, env.required("COUPON_TABLE")?));
    let memory = Arc::new(UsageMemory::default());
    platform_lambda::run(move |request| {
        let (store, memory) = (Arc::clone(&store), Arc::clone(&memory));
        async move { handler::handle(&*store, &memory, now(), request).await }
    })
    .await
}
