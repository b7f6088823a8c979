//! Wiring of `manage-campaigns`.

use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use campaign_dynamodb::CampaignTable;
use coupon_dynamodb::CouponTable;
use manage_campaigns::handler::{self, Chance};
use platform_config::Env;
use platform_lambda::{Error, now, random};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let env = Env::process();
    platform_telemetry::init("manage-campaigns", &env)?;
    let client = Client::new(&platform_aws::sdk_config().await);
    let table: String = env.required("COUPON_TABLE")?;
    let campaigns = Arc::new(CampaignTable::new(client.clone(), table.clone()));
    let templates = Arc::new(CouponTable::new(client, table));
    platform_lambda::run(move |request| {
        let (campaigns, templates) = (Arc::clone(&campaigns), Arc::clone(&templates));
        async move {
            let chance = Chance { at: now(), id: u128::from_ne_bytes(random()) };
            handler::handle(&*campaigns, &*templates, chance, request).await
        }
    })
    .await
}
