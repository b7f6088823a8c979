//! Wiring of `count-coupon-facts`.

use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use count_coupon_facts::handler::{self, Chance};
use platform_config::Env;
use platform_lambda::{Error, Trigger, now, random};
use report_dynamodb::ReportTable;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let env = Env::process();
    platform_telemetry::init("count-coupon-facts", &env)?;
    let client = Client::new(&platform_aws::sdk_config().await);
    let store = Arc::new(ReportTable::new(client, env.required("COUPON_TABLE")?));
    platform_lambda::run_event(Trigger::Datasource, move |event| {
        let store = Arc::clone(&store);
        async move {
            let chance = Chance { at: now(), seed: u64::from_ne_bytes(random()) };
            handler::handle(&*store, chance, event).await
        }
    })
    .await
}
