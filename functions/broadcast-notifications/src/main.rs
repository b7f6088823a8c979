//! Wiring of `broadcast-notifications`.

use std::sync::Arc;

use broadcast_notifications::{
    directory::Guests,
    handler::{self, Ports},
};
use grant_cognito::UserPool;
use jiff::SignedDuration;
use notification_dynamodb::{NotificationTable, TemplateCache};
use notification_minijinja::Templates;
use notification_sqs::BroadcastQueue;
use platform_config::Env;
use platform_lambda::{Error, Trigger, now};

/// Less than the function's time-out of a minute: the page under way then is finished and noted.
const RUNS_FOR: SignedDuration = SignedDuration::from_secs(40);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let env = Env::process();
    platform_telemetry::init("broadcast-notifications", &env)?;
    let config = platform_aws::sdk_config().await;
    let dynamodb = aws_sdk_dynamodb::Client::new(&config);
    let cognito = aws_sdk_cognitoidentityprovider::Client::new(&config);
    let store = NotificationTable::new(dynamodb, env.required("NOTIFICATION_TABLE")?);
    let ports = Arc::new(Ports {
        templates: TemplateCache::new(store.clone(), now),
        store,
        queue: BroadcastQueue::new(aws_sdk_sqs::Client::new(&config), env.required("BROADCAST_QUEUE_URL")?),
        directory: Guests(UserPool::new(cognito, env.required("USER_POOL_ID")?)),
        renderer: Templates::default(),
    });
    platform_lambda::run_event(Trigger::PubSub, move |event| {
        let ports = Arc::clone(&ports);
        async move {
            let started = now();
            handler::handle(&ports, started, || now().duration_since(started) < RUNS_FOR, event).await
        }
    })
    .await
}
