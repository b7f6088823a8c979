//! Wiring of `grant-coupons-on-event`.

use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use coupon_dynamodb::CouponTable;
use grant_coupons_on_event::handler::{self, Chance, Memory};
use platform_config::Env;
use platform_lambda::{Error, Trigger, now, random};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let env = Env::process();
    platform_telemetry::init("grant-coupons-on-event", &env)?;
    let client = Client::new(&platform_aws::sdk_config().await);
    let store = Arc::new(CouponTable::new(client, env.required("COUPON_TABLE")?));
    let memory = Arc::new(Memory::default());
    platform_lambda::run_event(Trigger::PubSub, move |event| {
        let (store, memory) = (Arc::clone(&store), Arc::clone(&memory));
        async move { handler::handle(&*store, &memory, Chance { at: now(), secret: random }, event).await }
    })
    .await
}
