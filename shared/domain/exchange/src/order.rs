//! Ordering a batch of codes, and revoking one.

use domain_coupon::{IssueType, Stock, StoreError, Template, TemplateShelf, Violation, Violations};
use domain_ids::{CodeBatchId, TemplateId};
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::{Added, CodeBatch, CodeBatchStatus, CodeBatchStore, CodeCount, ExportQueue, Label, MAX_CODES};

/// Serials drawn for one batch. With 10,000 batches, all of them are taken once in 10²⁵ orders.
pub const MAX_DRAWS: u32 = 8;

/// An operator's wish for codes.
#[derive(Debug, Clone)]
pub struct OrderCodes {
    template: TemplateId,
    count: CodeCount,
    label: Label,
    seed: BatchSeed,
    at: Timestamp,
}

/// What the id of a batch is drawn with. Orders with one seed are one order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchSeed([u8; 16]);

/// The batch, and whether an earlier request ordered it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ordered {
    /// The batch.
    pub batch: CodeBatch,
    /// An earlier request with the same seed ordered it.
    pub replayed: bool,
}

/// Why no batch was ordered.
#[derive(Debug, thiserror::Error)]
pub enum OrderError {
    /// There is no such template.
    #[error("no such template")]
    TemplateNotFound,
    /// Coupons of this template are not exchanged for codes.
    #[error("coupons of this template are not exchanged for codes")]
    NotExchanged,
    /// The template would have more codes than coupons, or than [`MAX_CODES`].
    #[error("too many codes")]
    TooMany {
        /// As many can still be ordered.
        left: u32,
    },
    /// Others order codes of the same template. Nothing was ordered; a repeat may succeed.
    #[error("too much contention")]
    Busy,
    /// The store or the queue failed. A batch may have been ordered; a repeat with the same seed finds it and has it
    /// exported.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

impl OrderCodes {
    /// So many codes of `template`, or everything that is wrong with the wish at once.
    pub fn new(
        template: TemplateId,
        count: u32,
        label: String,
        seed: BatchSeed,
        at: Timestamp,
    ) -> Result<Self, Violations> {
        let (count, label) = both(CodeCount::new(count), Label::new(label))?;
        Ok(Self { template, count, label, seed, at })
    }

    /// The batch that the `n`th draw makes. A repeat draws the same serials in the same order.
    fn draw(&self, n: u32) -> CodeBatch {
        let digest = Sha256::new().chain_update(self.seed.0).chain_update(n.to_be_bytes()).finalize();
        let random = digest.iter().take(16).fold(0, |random, byte| random << 8 | u128::from(*byte));
        let created_ms = u64::try_from(self.at.as_millisecond()).unwrap_or_default();
        CodeBatch {
            id: CodeBatchId::from_parts(created_ms, random),
            template: self.template,
            count: self.count,
            label: self.label.clone(),
            seed: self.seed,
            created_at: self.at,
            exported_at: None,
            disabled_at: None,
        }
    }
}

impl BatchSeed {
    /// For an order that does not name itself.
    pub fn from_random(random: u128) -> Self {
        Self(random.to_be_bytes())
    }

    /// For an order that does: a digest of who orders codes of which template under which idempotency key. What the
    /// caller sent is not kept.
    pub fn from_key(subject: &str, template: TemplateId, idempotency_key: &str) -> Self {
        // A template and a key have no line ends in them, so that no two orders are the same text.
        let digest = Sha256::digest(format!("{template}\n{idempotency_key}\n{subject}"));
        Self(std::array::from_fn(|at| digest.get(at).copied().unwrap_or_default()))
    }

    /// The seed as bytes, for storage.
    pub fn to_bytes(self) -> [u8; 16] {
        self.0
    }

