//! Wiring of `schedule-notifications`.

use std::sync::Arc;

use jiff::SignedDuration;
use notification_dynamodb::NotificationTable;
use notification_sqs::{DispatchQueues, PriorityUrls};
use platform_config::Env;
use platform_lambda::{Error, Trigger, now};
use schedule_notifications::handler;

/// Less than the function's time-out of a minute: what is under way then is finished.
const RUNS_FOR: SignedDuration = SignedDuration::from_secs(45);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let env = Env::process();
    platform_telemetry::init("schedule-notifications", &env)?;
    let config = platform_aws::sdk_config().await;
    let dynamodb = aws_sdk_dynamodb::Client::new(&config);
    let store = NotificationTable::new(dynamodb, env.required("NOTIFICATION_TABLE")?);
    let queue = DispatchQueues::new(aws_sdk_sqs::Client::new(&config), PriorityUrls::of_queues(&env)?);
    let ports = Arc::new((store, queue));
    platform_lambda::run_event(Trigger::Timer, move |event| {
        let ports = Arc::clone(&ports);
        async move {
            let started = now();
            handler::handle(&ports.0, &ports.1, started, || now().duration_since(started) < RUNS_FOR, event)
                .await
        }
    })
    .await
}
