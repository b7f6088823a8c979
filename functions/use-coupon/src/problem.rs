use coupon_http::{coupon_not_found, store_problem, try_again};
use domain_coupon::{Refusal, TransitionError};
use domain_quote::LockError;
use platform_http::{Problem, StatusCode};
use quote_http::reasons;

pub(crate) fn lock_problem(error: &LockError) -> Problem {
    match error {
        LockError::NotFound => coupon_not_found(),
        LockError::Refused(refusal) => refused(*refusal),
        LockError::NotApplicable(why_not) => {
            conflict("coupon-not-applicable", "The coupon does not apply to the order")
                .with("reasons", reasons(why_not))
        }
        LockError::Busy => try_again(),
        LockError::Store(error) => store_problem(error),
    }
}

pub(crate) fn transition_problem(error: &TransitionError) -> Problem {
    match error {
        TransitionError::NotFound => coupon_not_found(),
        TransitionError::Refused(refusal) => refused(*refusal),
        TransitionError::Busy => try_again(),
        TransitionError::Store(error) => store_problem(error),
    }
}

fn refused(refusal: Refusal) -> Problem {
    match refusal {
        Refusal::Locked { until } => {
            conflict("coupon-locked", "Another order holds the coupon").with("lockedUntil", until)
        }
        Refusal::NotLocked => conflict("coupon-not-locked", "The order does not hold the coupon"),
        Refusal::Used => conflict("coupon-used", "The coupon was used"),
        Refusal::Expired => conflict("coupon-expired", "The coupon has expired"),
        Refusal::Refunded => conflict("coupon-refunded", "The coupon was refunded"),
        Refusal::NotUsed => conflict("coupon-not-used", "The order has not used the coupon"),
        Refusal::NotDue => conflict("coupon-not-expired", "The coupon has not expired"),
        Refusal::Forbidden => Problem::new(StatusCode::FORBIDDEN, "forbidden", "The caller may not do this"),
    }
}

fn conflict(slug: &'static str, title: &'static str) -> Problem {
    Problem::new(StatusCode::CONFLICT, slug, title)
}
