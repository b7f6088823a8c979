//! Wiring of `list-campaigns`.

use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use campaign_dynamodb::CampaignTable;
use coupon_dynamodb::CouponTable;
use domain_campaign::Recent;
use list_campaigns::handler::{self, FRESH_FOR};
use platform_config::Env;
use platform_lambda::{Error, now};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let env = Env::process();
    platform_telemetry::init("list-campaigns", &env)?;
    let client = Client::new(&platform_aws::sdk_config().await);
    let table: String = env.required("COUPON_TABLE")?;
    let campaigns = Arc::new(CampaignTable::new(client.clone(), table.clone()));
    let templates = Arc::new(CouponTable::new(client, table));
    let shown = Arc::new(Recent::new(FRESH_FOR));
    platform_lambda::run(move |request| {
        let (campaigns, templates) = (Arc::clone(&campaigns), Arc::clone(&templates));
        let shown = Arc::clone(&shown);
        async move { handler::handle(&*campaigns, &*templates, &shown, now(), request).await }
    })
    .await
}
