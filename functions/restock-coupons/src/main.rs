//! Wiring of `restock-coupons`.

use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use coupon_dynamodb::CouponTable;
use platform_config::Env;
use platform_lambda::{Error, now};
use restock_coupons::handler;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let env = Env::process();
    platform_telemetry::init("restock-coupons", &env)?;
    let client = Client::new(&platform_aws::sdk_config().await);
    let store = Arc::new(CouponTable::new(client, env.required("COUPON_TABLE")?));
    platform_lambda::run_schedule(move || {
        let store = Arc::clone(&store);
        // Boxed, since the compiler refuses to lay out futures nested as deep as this one.
        async move { Box::pin(handler::handle(&*store, now())).await }
    })
    .await
}
