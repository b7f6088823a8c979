//! Wiring of `claim-coupon-batch`.

use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use claim_coupon_batch::{
    Progress,
    handler::{self, Draw, Stores},
};
use claim_request_dynamodb::ClaimRequests;
use coupon_dynamodb::CouponTable;
use domain_coupon::SaleMemory;
use platform_config::Env;
use platform_lambda::{Error, Trigger, now, random};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let env = Env::process();
    platform_telemetry::init("claim-coupon-batch", &env)?;
    let client = Client::new(&platform_aws::sdk_config().await);
    let table: String = env.required("COUPON_TABLE")?;
    let stores = Arc::new(Stores {
        coupons: CouponTable::new(client.clone(), table.clone()),
        requests: ClaimRequests::new(client, table),
        memory: SaleMemory::default(),
        progress: Progress::default(),
    });
    let draw = || Draw { code: u128::from_ne_bytes(random()), seed: u64::from_ne_bytes(random()) };
    platform_lambda::run_event(Trigger::PubSub, move |event| {
        let stores = Arc::clone(&stores);
        async move { handler::handle(&stores, now, draw, event).await }
    })
    .await
}
