//! Wiring of `redrive-notifications`.

use std::sync::Arc;

use jiff::SignedDuration;
use notification_dynamodb::NotificationTable;
use notification_sqs::{DeadLetterQueues, DispatchQueues, PriorityUrls};
use platform_config::Env;
use platform_lambda::{Error, now};
use redrive_notifications::handler::{self, Ports};

/// Less than API Gateway waits, 30 seconds: what was received then is finished and released.
const RUNS_FOR: SignedDuration = SignedDuration::from_secs(15);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let env = Env::process();
    platform_telemetry::init("redrive-notifications", &env)?;
    let config = platform_aws::sdk_config().await;
    let dynamodb = aws_sdk_dynamodb::Client::new(&config);
    let sqs = aws_sdk_sqs::Client::new(&config);
    let ports = Arc::new(Ports {
        store: NotificationTable::new(dynamodb, env.required("NOTIFICATION_TABLE")?),
        queue: DispatchQueues::new(sqs.clone(), PriorityUrls::of_queues(&env)?),
        letters: DeadLetterQueues::new(sqs, PriorityUrls::of_dead_letters(&env)?),
    });
    platform_lambda::run(move |request| {
        let ports = Arc::clone(&ports);
        async move {
            let started = now();
            handler::handle(&ports, started, || now().duration_since(started) < RUNS_FOR, request).await
        }
    })
    .await
}
