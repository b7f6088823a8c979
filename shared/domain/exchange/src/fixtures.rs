//! Values and stores for this crate's own tests. (`testing` builds on other crates of the house and is too big here.)

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use domain_coupon::{
    Benefit, IssueMode, IssueType, NewTemplate, Page, StoreError, Template, TemplatePosition, TemplateShelf,
    Threshold, Usage,
};
use domain_ids::{CodeBatchId, TemplateId};
use jiff::{SignedDuration, Timestamp};

use crate::{
    Added, BatchSeed, CodeBatch, CodeBatchLookup, CodeBatchStore, CodeCount, CodeFiles, ExchangeKey,
    ExportQueue, Label, Serial,
};

pub const NOW: Timestamp = Timestamp::constant(1_794_326_400, 0);

pub const SECRET: &str = "0123456789abcdef0123456789abcdef";

pub fn key() -> ExchangeKey {
    SECRET.parse().unwrap()
}

pub fn serial(n: u32) -> Serial {
    Serial::from_low_bits(n.into())
}

pub fn count(n: u32) -> CodeCount {
    CodeCount::new(n).unwrap()
}

pub fn template_id(n: u128) -> TemplateId {
    TemplateId::from_parts(1_794_000_000_000, n)
}

pub fn template(total: u32) -> Template {
    NewTemplate {
        name: "满100减20".into(),
        benefit: Benefit::Gift { sku: "TEA-01".into() },
        threshold: Threshold::None,
        usage: Usage::default(),
        total_count: Some(total),
        per_user_limit: 1,
        valid_days: 30,
        starts_at: NOW,
        ends_at: NOW + SignedDuration::from_hours(24),
        issue_type: IssueType::Exchange,
        issue_mode: IssueMode::Direct,
        auto: None,
        restock: false,
        expected_claims_per_second: 10,
    }
    .publish(template_id(1), NOW)
    .unwrap()
}

pub fn batch(n: u32) -> CodeBatch {
    CodeBatch {
        id: CodeBatchId::from_parts(1_794_000_000_000, n.into()),
        template: template_id(1),
        count: count(10),
        label: Label::new("双十一".into()).unwrap(),
        seed: BatchSeed::from_random(n.into()),
        created_at: NOW,
        exported_at: None,
        disabled_at: None,
    }
}

/// One template.
pub struct Templates(pub Template);

impl TemplateShelf for Templates {
    async fn template(&self, id: TemplateId) -> Result<Option<Template>, StoreError> {
        Ok(Some(self.0.clone()).filter(|template| template.id == id))
    }

    async fn on_sale(
        &self,
        _: Timestamp,
        _: Option<TemplatePosition>,
        _: u16,
    ) -> Result<Page<Template, TemplatePosition>, StoreError> {
        Ok(Page { items: Vec::new(), next: None })
    }

    async fn all(
        &self,
        _: Option<TemplatePosition>,
        _: u16,
    ) -> Result<Page<Template, TemplatePosition>, StoreError> {
        Ok(Page { items: Vec::new(), next: None })
    }

    async fn remaining(&self, _: &Template) -> Result<Option<u32>, StoreError> {
        Ok(None)
    }
}

/// Batches of one template.
#[derive(Default)]
pub struct Batches {
    batches: Mutex<BTreeMap<Serial, CodeBatch>>,
    loses_answer: AtomicBool,
}

impl Batches {
    /// One whose first answer to an order is lost on the way.
    pub fn losing_an_answer() -> Self {
        Self { loses_answer: true.into(), ..Self::default() }
    }

    pub fn ordered(&self) -> u32 {
        self.batches.lock().unwrap().values().map(|batch| batch.count.get()).sum()
    }
}

impl CodeBatchLookup for Batches {
    async fn batch(&self, serial: Serial) -> Result<Option<CodeBatch>, StoreError> {
        Ok(self.batches.lock().unwrap().get(&serial).cloned())
    }
}

impl CodeBatchStore for Batches {
    async fn add(&self, batch: &CodeBatch, most: u32) -> Result<Added, StoreError> {
        let ordered = self.ordered();
        let mut batches = self.batches.lock().unwrap();
        if let Some(taken) = batches.get(&batch.serial()) {
            return Ok(Added::SerialTaken(Box::new(taken.clone())));
        }
        if ordered + batch.count.get() > most {
            return Ok(Added::TooMany { ordered });
        }
        batches.insert(batch.serial(), batch.clone());
        if self.loses_answer.swap(false, Ordering::Relaxed) {
            return Err(StoreError::Unavailable("the answer was lost".into()));
        }
        Ok(Added::Added)
    }

