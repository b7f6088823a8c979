use std::{collections::BTreeSet, error::Error};

use platform_telemetry::Chain;
use serde::{Serialize, Serializer, ser::SerializeStruct};

/// Why a record was not dealt with. Both kinds are reported to Lambda; they differ in the log, and in what whoever
/// reads it will do.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// It may succeed when it comes again: a store did not answer, another was faster.
    #[error("to be tried again")]
    Again(#[source] Box<dyn Error + Send + Sync>),
    /// It cannot succeed as it is: nobody can read it, or what it asks for is impossible.
    #[error("can never succeed")]
    Never(#[source] Box<dyn Error + Send + Sync>),
}

impl Failure {
    /// A failure that may pass.
    pub fn again(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Again(error.into())
    }

    /// A failure that stays.
    pub fn never(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Never(error.into())
    }

    /// The one log line and the metric of this failure of the record `id`.
    pub(crate) fn log(&self, id: &str) {
        let reason = match self {
            Self::Again(_) => "again",
            Self::Never(_) => "never",
        };
        metrics::counter!("RecordsFailed", "reason" => reason).increment(1);
        match self {
            Self::Again(_) => tracing::warn!(record.id = id, error = %Chain(self), "record failed"),
            Self::Never(_) => tracing::error!(record.id = id, error = %Chain(self), "record failed"),
        }
    }
}

/// Which records of a batch Lambda must send again; all others are done.
///
/// <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html#services-sqs-batchfailurereporting>
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BatchResponse {
    failed: BTreeSet<String>,
}

impl BatchResponse {
    /// One without failures.
    pub fn new() -> Self {
        Self::default()
    }

    /// The record `id` has failed: reports and logs it.
    pub fn fail(&mut self, id: &str, failure: &Failure) {
        failure.log(id);
        self.failed.insert(id.to_owned());
    }

    /// The ids reported, each once, in the order of their text.
    pub fn failed(&self) -> impl ExactSizeIterator<Item = &str> {
        self.failed.iter().map(String::as_str)
    }
}

/// `{"batchItemFailures":[{"itemIdentifier":"<id>"}]}`
impl Serialize for BatchResponse {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize(self.failed(), serializer)
    }
}

pub(crate) fn serialize<'a, S: Serializer>(
    failed: impl Iterator<Item = &'a str>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct ItemFailure<'a> {
        item_identifier: &'a str,
    }

    let failures: Vec<_> = failed.map(|item_identifier| ItemFailure { item_identifier }).collect();
    let mut response = serializer.serialize_struct("BatchResponse", 1)?;
    response.serialize_field("batchItemFailures", &failures)?;
    response.end()
}
