use std::fmt;

use aws_sdk_dynamodb::Client;
use aws_smithy_runtime_api::client::{
    http::{HttpConnector, HttpConnectorFuture},
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
};
use aws_smithy_types::body::SdkBody;
use serde_json::json;

use crate::{Answer, dynamodb};

/// What stands in every error that a [`Fault`] makes, and must not reach a caller.
const SECRET: &str = "arn:aws:dynamodb:us-east-1:123456789012:table/secret";

/// A way in which `DynamoDB` fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It cannot be reached.
    Unreachable,
    /// It answers that it has failed.
    Broken,
    /// It answers what nobody understands.
    Garbled,
    /// It refuses more work for now.
    Throttling,
}

impl Fault {
    /// A client whose every call fails in this way.
    pub fn client(self) -> Client {
        dynamodb::client_through(Failing(self))
    }
}

/// Has `call` made on clients that fail, each in a way of its own, and requires what a caller is then to be told: 503
/// `try-again`, or 429 `too-many-requests` where `DynamoDB` throttles, when to come back, and nothing of the error.
pub async fn assert_faults_are_hidden(call: impl AsyncFn(Client) -> Answer) {
    for (fault, told) in [
        (Fault::Unreachable, (503, "try-again")),
        (Fault::Broken, (503, "try-again")),
        (Fault::Garbled, (503, "try-again")),
        (Fault::Throttling, (429, "too-many-requests")),
    ] {
        let answer = call(fault.client()).await;
        assert_eq!(answer.problem(), told, "{fault:?}");
        assert_eq!(answer.header("retry-after"), Some("1"), "{fault:?}");
        let text = format!("{answer:?}");
        assert!(!text.contains("arn:") && !text.contains("Exception"), "{text}");
    }
}

struct Failing(Fault);

impl fmt::Debug for Failing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Failing")
    }
}

impl HttpConnector for Failing {
    fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
        let error = |status: u16, code: &str| {
            let body =
                json!({ "__type": format!("com.amazonaws.dynamodb.v20120810#{code}"), "message": SECRET });
            Ok(HttpResponse::new(status.try_into().expect("a status"), SdkBody::from(body.to_string())))
        };
        HttpConnectorFuture::ready(match self.0 {
            Fault::Unreachable => Err(ConnectorError::io(SECRET.into())),
            Fault::Broken => error(500, "InternalServerError"),
            Fault::Garbled => Ok(HttpResponse::new(200.try_into().expect("a status"), SdkBody::from(SECRET))),
            Fault::Throttling => error(400, "ProvisionedThroughputExceededException"),
        })
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::operation::scan::ScanError;

    use super::*;

    #[tokio::test]
    async fn each_fault_is_an_error_of_the_sdk() {
        for fault in [Fault::Unreachable, Fault::Broken, Fault::Garbled, Fault::Throttling] {
            let error = fault.client().scan().table_name("any").send().await.unwrap_err();
            let throttled =
                error.as_service_error().is_some_and(ScanError::is_provisioned_throughput_exceeded_exception);
            assert_eq!(throttled, fault == Fault::Throttling, "{error:?}");
        }
    }
}
