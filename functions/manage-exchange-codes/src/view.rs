use domain_exchange::{CodeBatch, CodeBatchStatus};
use domain_ids::{CodeBatchId, TemplateId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Codes to order.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"count": 10000, "label": "双十一门店海报"}))]
pub struct CreateCodeBatchRequest {
    /// How many, 1 to 1,000,000. All batches of a template have at most that many together, and at most as many as the
    /// template has coupons.
    pub count: u32,
    /// What to call them, 1 to 100 characters.
    pub label: String,
}

/// A change of a batch.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"disabled": true}))]
pub struct PatchCodeBatchRequest {
    /// `true`: every code is refused from now on. There is no way back.
    pub disabled: bool,
}

/// Codes that were ordered together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "id": "01KA3Z5QJ8M4T2R7V9X1C6B0NG", "templateId": "01KA3Z5QJ8M4T2R7V9X1C6B0NA", "count": 10000,
    "label": "双十一门店海报", "status": "ready",
    "createTime": "2026-11-10T02:00:00Z", "exportTime": "2026-11-10T02:00:03Z",
    "downloadUrl": "https://bucket.s3.example.com/codes/01KA3Z5QJ8M4T2R7V9X1C6B0NA/01KA3Z5QJ8M4T2R7V9X1C6B0NG.csv?X-Amz-Expires=900"
}))]
pub struct CodeBatchView {
    /// Identity.
    #[schema(value_type = String)]
    pub id: CodeBatchId,
    /// What the codes are exchanged for.
    #[schema(value_type = String)]
    pub template_id: TemplateId,
    /// How many there are.
    pub count: u32,
    /// What operators call it.
    pub label: String,
    /// `exporting`: the file is being written. `ready`: it can be downloaded. `disabled`: every code is refused.
    #[schema(value_type = String, example = "ready")]
    pub status: CodeBatchStatus,
    /// When it was ordered.
    #[schema(value_type = String, format = DateTime)]
    pub create_time: Timestamp,
    /// When the file was written; it is kept for 30 days.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub export_time: Option<Timestamp>,
    /// When it was disabled.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub disable_time: Option<Timestamp>,
    /// Where to download the codes within 15 minutes, one a line; of one batch that is `ready`. Whoever has the URL has
    /// the codes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub download_url: Option<String>,
}

impl From<&CodeBatch> for CodeBatchView {
    fn from(batch: &CodeBatch) -> Self {
        Self {
            id: batch.id,
            template_id: batch.template,
            count: batch.count.get(),
            label: batch.label.as_str().into(),
            status: batch.status(),
            create_time: batch.created_at,
            export_time: batch.exported_at,
            disable_time: batch.disabled_at,
            download_url: None,
        }
    }
}

/// Part of the batches of a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CodeBatchList {
    /// The batches, the newest first.
    pub items: Vec<CodeBatchView>,
    /// Pass it as `cursor` to get what follows; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}
