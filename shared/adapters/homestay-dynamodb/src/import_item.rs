use std::error::Error;

use domain_homestay::{
    Datum, Import, ImportFailure, ImportFigures, ImportFile, ImportFormat, ImportStatus, ReportPart,
};
use domain_ids::{HostId, ImportId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::keys::{self, Item};

/// An import as it is stored. Times are milliseconds since 1970; the figures are attributes of their own, so that a step can add
/// to them.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ImportItem {
    id: ImportId,
    file: ImportFile,
    format: ImportFormat,
    source: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    host: Option<HostId>,
    datum: Datum,
    dry_run: bool,
    status: ImportStatus,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failure: Option<ImportFailure>,
    position: u64,
    lines: u64,
    created: u64,
    changed: u64,
    unchanged: u64,
    refused: u64,
    parts: Vec<ReportPart>,
    // Not createdAt, which is a key of the homestays' index.
    started_at: i64,
    updated_at: i64,
}

pub(crate) fn write(import: &Import) -> Result<Item, serde_dynamo::Error> {
    let mut item: Item = serde_dynamo::to_item(ImportItem {
        id: import.id,
        file: import.file.clone(),
        format: import.format,
        source: import.source.as_str().to_owned(),
        host: import.host.clone(),
        datum: import.datum,
        dry_run: import.dry_run,
        status: import.status,
        failure: import.failure.clone(),
        position: import.position,
        lines: import.lines,
        created: import.figures.created,
        changed: import.figures.changed,
        unchanged: import.figures.unchanged,
        refused: import.figures.refused,
        parts: import.parts.clone(),
        started_at: import.created_at.as_millisecond(),
        updated_at: import.updated_at.as_millisecond(),
    })?;
    item.extend(keys::listed_import(import.id));
    Ok(item)
}

pub(crate) fn parse(item: Item) -> Result<Import, Box<dyn Error + Send + Sync>> {
    let item: ImportItem = serde_dynamo::from_item(item)?;
    Ok(Import {
        id: item.id,
        file: item.file,
        format: item.format,
        source: item.source.parse()?,
        host: item.host,
        datum: item.datum,
        dry_run: item.dry_run,
        status: item.status,
        failure: item.failure,
        position: item.position,
        lines: item.lines,
        figures: ImportFigures {
            created: item.created,
            changed: item.changed,
            unchanged: item.unchanged,
            refused: item.refused,
        },
        parts: item.parts,
        created_at: Timestamp::from_millisecond(item.started_at)?,
        updated_at: Timestamp::from_millisecond(item.updated_at)?,
    })
}
