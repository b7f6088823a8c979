//! Wiring of `dispatch-notification`.

use std::{convert::Infallible, sync::Arc, time::Duration};

use dispatch_notification::{
    gateway::{Providers, World},
    handler,
};
use domain_notification::{Channels, Dispatch, Health};
use notification_dynamodb::{NotificationTable, TemplateCache};
use notification_minijinja::Templates;
use notification_sqs::{DeadLetterQueues, DispatchQueues, PriorityUrls};
use platform_config::Env;
use platform_hot_config::HotConfig;
use platform_lambda::{Error, Trigger, now, random};
use platform_secrets::CachedSecret;

/// Where the document gives a provider no time-out of its own; each replaces it.
const PROVIDER_TIMEOUT: Duration = Duration::from_secs(5);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let env = Env::process();
    platform_telemetry::init("dispatch-notification", &env)?;
    let config = platform_aws::sdk_config().await;
    let dynamodb = aws_sdk_dynamodb::Client::new(&config);
    let table = NotificationTable::new(dynamodb, env.required("NOTIFICATION_TABLE")?);
    let secrets = CachedSecret::from_env(&config, &env, "PROVIDER_SECRETS")?;
    let providers = Providers::new(
        notification_ses::client(&config, PROVIDER_TIMEOUT),
        notification_sns::client(&config, PROVIDER_TIMEOUT),
        table.clone(),
        secrets,
        World { now, nonce: || format!("{:032x}", u128::from_ne_bytes(random())) },
    );
    let sqs = aws_sdk_sqs::Client::new(&config);
    let queues = DispatchQueues::new(sqs.clone(), PriorityUrls::of_queues(&env)?);
    let dead_letters = DeadLetterQueues::new(sqs, PriorityUrls::of_dead_letters(&env)?);
    let templates = TemplateCache::new(table.clone(), now);
    let channels: HotConfig<Channels> =
        HotConfig::from_env(&env, "NOTIFICATION_CHANNELS", &config, Channels::default())?;
    let parts = Arc::new((
        table,
        templates,
        Templates::default(),
        providers,
        Health::default(),
        queues,
        dead_letters,
    ));
    platform_lambda::run_event(Trigger::PubSub, move |event| {
        let (parts, channels) = (Arc::clone(&parts), channels.clone());
        async move {
            let channels = channels.current(now()).await;
            let (store, templates, renderer, gateway, health, queues, dead_letters) = &*parts;
            let dispatch =
                Dispatch { store, templates, renderer, gateway, health, channels: &channels, clock: now };
            handler::handle(&dispatch, queues, dead_letters, event).await as Result<_, Infallible>
        }
    })
    .await
}