    async fn mark_exported(&self, serial: Serial, at: Timestamp) -> Result<bool, StoreError> {
        let mut batches = self.batches.lock().unwrap();
        let batch = batches.get_mut(&serial).filter(|batch| batch.disabled_at.is_none());
        Ok(batch.map(|batch| batch.exported_at = Some(at)).is_some())
    }

    async fn disable(&self, serial: Serial, at: Timestamp) -> Result<Option<CodeBatch>, StoreError> {
        let mut batches = self.batches.lock().unwrap();
        let batch = batches.get_mut(&serial);
        Ok(batch.map(|batch| {
            batch.disabled_at.get_or_insert(at);
            batch.clone()
        }))
    }

    async fn batches(
        &self,
        _: TemplateId,
        _: Option<CodeBatchId>,
        _: u16,
    ) -> Result<Page<CodeBatch, CodeBatchId>, StoreError> {
        Ok(Page { items: Vec::new(), next: None })
    }
}

/// What was asked of it; a broken one has no place to write that down.
pub struct Queue(Option<Mutex<Vec<CodeBatchId>>>);

impl Default for Queue {
    fn default() -> Self {
        Self(Some(Mutex::default()))
    }
}

impl Queue {
    pub fn broken() -> Self {
        Self(None)
    }

    pub fn asked(&self) -> Vec<CodeBatchId> {
        self.0.as_ref().unwrap().lock().unwrap().clone()
    }
}

impl ExportQueue for Queue {
    async fn ask(&self, batch: CodeBatchId) -> Result<(), StoreError> {
        let asked = self.0.as_ref().ok_or_else(|| StoreError::Unavailable("the queue is gone".into()))?;
        asked.lock().unwrap().push(batch);
        Ok(())
    }
}

/// Files in memory.
pub struct Disk {
    pub calls: AtomicUsize,
    fails_at: usize,
    pub largest_part: AtomicUsize,
    uploads: AtomicUsize,
    files: Mutex<BTreeMap<CodeBatchId, Vec<u8>>>,
}

impl Default for Disk {
    fn default() -> Self {
        Self::failing_at(usize::MAX)
    }
}

impl Disk {
    /// One whose call with this number fails, counted from 0.
    pub fn failing_at(fails_at: usize) -> Self {
        Self {
            calls: AtomicUsize::default(),
            fails_at,
            largest_part: AtomicUsize::default(),
            uploads: AtomicUsize::default(),
            files: Mutex::default(),
        }
    }

    /// Files that are being written.
    pub fn uploads(&self) -> usize {
        self.uploads.load(Ordering::Relaxed)
    }

    pub fn file(&self, batch: &CodeBatch) -> String {
        String::from_utf8(self.files.lock().unwrap()[&batch.id].clone()).unwrap()
    }

    fn call(&self) -> Result<(), StoreError> {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        if call == self.fails_at { Err(StoreError::Unavailable("the disk is gone".into())) } else { Ok(()) }
    }
}

impl CodeFiles for Disk {
    type Upload = (CodeBatchId, Vec<u8>);

    const PART_BYTES: usize = 16 * 1024;

    async fn begin(&self, batch: &CodeBatch) -> Result<Self::Upload, StoreError> {
        self.call()?;
        self.uploads.fetch_add(1, Ordering::Relaxed);
        Ok((batch.id, Vec::new()))
    }

    async fn append(&self, upload: &mut Self::Upload, part: Vec<u8>) -> Result<(), StoreError> {
        self.largest_part.fetch_max(part.len(), Ordering::Relaxed);
        self.call()?;
        upload.1.extend(part);
        Ok(())
    }

    async fn finish(&self, upload: &mut Self::Upload) -> Result<(), StoreError> {
        self.call()?;
        self.uploads.fetch_sub(1, Ordering::Relaxed);
        self.files.lock().unwrap().insert(upload.0, std::mem::take(&mut upload.1));
        Ok(())
    }

    async fn abandon(&self, _: Self::Upload) {
        self.uploads.fetch_sub(1, Ordering::Relaxed);
    }
}
