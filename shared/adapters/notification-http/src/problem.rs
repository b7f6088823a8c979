//! What callers are told when a notification is not taken, found or cancelled.

use coupon_http::{store_problem, try_again};
use domain_notification::{
    AcceptError, BroadcastStatus, CancelBroadcastError, CancelError, CreateBroadcastError, QueueError,
    RedriveError, Status,
};
use platform_http::{Problem, StatusCode};
use platform_telemetry::Chain;

use crate::template::{faulty, notification_template_not_found};

/// 404.
pub fn notification_not_found() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "notification-not-found", "There is no such notification")
}

/// 404.
pub fn broadcast_not_found() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "broadcast-not-found", "There is no such broadcast")
}

/// 409, with the status that it has.
fn not_cancellable(status: Status) -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "notification-not-cancellable",
        "Only a notification that is pending can be cancelled",
    )
    .with("notificationStatus", status.name())
}

/// 409, with the status that it has.
fn broadcast_over(status: BroadcastStatus) -> Problem {
    Problem::new(StatusCode::CONFLICT, "broadcast-not-cancellable", "The broadcast is over")
        .with("broadcastStatus", status.name())
}

/// What a caller is told when a queue fails; the cause goes to the log.
pub fn queue_problem(error: &QueueError) -> Problem {
    tracing::error!(error = %Chain(error), "a queue failed");
    match error {
        QueueError::Unavailable(_) | QueueError::Partial { .. } => try_again(),
    }
}

/// Why a request was not taken.
pub fn accept_problem(error: &AcceptError) -> Problem {
    match error {
        AcceptError::NoTemplate => notification_template_not_found(),
        AcceptError::Disabled => {
            Problem::new(StatusCode::CONFLICT, "template-disabled", "The template is disabled")
        }
        AcceptError::Invalid(faults) => faulty(faults),
        AcceptError::KeyReused => Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "idempotency-key-reused",
            "The idempotency key was used for another request",
        ),
        AcceptError::Store(error) => store_problem(error),
    }
}

/// Why there is no broadcast.
pub fn create_broadcast_problem(error: &CreateBroadcastError) -> Problem {
    match error {
        CreateBroadcastError::Accept(error) => accept_problem(error),
        CreateBroadcastError::Queue(error) => queue_problem(error),
    }
}

/// Why a notification is not cancelled.
pub fn cancel_problem(error: &CancelError) -> Problem {
    match error {
        CancelError::NotFound => notification_not_found(),
        CancelError::TooLate(status) => not_cancellable(*status),
        CancelError::Store(error) => store_problem(error),
        CancelError::Busy => try_again(),
    }
}

/// Why a broadcast is not cancelled.
pub fn cancel_broadcast_problem(error: &CancelBroadcastError) -> Problem {
    match error {
        CancelBroadcastError::NotFound => broadcast_not_found(),
        CancelBroadcastError::Over(status) => broadcast_over(*status),
        CancelBroadcastError::Store(error) => store_problem(error),
        CancelBroadcastError::Busy => try_again(),
    }
}

/// Why a redrive broke off.
pub fn redrive_problem(error: &RedriveError) -> Problem {
    match error {
        RedriveError::Store(error) => store_problem(error),
        RedriveError::Queue(error) => queue_problem(error),
    }
}
