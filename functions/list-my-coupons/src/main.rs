//! Wiring of `list-my-coupons`.

use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use coupon_dynamodb::CouponTable;
use list_my_coupons::handler;
use platform_config::Env;
use platform_lambda::{Error, now};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let env = Env::process();
    platform_telemetry::init("list-my-coupons", &env)?;
    let client = Client::new(&platform_aws::sdk_config().await);
    let store = Arc::new(CouponTable::new(client, env.required("COUPON_TABLE")?));
    platform_lambda::run(move |request| {
        let store = Arc::clone(&store);
        async move { handler::handle(&*store, now(), request).await }
    })
    .await
}
