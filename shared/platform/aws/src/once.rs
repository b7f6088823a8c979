//! Calls that must not be repeated, because the service would do them again: one attempt, and an error that tells whether
//! the request can have reached the service.

use std::{error::Error, io, time::Duration};

use aws_config::{retry::RetryConfig, timeout::TimeoutConfig};
use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::result::DispatchFailure;
use hyper_util::client::legacy::Error as HyperError;

/// Time to reach the service, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// What a client is to be built with: one attempt, which ends within `timeout`. No read time-out: see [`was_never_sent`].
pub fn once(timeout: Duration) -> (RetryConfig, TimeoutConfig) {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT.min(timeout))
        .disable_read_timeout()
        .operation_attempt_timeout(timeout)
        .operation_timeout(timeout);
    (RetryConfig::disabled(), timeouts.build())
}

/// Whether the request of a client that was built with [`once`] cannot have reached the service: nobody was reached, or it
/// was not even signed.
pub fn was_never_sent(failure: &DispatchFailure) -> bool {
    // There is no read time-out: what times out below the operation is the connecting.
    failure.is_user()
        || failure.is_timeout()
        || failure.as_connector_error().is_some_and(|error| says_unsent(error))
}

fn says_unsent(error: &(dyn Error + 'static)) -> bool {
    std::iter::successors(Some(error), |&error| error.source()).any(|error| {
        let connecting = error.downcast_ref::<HyperError>();
        let refused = error.downcast_ref::<io::Error>();
        connecting.is_some_and(HyperError::is_connect)
            || refused.is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
            || error.is::<CredentialsError>()
    })
}
