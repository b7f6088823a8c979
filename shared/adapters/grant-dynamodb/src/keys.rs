//! Keys of the items, written in one place.

use std::{collections::HashMap, fmt::Write};

use aws_sdk_dynamodb::types::AttributeValue;
use domain_grant::GrantKey;
use domain_ids::GrantId;

pub(crate) type Item = HashMap<String, AttributeValue>;

/// The partition that lists all grants: operators order few.
pub(crate) const GRANTS: &str = "GRANTS";

/// Sort keys of the chunks of a grant.
pub(crate) const CHUNKS: &str = "CHUNK#";

pub(crate) fn grant_pk(id: GrantId) -> String {
    format!("GRANT#{id}")
}

pub(crate) fn grant(id: GrantId) -> Item {
    key(grant_pk(id), "GRANT".into())
}

/// With leading zeros, so that text order is the order of the list.
pub(crate) fn chunk(id: GrantId, number: u32) -> Item {
    key(grant_pk(id), format!("{CHUNKS}{number:06}"))
}

pub(crate) fn entry(id: GrantId) -> Item {
    key(GRANTS.into(), id.to_string())
}

pub(crate) fn request(request: GrantKey) -> Item {
    let mut pk = "GRANT#KEY#".to_owned();
    for byte in request.to_bytes() {
        // Writing to a text cannot fail.
        let _ = write!(pk, "{byte:02x}");
    }
    key(pk, "KEY".into())
}

fn key(pk: String, sk: String) -> Item {
    HashMap::from([("pk".into(), text(pk)), ("sk".into(), text(sk))])
}

pub(crate) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

pub(crate) fn number(value: impl Into<i128>) -> AttributeValue {
    AttributeValue::N(value.into().to_string())
}
