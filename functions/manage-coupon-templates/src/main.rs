//! Wiring of `manage-coupon-templates`.

use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use coupon_dynamodb::CouponTable;
use manage_coupon_templates::handler::{self, Chance};
use platform_config::Env;
use platform_lambda::{Error, now, random};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let env = Env::process();
    platform_telemetry::init("manage-coupon-templates", &env)?;
    let client = Client::new(&platform_aws::sdk_config().await);
    let store = Arc::new(CouponTable::new(client, env.required("COUPON_TABLE")?));
    platform_lambda::run(move |request| {
        let store = Arc::clone(&store);
        async move {
            let chance = Chance { at: now(), id: u128::from_ne_bytes(random()) };
            handler::handle(&*store, chance, request).await
        }
    })
    .await
}
