//! What callers are told when homestays, or imports of them, refuse.

use coupon_http::{invalid, store_problem};
use domain_homestay::{CancelError, ChangeError, CreateError, FileError, StartError};
use platform_http::{Problem, StatusCode};

/// 404: for a homestay that is not there, one that guests do not see, and one of another host.
pub fn homestay_not_found() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "homestay-not-found", "There is no such homestay")
}

/// 404.
pub fn import_not_found() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "import-not-found", "There is no such import")
}

/// 422, to be completed by the fields at fault.
pub fn invalid_body() -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid-body", "The body is not valid")
}

/// Why a homestay was not created.
pub fn create_problem(error: &CreateError) -> Problem {
    match error {
        CreateError::Invalid(violations) => invalid(violations),
        CreateError::Deleted => Problem::new(
            StatusCode::CONFLICT,
            "homestay-deleted",
            "The homestay that this Idempotency-Key created has been deleted",
        ),
        CreateError::Store(error) => store_problem(error),
    }
}

/// Why a homestay was not changed, or not shown to who may change it.
pub fn change_problem(error: &ChangeError) -> Problem {
    match error {
        ChangeError::NotFound => homestay_not_found(),
        ChangeError::Outdated => Problem::new(
            StatusCode::PRECONDITION_FAILED,
            "precondition-failed",
            "Somebody else has changed the homestay; read it again",
        ),
        ChangeError::Invalid(violations) => invalid(violations),
        ChangeError::Store(error) => store_problem(error),
    }
}

/// Why an import was not started.
pub fn start_problem(error: &StartError) -> Problem {
    match error {
        StartError::UploadNotFound => no_such_upload(),
        StartError::UploadEmpty => invalid_body().field("uploadId", "must not be empty"),
        StartError::UploadTooLong => invalid_body().field("uploadId", "must be at most 268435456 bytes long"),
        StartError::Store(error) => store_problem(error),
    }
}

/// 422: nothing was uploaded under the name.
pub fn no_such_upload() -> Problem {
    invalid_body().field("uploadId", "must be that of a file that has been uploaded")
}

/// Why an import was not cancelled.
pub fn cancel_problem(error: &CancelError) -> Problem {
    match error {
        CancelError::NotFound => import_not_found(),
        CancelError::Over => Problem::new(StatusCode::CONFLICT, "import-finished", "The import is over"),
        CancelError::Store(error) => store_problem(error),
    }
}

/// Why a report was not shown.
pub fn report_problem(error: &FileError) -> Problem {
    match error {
        FileError::Missing | FileError::Changed => {
            Problem::new(StatusCode::GONE, "report-expired", "The report was kept for 30 days")
        }
        FileError::Store(error) => store_problem(error),
    }
}
