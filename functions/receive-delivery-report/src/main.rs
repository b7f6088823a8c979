//! Wiring of `receive-delivery-report`.

use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use domain_notification::Channels;
use notification_dynamodb::NotificationTable;
use platform_config::Env;
use platform_hot_config::HotConfig;
use platform_lambda::{Error, now};
use platform_secrets::CachedSecret;
use receive_delivery_report::handler::{self, Known};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let env = Env::process();
    platform_telemetry::init("receive-delivery-report", &env)?;
    let config = platform_aws::sdk_config().await;
    let store = NotificationTable::new(Client::new(&config), env.required("NOTIFICATION_TABLE")?);
    let secrets = CachedSecret::from_env(&config, &env, "PROVIDER_SECRETS")?;
    let channels: HotConfig<Channels> =
        HotConfig::from_env(&env, "NOTIFICATION_CHANNELS", &config, Channels::default())?;
    let parts = Arc::new((store, secrets, channels));
    platform_lambda::run(move |request| {
        let parts = Arc::clone(&parts);
        async move {
            let (store, secrets, channels) = &*parts;
            let now = now();
            let (channels, secrets) = (channels.current(now).await, secrets.current(now).await);
            let known = Known { channels: &channels, secrets: &secrets };
            handler::handle(store, known, now, request).await
        }
    })
    .await
}
