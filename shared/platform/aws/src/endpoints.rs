use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};
use platform_config::Env;

/// Points the clients of every service at another place.
const OF_ALL: &str = "AWS_ENDPOINT_URL";

/// Point those of one service, as the SDKs name them: of each service that the house calls.
/// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html>
const OF_ONE: [&str; 10] = [
    "AWS_ENDPOINT_URL_APPCONFIGDATA",
    "AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER",
    "AWS_ENDPOINT_URL_DYNAMODB",
    "AWS_ENDPOINT_URL_OPENSEARCH",
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL_SCHEDULER",
    "AWS_ENDPOINT_URL_SECRETS_MANAGER",
    "AWS_ENDPOINT_URL_SESV2",
    "AWS_ENDPOINT_URL_SNS",
    "AWS_ENDPOINT_URL_SQS",
];

/// Where the environment says that services are. A client asks when it is made.
#[derive(Debug)]
pub(crate) struct Endpoints(Env);

impl Endpoints {
    pub(crate) fn new(env: Env) -> Self {
        Self(env)
    }

    /// Of every service that has none of its own.
    pub(crate) fn of_all(&self) -> Option<String> {
        self.at(OF_ALL)
    }

    fn at(&self, name: &'static str) -> Option<String> {
        // The only error is a value that is not UTF-8, and no endpoint has such a URL.
        self.0.optional(name).unwrap_or_default()
    }
}

impl LoadServiceConfig for Endpoints {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        // Whatever else the SDK lets the environment say of a service is the house's to say.
        if key.env() != OF_ALL {
            return None;
        }
        let wanted = format!("{OF_ALL}_{}", key.service_id().to_uppercase().replace(' ', "_"));
        OF_ONE.into_iter().find(|name| *name == wanted).and_then(|name| self.at(name))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use aws_config::{Region, SdkConfig};
    use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
    use aws_smithy_runtime_api::client::{
        http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn},
        orchestrator::{HttpRequest, HttpResponse},
    };
    use aws_smithy_types::body::SdkBody;

    use super::*;
    use crate::located;

    /// Refuses everything, and keeps the hosts that were asked.
    #[derive(Debug, Clone, Default)]
    struct Hosts(Arc<Mutex<Vec<String>>>);

    impl HttpConnector for Hosts {
        fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
            let host = request.uri().split('/').nth(2).unwrap().to_owned();
            self.0.lock().unwrap().push(host);
            let refused = HttpResponse::new(400.try_into().unwrap(), SdkBody::from("{}"));
            HttpConnectorFuture::ready(Ok(refused))
        }
    }

    impl Hosts {
        fn config(&self, env: &[(&str, &str)]) -> SdkConfig {
            let connector = SharedHttpConnector::new(self.clone());
            located(Env::from_pairs(env.iter().copied()))
                .into_builder()
                .region(Region::from_static("eu-central-1"))
                .credentials_provider(SharedCredentialsProvider::new(Credentials::for_tests()))
                .http_client(http_client_fn(move |_, _| connector.clone()))
                .build()
        }

        fn asked(&self) -> Vec<String> {
            self.0.lock().unwrap().clone()
        }
    }

    /// Whom clients of SQS, `AppConfig` and `DynamoDB` ask.
    async fn asked(env: &[(&str, &str)]) -> Vec<String> {
        let hosts = Hosts::default();
        let config = hosts.config(env);
        let queue = "https://sqs.eu-central-1.amazonaws.com/111122223333/queue";
        let sent = aws_sdk_sqs::Client::new(&config).send_message().queue_url(queue).message_body("a").send();
        assert!(sent.await.is_err());
        let session = aws_sdk_appconfigdata::Client::new(&config)
            .start_configuration_session()
            .application_identifier("a")
            .environment_identifier("e")
            .configuration_profile_identifier("p")
            .send();
        assert!(session.await.is_err());
        assert!(aws_sdk_dynamodb::Client::new(&config).list_tables().send().await.is_err());
        hosts.asked()
    }

    #[tokio::test]
    async fn a_service_is_asked_where_the_environment_says() {
        let env = [
            ("AWS_ENDPOINT_URL_SQS", "https://sqs.eu-central-1.api.aws"),
            ("AWS_ENDPOINT_URL_APPCONFIGDATA", "https://appconfigdata.eu-central-1.api.aws"),
        ];
        let expected = [
            "sqs.eu-central-1.api.aws",
            "appconfigdata.eu-central-1.api.aws",
            "dynamodb.eu-central-1.amazonaws.com",
        ];
        assert_eq!(asked(&env).await, expected);
    }

    #[tokio::test]
    async fn the_endpoint_of_a_service_wins_over_that_of_all() {
        let env = [("AWS_ENDPOINT_URL", "http://all.test:4566"), ("AWS_ENDPOINT_URL_SQS", "http://sqs.test")];
        assert_eq!(asked(&env).await, ["sqs.test", "all.test:4566", "all.test:4566"]);
    }

    #[tokio::test]
    async fn an_empty_endpoint_is_none() {
        let env = [("AWS_ENDPOINT_URL", ""), ("AWS_ENDPOINT_URL_SQS", "")];
        assert_eq!(asked(&env).await[0], "sqs.eu-central-1.amazonaws.com");
    }

    #[test]
    fn nothing_but_the_endpoint_of_a_service_is_read() {
        let endpoints = Endpoints::new(Env::from_pairs([
            ("AWS_ENDPOINT_URL_SECRETS_MANAGER", "https://secrets.test"),
            ("AWS_S3_DISABLE_EXPRESS_SESSION_AUTH", "no"),
        ]));
        let read = |service_id, env| {
            let key = ServiceConfigKey::builder().service_id(service_id).env(env).profile("p").build();
            endpoints.load_config(key.unwrap())
        };
        assert_eq!(read("Secrets Manager", OF_ALL).as_deref(), Some("https://secrets.test"));
        assert_eq!(read("S3", "AWS_S3_DISABLE_EXPRESS_SESSION_AUTH"), None);
        assert_eq!(read("S3", OF_ALL), None);
    }

    #[test]
    fn each_service_that_the_workspace_calls_can_be_pointed_elsewhere() {
        let manifest = include_str!("../../../../Cargo.toml");
        let called: Vec<String> = manifest
            .lines()
            .filter_map(|line| line.strip_prefix("aws-sdk-")?.split(' ').next())
            .map(str::to_uppercase)
            .collect();
        let mut named: Vec<String> =
            OF_ONE.iter().map(|name| name.trim_start_matches(OF_ALL).replace('_', "")).collect();
        named.sort();
        assert!(called.iter().all(|service| named.contains(service)), "{called:?}");
        assert_eq!(called.len(), named.len(), "{called:?}");
    }
}
