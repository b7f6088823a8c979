use std::{collections::BTreeMap, error::Error};

use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};
use domain_grant::{
    Chunk, Failure, Figures, Grant, ListFile, Outcome, Part, Reason, Recipients, Secret, Segment,
};
use domain_ids::{GrantId, TemplateId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::keys::{self, Item};

/// A grant as it is stored. Times are milliseconds since 1970.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct GrantItem {
    id: GrantId,
    template: TemplateId,
    recipients: RecipientsItem,
    chunks: u32,
    planned: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    listed_to: Option<String>,
    paused: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failure: Option<Failure>,
    done_chunks: u32,
    issued: u64,
    refused: BTreeMap<Reason, u64>,
    created_at: i64,
    updated_at: i64,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum RecipientsItem {
    List { key: String, bytes: u64, tag: String },
    All,
    Group { name: String },
}

/// The attribute of [`Grant::secret`]: binary, which serde has no word for.
const SECRET: &str = "secret";

pub(crate) fn write(grant: &Grant) -> Result<Item, serde_dynamo::Error> {
    let recipients = match &grant.recipients {
        Recipients::List(list) => {
            RecipientsItem::List { key: list.key.clone(), bytes: list.bytes, tag: list.tag.clone() }
        }
        Recipients::Segment(Segment::All) => RecipientsItem::All,
        Recipients::Segment(Segment::Group(name)) => RecipientsItem::Group { name: name.as_str().into() },
    };
    let mut item: Item = serde_dynamo::to_item(GrantItem {
        id: grant.id,
        template: grant.template,
        recipients,
        chunks: grant.chunks,
        planned: grant.planned,
        listed_to: grant.listed_to.clone(),
        paused: grant.paused,
        failure: grant.failure,
        done_chunks: grant.done_chunks,
        issued: grant.figures.issued,
        refused: grant.figures.refused.clone(),
        created_at: grant.created_at.as_millisecond(),
        updated_at: grant.updated_at.as_millisecond(),
    })?;
    item.insert(SECRET.into(), AttributeValue::B(Blob::new(grant.secret.to_bytes())));
    item.extend(keys::grant(grant.id));
    Ok(item)
}

pub(crate) fn parse(mut item: Item) -> Result<Grant, Box<dyn Error + Send + Sync>> {
    let secret = match item.remove(SECRET) {
        Some(AttributeValue::B(bytes)) => bytes.as_ref().try_into().map_err(|_| "secret is not 16 bytes")?,
        _ => return Err("secret is missing".into()),
    };
    let item: GrantItem = serde_dynamo::from_item(item)?;
    let recipients = match item.recipients {
        RecipientsItem::List { key, bytes, tag } => Recipients::List(ListFile { key, bytes, tag }),
        RecipientsItem::All => Recipients::Segment(Segment::All),
        RecipientsItem::Group { name } => Recipients::Segment(Segment::Group(name.parse()?)),
    };
    Ok(Grant {
        id: item.id,
        template: item.template,
        recipients,
        secret: Secret::from_random(secret),
        chunks: item.chunks,
        planned: item.planned,
        listed_to: item.listed_to,
        paused: item.paused,
        failure: item.failure,
        done_chunks: item.done_chunks,
        figures: Figures { issued: item.issued, refused: item.refused },
        created_at: Timestamp::from_millisecond(item.created_at)?,
        updated_at: Timestamp::from_millisecond(item.updated_at)?,
    })
}

/// A chunk as it is stored.
#[derive(Serialize, Deserialize)]
struct ChunkItem {
    number: u32,
    #[serde(flatten)]
    part: Option<PartItem>,
    #[serde(flatten)]
    outcome: Option<OutcomeItem>,
}

#[derive(Serialize, Deserialize)]
struct PartItem {
    file: String,
    bytes: u64,
}

#[derive(Serialize, Deserialize)]
struct OutcomeItem {
    lines: u32,
    issued: u64,
    refused: BTreeMap<Reason, u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    report: Option<String>,
}

pub(crate) fn write_part(number: u32, part: &Part) -> Result<Item, serde_dynamo::Error> {
    let part = PartItem { file: part.file.clone(), bytes: part.bytes };
    serde_dynamo::to_item(ChunkItem { number, part: Some(part), outcome: None })
}

/// The attributes by which a chunk is done.
pub(crate) fn write_outcome(number: u32, outcome: &Outcome) -> Result<Item, serde_dynamo::Error> {
    let outcome = OutcomeItem {
        lines: outcome.lines,
        issued: outcome.figures.issued,
        refused: outcome.figures.refused.clone(),
        report: outcome.report.clone(),
    };
    serde_dynamo::to_item(ChunkItem { number, part: None, outcome: Some(outcome) })
}

pub(crate) fn parse_chunk(item: Item) -> Result<Chunk, serde_dynamo::Error> {
    let ChunkItem { number, part, outcome } = serde_dynamo::from_item(item)?;
    let part = part.map(|part| Part { file: part.file, bytes: part.bytes });
    let outcome = outcome.map(|outcome| Outcome {
        lines: outcome.lines,
        figures: Figures { issued: outcome.issued, refused: outcome.refused },
        report: outcome.report,
    });
    Ok(Chunk { number, part, outcome })
}
