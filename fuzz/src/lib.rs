//! What the targets have in common.

use std::{fmt::Debug, sync::LazyLock};

use domain_ids::ProviderName;
use domain_notification::{DeliveryReport, Fate, MAX_CODE_CHARS, Reported};

/// Whose delivery reports are read.
pub static PROVIDER: LazyLock<ProviderName> = LazyLock::new(|| "fuzzed".parse().expect("a name"));

/// Bytes of what a provider calls a message: it becomes part of a key, which has 2,048 at most.
const MAX_REFERENCE_BYTES: usize = 1_024;

/// What a provider pushes is read or refused, and what is read can be kept.
pub fn check(body: &[u8], reports: Result<Vec<DeliveryReport>, impl Debug>) {
    let Ok(reports) = reports else { return };
    assert!(reports.len() <= body.len(), "reports out of nothing");
    for report in reports {
        match report.of {
            Reported::Message(_) => {}
            Reported::Reference { provider, reference } => {
                assert_eq!(provider, *PROVIDER);
                assert!(reference.len() <= MAX_REFERENCE_BYTES, "a reference that is no key");
            }
        }
        match report.fate {
            Fate::Delivered | Fate::Complained => {}
            Fate::Failed(code) | Fate::Bounced(code) => assert!(code.chars().count() <= MAX_CODE_CHARS),
        }
    }
}
