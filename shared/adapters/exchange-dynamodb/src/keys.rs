//! Keys of the items, written and read in one place.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use domain_exchange::Serial;
use domain_ids::{CodeBatchId, TemplateId};

pub(crate) type Item = HashMap<String, AttributeValue>;

/// Sort keys of the list of a template's batches; the id follows.
pub(crate) const LISTED: &str = "CODEBATCH#";

pub(crate) fn batch(serial: Serial) -> Item {
    key(format!("CODEBATCH#{serial}"), "CODEBATCH".into())
}

pub(crate) fn codes(template: TemplateId) -> Item {
    key(template_pk(template), "CODES".into())
}

pub(crate) fn listed(template: TemplateId, batch: CodeBatchId) -> Item {
    key(template_pk(template), format!("{LISTED}{batch}"))
}

/// The batch at a place in the list.
pub(crate) fn batch_at(place: &Item) -> Option<CodeBatchId> {
    place.get("sk")?.as_s().ok()?.strip_prefix(LISTED)?.parse().ok()
}

pub(crate) fn template_pk(id: TemplateId) -> String {
    format!("TEMPLATE#{id}")
}

fn key(pk: String, sk: String) -> Item {
    HashMap::from([("pk".into(), AttributeValue::S(pk)), ("sk".into(), AttributeValue::S(sk))])
}
