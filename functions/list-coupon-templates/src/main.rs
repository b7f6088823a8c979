//! Wiring of `list-coupon-templates`.

use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use coupon_dynamodb::CouponTable;
use list_coupon_templates::{RemainingMemory, handler};
use platform_config::Env;
use platform_lambda::{Error, now};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let env = Env::process();
    platform_telemetry::init("list-coupon-templates", &env)?;
    let client = Client::new(&platform_aws::sdk_config().await);
    let store = Arc::new(CouponTable::new(client, env.required("COUPON_TABLE")?));
    let memory = Arc::new(RemainingMemory::default());
    platform_lambda::run(move |request| {
        let (store, memory) = (Arc::clone(&store), Arc::clone(&memory));
        async move { handler::handle(&*store, &memory, now(), request).await }
    })
    .await
}
