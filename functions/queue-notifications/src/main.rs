//! Wiring of `queue-notifications`.

use std::sync::Arc;

use notification_scheduler::ScheduleGroup;
use notification_sqs::{DispatchQueues, PriorityUrls};
use platform_config::Env;
use platform_lambda::{Error, Trigger, now};
use queue_notifications::handler;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let env = Env::process();
    platform_telemetry::init("queue-notifications", &env)?;
    let config = platform_aws::sdk_config().await;
    let queue = DispatchQueues::new(aws_sdk_sqs::Client::new(&config), PriorityUrls::of_queues(&env)?);
    let schedules = ScheduleGroup::new(
        aws_sdk_scheduler::Client::new(&config),
        env.required("SCHEDULE_GROUP")?,
        env.required("SCHEDULE_TARGET_ARN")?,
        env.required("SCHEDULE_ROLE_ARN")?,
    );
    let ports = Arc::new((queue, schedules));
    platform_lambda::run_event(Trigger::Datasource, move |event| {
        let ports = Arc::clone(&ports);
        async move { handler::handle(&ports.0, &ports.1, now(), event).await }
    })
    .await
}
