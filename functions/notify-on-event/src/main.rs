//! Wiring of `notify-on-event`.

use std::sync::Arc;

use notification_dynamodb::{NotificationTable, RuleCache, TemplateCache};
use notification_minijinja::Templates;
use notify_on_event::handler::{self, Ports};
use platform_config::Env;
use platform_lambda::{Error, Trigger, now};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let env = Env::process();
    platform_telemetry::init("notify-on-event", &env)?;
    let client = aws_sdk_dynamodb::Client::new(&platform_aws::sdk_config().await);
    let store = NotificationTable::new(client, env.required("NOTIFICATION_TABLE")?);
    let ports = Arc::new(Ports {
        rules: RuleCache::new(store.clone(), now),
        templates: TemplateCache::new(store.clone(), now),
        store,
        renderer: Templates::default(),
    });
    platform_lambda::run_event(Trigger::PubSub, move |event| {
        let ports = Arc::clone(&ports);
        async move { handler::handle(&ports, now(), event).await }
    })
    .await
}
