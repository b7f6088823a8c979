use std::{error::Error, path::PathBuf, str::FromStr};

use aws_config::SdkConfig;
use aws_sdk_appconfigdata::Client;
use jiff::SignedDuration;

use crate::{app_config::AppConfig, file::File};

/// Bytes of a document. A risk policy with full lists has 80 KB; `AppConfig` itself allows more.
pub const MAX_DOCUMENT_BYTES: usize = 256 * 1_024;

/// Where a configuration comes from, as the environment names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// `appconfig:<application>/<environment>/<profile>`: ids or names.
    AppConfig {
        /// The application.
        application: String,
        /// Its environment.
        environment: String,
        /// Its configuration profile.
        profile: String,
    },
    /// `file:<path>`.
    File(PathBuf),
}

/// The text names no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be appconfig:<application>/<environment>/<profile> or file:<path>")]
pub struct InvalidLocation;

impl FromStr for Location {
    type Err = InvalidLocation;

    fn from_str(text: &str) -> Result<Self, InvalidLocation> {
        match text.split_once(':') {
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(path.into())),
            Some(("appconfig", path)) => match path.split('/').collect::<Vec<_>>().as_slice() {
                [application, environment, profile]
                    if [application, environment, profile].iter().all(|part| !part.is_empty()) =>
                {
                    Ok(Self::AppConfig {
                        application: (*application).to_owned(),
                        environment: (*environment).to_owned(),
                        profile: (*profile).to_owned(),
                    })
                }
                _ => Err(InvalidLocation),
            },
            _ => Err(InvalidLocation),
        }
    }
}

/// Where documents come from.
#[derive(Debug)]
pub struct Source(pub(crate) Kind);

#[derive(Debug)]
pub(crate) enum Kind {
    AppConfig(AppConfig),
    File(File),
}

/// What a look at a source yields.
#[derive(Debug)]
pub(crate) struct Fetched {
    /// The document, unless it is the one of the last time.
    pub document: Option<Vec<u8>>,
    /// When to look again.
    pub poll_after: SignedDuration,
}

/// A document could not be fetched or used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error("AppConfig does not answer as it should")]
    AppConfig(#[source] Box<dyn Error + Send + Sync>),
    #[error("the file cannot be read")]
    File(#[from] std::io::Error),
    #[error("the source did not answer in time")]
    TimedOut,
    #[error("the document is not valid")]
    Invalid(#[source] Box<dyn Error + Send + Sync>),
}

impl FetchError {
    /// The label of the metric.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::AppConfig(_) | Self::File(_) | Self::TimedOut => "unavailable",
            Self::Invalid(_) => "invalid",
        }
    }
}

impl Source {
    /// The place that `location` names.
    pub fn new(location: Location, sdk: &SdkConfig) -> Self {
        match location {
            Location::AppConfig { application, environment, profile } => {
                Self::app_config(Client::new(sdk), application, environment, profile)
            }
            Location::File(path) => Self(Kind::File(File::new(path))),
        }
    }

    /// A profile in `AppConfig`, reached through `client`.
    pub fn app_config(client: Client, application: String, environment: String, profile: String) -> Self {
        Self(Kind::AppConfig(AppConfig { client, application, environment, profile, token: None }))
    }

    pub(crate) async fn fetch(&mut self) -> Result<Fetched, FetchError> {
        match &mut self.0 {
            Kind::AppConfig(source) => source.fetch().await,
            Kind::File(source) => source.fetch(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_parsed() {
        let app_config = Location::AppConfig {
            application: "abc1234".into(),
            environment: "prod".into(),
            profile: "risk-policy".into(),
        };
        assert_eq!("appconfig:abc1234/prod/risk-policy".parse(), Ok(app_config));
        assert_eq!("file:/tmp/risk.json".parse(), Ok(Location::File("/tmp/risk.json".into())));
        for text in [
            "",
            "file:",
            "appconfig:",
            "appconfig:a/b",
            "appconfig:a/b/",
            "appconfig:a/b/c/d",
            "a/b/c",
            "s3:x",
        ] {
            assert_eq!(text.parse::<Location>(), Err(InvalidLocation), "{text}");
        }
    }
}
