//! Wiring of `record-mail-events`.

use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use domain_ids::ProviderName;
use notification_dynamodb::NotificationTable;
use platform_config::Env;
use platform_lambda::{Error, Trigger};
use record_mail_events::handler::{self, PROVIDER};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let env = Env::process();
    platform_telemetry::init("record-mail-events", &env)?;
    let provider: ProviderName = PROVIDER.parse()?;
    let client = Client::new(&platform_aws::sdk_config().await);
    let store = NotificationTable::new(client, env.required("NOTIFICATION_TABLE")?);
    let parts = Arc::new((store, provider));
    platform_lambda::run_event(Trigger::PubSub, move |event| {
        let parts = Arc::clone(&parts);
        async move {
            let (store, provider) = &*parts;
            handler::handle(store, provider, event).await
        }
    })
    .await
}
