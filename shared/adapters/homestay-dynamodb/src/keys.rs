//! Keys of the items, written in one place.

use std::{collections::HashMap, fmt::Write};

use aws_sdk_dynamodb::types::AttributeValue;
use domain_homestay::{HomestayPosition, ImportKey, JobKey, JobKind};
use domain_ids::{HomestayId, HostId, ImportId, RebuildId};

pub(crate) type Item = HashMap<String, AttributeValue>;

/// The index that lists the homestays of a host.
pub(crate) const BY_HOST: &str = "homestays-by-host";

/// The index that lists imports, and rebuilds, each in a partition of its own: operators start few.
pub(crate) const BY_START: &str = "jobs-by-start";

/// The sort key of every homestay.
pub(crate) const HOMESTAY: &str = "HOMESTAY";

pub(crate) fn homestay(id: &HomestayId) -> Item {
    key(homestay_pk(id), HOMESTAY)
}

pub(crate) fn homestay_pk(id: &HomestayId) -> String {
    format!("HOMESTAY#{id}")
}

/// Which homestay an item is, by its key.
pub(crate) fn id_of(item: &Item) -> Option<HomestayId> {
    item.get("pk")?.as_s().ok()?.strip_prefix("HOMESTAY#")?.parse().ok()
}

/// The partition of the index.
pub(crate) fn host(host: &HostId) -> String {
    format!("HOST#{host}")
}

/// The keys of the table and of [`BY_HOST`].
pub(crate) fn position(of: &HostId, position: &HomestayPosition) -> Item {
    let mut key = homestay(&position.id);
    key.insert("hostPk".into(), text(host(of)));
    key.insert("createdAt".into(), number(position.created_at.as_millisecond()));
    key
}

/// The partition of [`BY_START`] that lists imports.
pub(crate) const IMPORTS: &str = "IMPORTS";

pub(crate) fn import(id: ImportId) -> Item {
    key(format!("IMPORT#{id}"), "IMPORT")
}

/// The keys of the table and of [`BY_START`].
pub(crate) fn listed_import(id: ImportId) -> Item {
    let mut key = import(id);
    key.insert("listPk".into(), text(IMPORTS));
    key.insert("listSk".into(), text(id.to_string()));
    key
}

pub(crate) fn import_request(request: ImportKey) -> Item {
    let mut pk = "IMPORT#KEY#".to_owned();
    for byte in request.to_bytes() {
        // Writing to a text cannot fail.
        let _ = write!(pk, "{byte:02x}");
    }
    key(pk, "KEY")
}

pub(crate) fn rebuild(id: RebuildId) -> Item {
    key(format!("REBUILD#{id}"), "REBUILD")
}

/// The partition of [`BY_START`] that lists jobs of this kind.
pub(crate) fn list_of(kind: JobKind) -> &'static str {
    match kind {
        JobKind::Rebuild => "REBUILDS",
        JobKind::Reconciliation => "RECONCILIATIONS",
    }
}

/// The keys of the table and of [`BY_START`].
pub(crate) fn listed_rebuild(kind: JobKind, id: RebuildId) -> Item {
    let mut key = rebuild(id);
    key.insert("listPk".into(), text(list_of(kind)));
    key.insert("listSk".into(), text(id.to_string()));
    key
}

/// The item that is there as long as a job of this kind is running.
pub(crate) fn running(kind: JobKind) -> Item {
    let sk = match kind {
        JobKind::Rebuild => "CURRENT",
        JobKind::Reconciliation => "RECONCILING",
    };
    key("REBUILD#".into(), sk)
}

pub(crate) fn rebuild_request(request: JobKey) -> Item {
    let mut pk = "REBUILD#KEY#".to_owned();
    for byte in request.to_bytes() {
        // Writing to a text cannot fail.
        let _ = write!(pk, "{byte:02x}");
    }
    key(pk, "KEY")
}

pub(crate) fn key(pk: String, sk: &str) -> Item {
    HashMap::from([("pk".into(), text(pk)), ("sk".into(), text(sk))])
}

pub(crate) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

pub(crate) fn number(value: impl Into<i128>) -> AttributeValue {
    AttributeValue::N(value.into().to_string())
}
