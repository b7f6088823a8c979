//! Wiring of `remind-expiring-coupons`.

use std::sync::Arc;

use coupon_dynamodb::CouponTable;
use platform_config::Env;
use platform_lambda::{Error, now};
use remind_expiring_coupons::{handler, queue::EventQueue};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let env = Env::process();
    platform_telemetry::init("remind-expiring-coupons", &env)?;
    let config = platform_aws::sdk_config().await;
    let table = CouponTable::new(aws_sdk_dynamodb::Client::new(&config), env.required("COUPON_TABLE")?);
    let url = env.required("NOTIFICATION_EVENT_QUEUE_URL")?;
    let queue = EventQueue::new(aws_sdk_sqs::Client::new(&config), url);
    let ports = Arc::new((table, queue));
    platform_lambda::run_schedule(move || {
        let ports = Arc::clone(&ports);
        async move { handler::handle(&ports.0, &ports.1, now()).await }
    })
    .await
}
