use std::error::Error;

use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};
use domain_exchange::{BatchSeed, CodeBatch, CodeCount, Label};
use domain_ids::{CodeBatchId, TemplateId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::keys::{self, Item};

/// A batch as it is stored. Times are milliseconds since 1970.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct BatchItem {
    id: CodeBatchId,
    template: TemplateId,
    count: u32,
    label: String,
    created_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    exported_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    disabled_at: Option<i64>,
}

/// The attribute of [`CodeBatch::seed`]: binary, which serde has no word for.
const SEED: &str = "seed";

pub(crate) fn write(batch: &CodeBatch) -> Result<Item, serde_dynamo::Error> {
    let mut item: Item = serde_dynamo::to_item(BatchItem {
        id: batch.id,
        template: batch.template,
        count: batch.count.get(),
        label: batch.label.as_str().into(),
        created_at: batch.created_at.as_millisecond(),
        exported_at: batch.exported_at.map(Timestamp::as_millisecond),
        disabled_at: batch.disabled_at.map(Timestamp::as_millisecond),
    })?;
    item.insert(SEED.into(), AttributeValue::B(Blob::new(batch.seed.to_bytes())));
    item.extend(keys::batch(batch.serial()));
    Ok(item)
}

pub(crate) fn parse(mut item: Item) -> Result<CodeBatch, Box<dyn Error + Send + Sync>> {
    let seed = match item.remove(SEED) {
        Some(AttributeValue::B(bytes)) => bytes.as_ref().try_into().map_err(|_| "seed is not 16 bytes")?,
        _ => return Err("seed is not binary".into()),
    };
    let item: BatchItem = serde_dynamo::from_item(item)?;
    Ok(CodeBatch {
        id: item.id,
        template: item.template,
        count: CodeCount::new(item.count).map_err(|violation| violation.must)?,
        label: Label::new(item.label).map_err(|violation| violation.must)?,
        seed: BatchSeed::from_bytes(seed),
        created_at: Timestamp::from_millisecond(item.created_at)?,
        exported_at: item.exported_at.map(Timestamp::from_millisecond).transpose()?,
        disabled_at: item.disabled_at.map(Timestamp::from_millisecond).transpose()?,
    })
}