    /// The seed as it was stored.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

/// Both, or everything that is wrong with either.
fn both(
    count: Result<CodeCount, Violation>,
    label: Result<Label, Violation>,
) -> Result<(CodeCount, Label), Violations> {
    let mut wrong = Violations::default();
    for violation in [count.as_ref().err(), label.as_ref().err()].into_iter().flatten() {
        wrong.check(false, *violation);
    }
    match (count, label) {
        (Ok(count), Ok(label)) => Ok((count, label)),
        _ => Err(wrong),
    }
}

/// Orders codes, of which a template never has more than it has coupons: whoever is given a code finds one.
///
/// The codes of a disabled batch still count, since some of them may have been used.
pub async fn order_batch(
    templates: &impl TemplateShelf,
    batches: &impl CodeBatchStore,
    exports: &impl ExportQueue,
    order: &OrderCodes,
) -> Result<Ordered, OrderError> {
    let ordered = add_batch(templates, batches, order).await?;
    if ordered.batch.status() == CodeBatchStatus::Exporting {
        exports.ask(ordered.batch.id).await?;
    }
    Ok(ordered)
}

async fn add_batch(
    templates: &impl TemplateShelf,
    batches: &impl CodeBatchStore,
    order: &OrderCodes,
) -> Result<Ordered, OrderError> {
    let template = templates.template(order.template).await?.ok_or(OrderError::TemplateNotFound)?;
    if template.issue_type != IssueType::Exchange {
        return Err(OrderError::NotExchanged);
    }
    let most = most_codes(&template);
    for n in 0..MAX_DRAWS {
        let batch = order.draw(n);
        match batches.add(&batch, most).await? {
            Added::Added => return Ok(Ordered { batch, replayed: false }),
            Added::SerialTaken(taken) if taken.seed == order.seed => {
                return Ok(Ordered { batch: *taken, replayed: true });
            }
            Added::SerialTaken(_) => {}
            Added::TooMany { ordered } => {
                return Err(OrderError::TooMany { left: most.saturating_sub(ordered) });
            }
            Added::Conflict => return Err(OrderError::Busy),
        }
    }
    Err(OrderError::Busy)
}

/// A total is only ever raised, so that what was read of it is on the safe side.
fn most_codes(template: &Template) -> u32 {
    match &template.stock {
        Stock::Unlimited => MAX_CODES,
        Stock::Limited(stock) => stock.total.min(MAX_CODES),
    }
}

/// Refuses every code of a batch of `template` from now on, for good. `None` where there is no such batch.
pub async fn revoke_batch(
    batches: &impl CodeBatchStore,
    template: TemplateId,
    id: CodeBatchId,
    at: Timestamp,
) -> Result<Option<CodeBatch>, StoreError> {
    let batch = batches.batch(id.into()).await?;
    match batch.filter(|batch| batch.id == id && batch.template == template) {
        Some(batch) => batches.disable(batch.serial(), at).await,
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use domain_coupon::TemplateStatus;

    use super::*;
    use crate::fixtures::{Batches, NOW, Queue, Templates, template, template_id};

    fn order(count: u32, seed: u128) -> OrderCodes {
        let seed = BatchSeed::from_random(seed);
        OrderCodes::new(template_id(1), count, "双十一".into(), seed, NOW).unwrap()
    }

    async fn ordered(batches: &Batches, order: &OrderCodes) -> Result<Ordered, OrderError> {
        order_batch(&Templates(template(1_000)), batches, &Queue::default(), order).await
    }

    #[tokio::test]
    async fn orders_with_one_seed_are_one_batch() {
        let batches = Batches::default();
        let first = ordered(&batches, &order(10, 1)).await.unwrap();
        assert!(!first.replayed);
        let later = OrderCodes { at: NOW + jiff::SignedDuration::from_hours(1), ..order(10, 1) };
        let repeat = ordered(&batches, &later).await.unwrap();
        assert_eq!(repeat, Ordered { batch: first.batch.clone(), replayed: true });
        assert_ne!(ordered(&batches, &order(10, 2)).await.unwrap().batch.id, first.batch.id);
        assert_eq!(batches.ordered(), 20);
    }

    #[tokio::test]
    async fn an_order_whose_answer_was_lost_is_found_by_its_repeat() {
        let batches = Batches::losing_an_answer();
        assert!(matches!(ordered(&batches, &order(10, 1)).await, Err(OrderError::Store(_))));
        assert!(ordered(&batches, &order(10, 1)).await.unwrap().replayed);
        assert_eq!(batches.ordered(), 10);
    }

    #[tokio::test]
    async fn a_batch_is_exported_also_when_asking_for_it_failed_at_first() {
        let (batches, queue) = (Batches::default(), Queue::default());
        let place = async |queue: &Queue| {
            order_batch(&Templates(template(1_000)), &batches, queue, &order(1, 1)).await
        };
        assert!(matches!(place(&Queue::broken()).await, Err(OrderError::Store(_))));
        let repeat = place(&queue).await.unwrap();
        assert!(repeat.replayed);
        assert_eq!(queue.asked(), [repeat.batch.id]);

        batches.mark_exported(repeat.batch.serial(), NOW).await.unwrap();
        place(&queue).await.unwrap();
        assert_eq!(queue.asked().len(), 1, "it is there already");
    }

    #[tokio::test]
    async fn a_serial_that_is_taken_is_drawn_again() {
        let batches = Batches::default();
        let mut rival = order(1, 7).draw(0);
        rival.seed = BatchSeed::from_random(8);
        batches.add(&rival, 9).await.unwrap();
        let first = ordered(&batches, &order(1, 7)).await.unwrap();
        assert_ne!(first.batch.serial(), rival.serial());
        let repeat = ordered(&batches, &order(1, 7)).await.unwrap();
        assert!(repeat.replayed && repeat.batch == first.batch);
    }

    #[tokio::test]
    async fn a_template_never_has_more_codes_than_coupons() {
        let batches = Batches::default();
        ordered(&batches, &order(900, 1)).await.unwrap();
        let refused = ordered(&batches, &order(101, 2)).await;
        assert!(matches!(refused, Err(OrderError::TooMany { left: 100 })), "{refused:?}");
        ordered(&batches, &order(100, 3)).await.unwrap();
        let repeat = ordered(&batches, &order(100, 3)).await.unwrap();
        assert!(repeat.replayed, "a repeat needs no room");

        let unlimited = Template { stock: Stock::Unlimited, ..template(1) };
        assert_eq!(most_codes(&unlimited), MAX_CODES);
        assert_eq!(most_codes(&template(MAX_CODES + 1)), MAX_CODES);
    }

    #[tokio::test]
    async fn codes_need_a_template_that_is_exchanged() {
        let order = order(1, 1);
        let manual = Template { issue_type: IssueType::Manual, ..template(1) };
        let refused = order_batch(&Templates(manual), &Batches::default(), &Queue::default(), &order).await;
        assert!(matches!(refused, Err(OrderError::NotExchanged)), "{refused:?}");
        let elsewhere = Template { id: template_id(2), ..template(1) };
        let refused =
            order_batch(&Templates(elsewhere), &Batches::default(), &Queue::default(), &order).await;
        assert!(matches!(refused, Err(OrderError::TemplateNotFound)), "{refused:?}");
        let paused = Template { status: TemplateStatus::Paused, ..template(1) };
        assert!(
            order_batch(&Templates(paused), &Batches::default(), &Queue::default(), &order).await.is_ok()
        );
    }

    #[tokio::test]
    async fn a_batch_is_revoked_once_and_for_all() {
        let batches = Batches::default();
        let id = ordered(&batches, &order(1, 1)).await.unwrap().batch.id;
        let revoked = revoke_batch(&batches, template_id(1), id, NOW).await.unwrap().unwrap();
        assert_eq!(revoked.disabled_at, Some(NOW));
        let later = NOW + jiff::SignedDuration::from_hours(1);
        assert_eq!(revoke_batch(&batches, template_id(1), id, later).await.unwrap(), Some(revoked));
        assert_eq!(
            revoke_batch(&batches, template_id(2), id, NOW).await.unwrap(),
            None,
            "of another template"
        );
        let namesake = CodeBatchId::from_parts(1, u128::from(crate::Serial::from(id)));
        assert_eq!(revoke_batch(&batches, template_id(1), namesake, NOW).await.unwrap(), None);
    }

    #[test]
    fn the_seed_of_a_key_belongs_to_one_caller_and_one_template() {
        let seed = BatchSeed::from_key("ann", template_id(1), "k");
        assert_eq!(seed, BatchSeed::from_key("ann", template_id(1), "k"));
        for other in [
            BatchSeed::from_key("bob", template_id(1), "k"),
            BatchSeed::from_key("ann", template_id(2), "k"),
            BatchSeed::from_key("ann", template_id(1), "l"),
        ] {
            assert_ne!(seed, other);
        }
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        let wrong = OrderCodes::new(template_id(1), 0, String::new(), BatchSeed::from_random(1), NOW);
        let fields: Vec<_> = wrong.unwrap_err().iter().map(|violation| violation.field).collect();
        assert_eq!(fields, ["count", "label"]);
    }
}
