//! Wiring of `send-notification`.

use std::sync::Arc;

use notification_dynamodb::{NotificationTable, TemplateCache};
use notification_minijinja::Templates;
use notification_sqs::BroadcastQueue;
use platform_config::Env;
use platform_lambda::{Error, now, random};
use send_notification::handler::{self, Chance, Ports};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let env = Env::process();
    platform_telemetry::init("send-notification", &env)?;
    let config = platform_aws::sdk_config().await;
    let dynamodb = aws_sdk_dynamodb::Client::new(&config);
    let store = NotificationTable::new(dynamodb, env.required("NOTIFICATION_TABLE")?);
    let ports = Arc::new(Ports {
        templates: TemplateCache::new(store.clone(), now),
        store,
        queue: BroadcastQueue::new(aws_sdk_sqs::Client::new(&config), env.required("BROADCAST_QUEUE_URL")?),
        renderer: Templates::default(),
    });
    platform_lambda::run(move |request| {
        let ports = Arc::clone(&ports);
        async move {
            let chance = Chance { at: now(), id: u128::from_ne_bytes(random()) };
            handler::handle(&ports, chance, request).await
        }
    })
    .await
}
