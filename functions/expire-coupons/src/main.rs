//! Wiring of `expire-coupons`.

use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use coupon_dynamodb::CouponTable;
use expire_coupons::handler;
use jiff::SignedDuration;
use platform_config::Env;
use platform_lambda::{Error, now};

/// A minute less than the function's time-out: what is under way then is finished, and the next run does the rest.
const RUNS_FOR: SignedDuration = SignedDuration::from_mins(14);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let env = Env::process();
    platform_telemetry::init("expire-coupons", &env)?;
    let client = Client::new(&platform_aws::sdk_config().await);
    let store = Arc::new(CouponTable::new(client, env.required("COUPON_TABLE")?));
    platform_lambda::run_schedule(move || {
        let store = Arc::clone(&store);
        async move {
            let started = now();
            handler::handle(&*store, started, || now().duration_since(started) < RUNS_FOR).await
        }
    })
    .await
}
