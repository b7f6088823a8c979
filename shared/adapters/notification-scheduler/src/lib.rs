//! Single messages at a time, by `EventBridge` Scheduler.

use std::error::Error;

use aws_sdk_scheduler::{
    Client,
    operation::create_schedule::CreateScheduleError,
    types::{ActionAfterCompletion, FlexibleTimeWindow, FlexibleTimeWindowMode, RetryPolicy, Target},
};
use contracts::QueuedMessage;
use domain_ids::MessageId;
use domain_notification::{QueueError, Schedules};
use jiff::{SignedDuration, Timestamp};

/// From now to a schedule at least: Scheduler refuses a time that is over, and what is on its way is over soon.
pub const SOONEST: SignedDuration = SignedDuration::from_mins(1);

/// How often, and how long, Scheduler tries to reach the function: as long as it can. Rather late than never.
const MAX_RETRIES: i32 = 185;
const MAX_AGE_SECONDS: i32 = 24 * 60 * 60;

/// The group of schedules, and what they call.
#[derive(Debug, Clone)]
pub struct ScheduleGroup {
    client: Client,
    group: String,
    target_arn: String,
    role_arn: String,
}

impl ScheduleGroup {
    /// The schedules of `group`, which call the function `target_arn` as `role_arn`.
    pub fn new(client: Client, group: String, target_arn: String, role_arn: String) -> Self {
        Self { client, group, target_arn, role_arn }
    }

    fn target(&self, id: MessageId) -> Result<Target, Box<dyn Error + Send + Sync>> {
        let retries = RetryPolicy::builder()
            .maximum_retry_attempts(MAX_RETRIES)
            .maximum_event_age_in_seconds(MAX_AGE_SECONDS);
        let target = Target::builder()
            .arn(&self.target_arn)
            .role_arn(&self.role_arn)
            .input(serde_json::to_string(&QueuedMessage { message: id })?)
            .retry_policy(retries.build());
        Ok(target.build()?)
    }
}

impl Schedules for ScheduleGroup {
    async fn schedule(&self, id: MessageId, at: Timestamp, now: Timestamp) -> Result<(), QueueError> {
        let window = FlexibleTimeWindow::builder().mode(FlexibleTimeWindowMode::Off).build();
        let create = self
            .client
            .create_schedule()
            .name(id.to_string())
            .group_name(&self.group)
            .schedule_expression(expression(at, now))
            .schedule_expression_timezone("UTC")
            .flexible_time_window(window.map_err(unavailable)?)
            .target(self.target(id).map_err(QueueError::Unavailable)?)
            // One name, one request: a repeat after a lost answer is none.
            .client_token(id.to_string())
            .action_after_completion(ActionAfterCompletion::Delete);
        match create.send().await {
            Ok(_) => Ok(()),
            Err(error)
                if error.as_service_error().is_some_and(CreateScheduleError::is_conflict_exception) =>
            {
                Ok(())
            }
            Err(error) => Err(unavailable(error)),
        }
    }
}

/// A time that is over, or nearly so, becomes the next one that Scheduler takes. Scheduler knows whole seconds: the part
/// of a second is left away, and the queue keeps the message back for it.
fn expression(at: Timestamp, now: Timestamp) -> String {
    let at = at.max(now.checked_add(SOONEST).unwrap_or(now));
    at.strftime("at(%Y-%m-%dT%H:%M:%S)").to_string()
}

fn unavailable(error: impl Error + Send + Sync + 'static) -> QueueError {
    QueueError::Unavailable(Box::new(error))
}

#[cfg(test)]
mod tests {
    use aws_sdk_scheduler::{
        operation::create_schedule::CreateScheduleOutput,
        types::error::{ConflictException, ServiceQuotaExceededException, ThrottlingException},
    };
    use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};

    use super::*;

    const ID: &str = "01KA3Z5QJ8M4T2R7V9X1C6B0NG";

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    async fn schedule(rule: &Rule) -> Result<(), QueueError> {
        let client = mock_client!(aws_sdk_scheduler, RuleMode::MatchAny, [rule]);
        let group = ScheduleGroup::new(client, "group".into(), "arn:function".into(), "arn:role".into());
        group.schedule(ID.parse().unwrap(), at("2026-11-24T10:30:59.999Z"), at("2026-11-24T10:00:00Z")).await
    }

    #[tokio::test]
    async fn a_message_is_woken_once_at_its_time_and_the_schedule_is_gone_afterwards() {
        let rule = mock!(Client::create_schedule)
            .match_requests(|request| {
                let target = request.target().unwrap();
                let retries = target.retry_policy().unwrap();
                (request.name(), request.group_name()) == (Some(ID), Some("group"))
                    && request.schedule_expression() == Some("at(2026-11-24T10:30:59)")
                    && request.schedule_expression_timezone() == Some("UTC")
                    && request.flexible_time_window().unwrap().mode() == &FlexibleTimeWindowMode::Off
                    && request.action_after_completion() == Some(&ActionAfterCompletion::Delete)
                    && (target.arn(), target.role_arn()) == ("arn:function", "arn:role")
                    && target.input() == Some(&format!(r#"{{"message":"{ID}"}}"#))
                    && retries.maximum_event_age_in_seconds() == Some(86_400)
            })
            .then_output(|| CreateScheduleOutput::builder().schedule_arn("arn").build().unwrap());
        schedule(&rule).await.unwrap();
    }

    #[test]
    fn a_time_that_is_over_is_the_next_minute() {
        let now = at("2026-11-24T23:59:30Z");
        for (wanted, expected) in [
            ("2026-11-24T23:59:30Z", "at(2026-11-25T00:00:30)"),
            ("2020-01-01T00:00:00Z", "at(2026-11-25T00:00:30)"),
            ("2026-11-25T00:00:29.999Z", "at(2026-11-25T00:00:30)"),
            ("2026-11-25T00:00:31Z", "at(2026-11-25T00:00:31)"),
            ("2026-11-25T18:00:00+08:00", "at(2026-11-25T10:00:00)"),
        ] {
            assert_eq!(expression(at(wanted), now), expected, "{wanted}");
        }
    }

    #[tokio::test]
    async fn one_that_is_scheduled_already_is_scheduled() {
        let rule = mock!(Client::create_schedule).then_error(|| {
            let conflict = ConflictException::builder().message("exists").build();
            CreateScheduleError::ConflictException(conflict.unwrap())
        });
        schedule(&rule).await.unwrap();
    }

    #[tokio::test]
    async fn everything_else_is_an_outage() {
        let throttled = mock!(Client::create_schedule).then_error(|| {
            let error = ThrottlingException::builder().message("slow down").build();
            CreateScheduleError::ThrottlingException(error.unwrap())
        });
        let full = mock!(Client::create_schedule).then_error(|| {
            let error = ServiceQuotaExceededException::builder().message("full").build();
            CreateScheduleError::ServiceQuotaExceededException(error.unwrap())
        });
        for rule in [throttled, full] {
            let failed = schedule(&rule).await;
            assert!(matches!(failed, Err(QueueError::Unavailable(_))), "{failed:?}");
        }
    }
}
