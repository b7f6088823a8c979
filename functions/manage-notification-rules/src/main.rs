//! Wiring of `manage-notification-rules`.

use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use manage_notification_rules::handler;
use notification_dynamodb::{NotificationTable, TemplateCache};
use notification_minijinja::Templates;
use platform_config::Env;
use platform_lambda::{Error, now};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let env = Env::process();
    platform_telemetry::init("manage-notification-rules", &env)?;
    let table: String = env.required("NOTIFICATION_TABLE")?;
    let table = NotificationTable::new(Client::new(&platform_aws::sdk_config().await), table);
    let ports = Arc::new((table, Templates::default()));
    platform_lambda::run(move |request| {
        let ports = Arc::clone(&ports);
        async move {
            let (table, renderer) = &*ports;
            // An operator who has just changed a template tries a rule with it: nothing is remembered from before.
            let templates = TemplateCache::new(table.clone(), now);
            handler::handle(table, &templates, renderer, now(), request).await
        }
    })
    .await
}
