//! Wiring of `manage-notification-templates`.

use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use manage_notification_templates::handler::{self, Chance};
use notification_dynamodb::NotificationTable;
use notification_minijinja::Templates;
use platform_config::Env;
use platform_lambda::{Error, now, random};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let env = Env::process();
    platform_telemetry::init("manage-notification-templates", &env)?;
    let table: String = env.required("NOTIFICATION_TABLE")?;
    let client = Client::new(&platform_aws::sdk_config().await);
    let table = Arc::new(NotificationTable::new(client, table));
    platform_lambda::run(move |request| {
        let table = Arc::clone(&table);
        async move {
            let chance = Chance { at: now(), key: u128::from_ne_bytes(random()) };
            // Drafts change under the same number: nothing compiled is worth remembering here.
            handler::handle(&*table, &Templates::without_memory(), chance, request).await
        }
    })
    .await
}
