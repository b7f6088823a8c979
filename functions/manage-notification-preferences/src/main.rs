//! Wiring of `manage-notification-preferences`.

use std::sync::Arc;

use manage_notification_preferences::{handler, push::SnsRegistry};
use notification_dynamodb::NotificationTable;
use platform_config::Env;
use platform_lambda::{Error, now};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let env = Env::process();
    platform_telemetry::init("manage-notification-preferences", &env)?;
    let config = platform_aws::sdk_config().await;
    let table: String = env.required("NOTIFICATION_TABLE")?;
    let table = NotificationTable::new(aws_sdk_dynamodb::Client::new(&config), table);
    let push = SnsRegistry::new(
        aws_sdk_sns::Client::new(&config),
        env.optional("APNS_APPLICATION_ARN")?,
        env.optional("FCM_APPLICATION_ARN")?,
    );
    let ports = Arc::new((table, push));
    platform_lambda::run(move |request| {
        let ports = Arc::clone(&ports);
        async move { handler::handle(&ports.0, &ports.1, now(), request).await }
    })
    .await
}
