//! Wiring of `grant-coupons-on-event`.

use std::sync::Arc;

use account_dynamodb::Accounts;
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
    let table: String = env.required("COUPON_TABLE")?;
    let accounts = Arc::new(Accounts::new(client.clone(), table.clone()));
    let store = Arc::new(CouponTable::new(client, table));
    let memory = Arc::new(Memory::default());
    platform_lambda::run_event(Trigger::PubSub, move |event| {
        let (store, accounts, memory) = (Arc::clone(&store), Arc::clone(&accounts), Arc::clone(&memory));
        async move {
            let chance = Chance { at: now(), secret: random };
            handler::handle(&*store, &accounts, &memory, chance, event).await
        }
    })
    .await
}
