//! Wiring of `claim-coupon`.

use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use claim_coupon::handler::{self, Chance};
use coupon_dynamodb::CouponTable;
use domain_coupon::SaleMemory;
use platform_config::Env;
use platform_lambda::{Error, now, random};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let env = Env::process();
    platform_telemetry::init("claim-coupon", &env)?;
    let client = Client::new(&platform_aws::sdk_config().await);
    let store = Arc::new(CouponTable::new(client, env.required("COUPON_TABLE")?));
    let memory = Arc::new(SaleMemory::default());
    platform_lambda::run(move |request| {
        let (store, memory) = (Arc::clone(&store), Arc::clone(&memory));
        async move {
            let code = u128::from_ne_bytes(random());
            let chance = Chance { at: now(), code, seed: u64::from_ne_bytes(random()) };
            handler::handle(&*store, &memory, chance, request).await
        }
    })
    .await
}
