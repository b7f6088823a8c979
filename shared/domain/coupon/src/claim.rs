//! Claiming a coupon: never one too many, never one too few.

use std::{sync::Arc, time::Duration};

use domain_ids::{CampaignId, CodeBatchId, CouponId, GuestId, Nth, TemplateId};
use jiff::{SignedDuration, Timestamp};

use crate::{
    ClaimKey, Coupon, CouponCode, CouponState, IssueMode, IssueType, RefillStore, SaleMemory, Shard,
    ShardSearch, Source, Step, Stock, StoreError, Template, TemplateStatus, refill,
};

/// Times a claim starts over because the stock changed under it.
const MAX_ROUNDS: u32 = 3;

/// A top-up that is unfinished for longer than any function runs was left behind by a crash: whoever needs the
/// stock finishes it.
const REFILL_ABANDONED_AFTER: SignedDuration = SignedDuration::from_secs(10);

/// A claim that found nothing looks at the template again if it was read longer ago: another may have found out
/// meanwhile that everything is gone. Shorter would tell fewer guests to try again, but 500 environments would read
/// the template more often than its partition's 3,000 times a second.
const FRESH: SignedDuration = SignedDuration::from_millis(250);

/// An environment whose claims have found nothing for so long, while nobody noted that everything is gone, finds out
/// itself. It is what a guest who is told to try again waits.
const STALLED_TOO_LONG: SignedDuration = SignedDuration::from_secs(1);

/// A guest's wish for one coupon of a template.
#[derive(Debug, Clone)]
pub struct ClaimCoupon {
    /// Who claims.
    pub guest: GuestId,
    /// What is claimed.
    pub template: TemplateId,
    /// Which way it is claimed; a template is open to one or two of them.
    pub source: Source,
    /// The campaign it is claimed through.
    pub campaign: Option<CampaignId>,
    /// The exchange code it is claimed with, which is good for one coupon.
    pub exchange: Option<CodeUse>,
    /// Recognises repeats, where the caller named the request.
    pub key: Option<ClaimKey>,
    /// The code of the coupon, should one be issued.
    pub code: CouponCode,
    /// Now.
    pub at: Timestamp,
    /// Seeds the choice of shards and the jitter.
    pub seed: u64,
}

/// An exchange code, as what it is known by: its batch and its number therein.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodeUse {
    /// The batch it was made in.
    pub batch: CodeBatchId,
    /// Which of the batch.
    pub index: u32,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// The coupon the guest holds now.
    pub coupon: Coupon,
    /// The coupon was issued by an earlier request with the same key.
    pub replayed: bool,
    /// Transactions that conflicted on the way.
    pub conflicts: u32,
}

/// Why no coupon was issued.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// There is no such template.
    #[error("no such template")]
    TemplateNotFound,
    /// Coupons of this template reach guests another way.
    #[error("coupons of this template are not issued this way")]
    NotClaimable,
    /// Coupons of this template are claimed through the queue.
    #[error("coupons of this template are claimed through the queue")]
    QueueOnly,
    /// Coupons of this template are claimed through their campaign.
    #[error("coupons of this template are claimed through a campaign")]
    CampaignOnly,
    /// The exchange code was used before.
    #[error("the exchange code was used")]
    CodeUsed,
    /// Too early.
    #[error("the sale has not started")]
    NotStarted(Window),
    /// Too late.
    #[error("the sale has ended")]
    Ended(Window),
    /// An operator has paused the sale.
    #[error("the sale is paused")]
    Paused(Window),
    /// Nothing is left: every shard was seen empty.
    #[error("sold out")]
    SoldOut,
    /// The guest holds as many as one guest may.
    #[error("the guest holds as many coupons as allowed")]
    LimitReached {
        /// The coupons the guest holds, oldest first.
        held: Vec<CouponId>,
    },
    /// Too many conflicts, or a top-up is under way. Nothing was issued; a repeat may succeed.
    #[error("too much contention")]
    Busy,
    /// The store refuses more work for now. Nothing was issued; a repeat may succeed.
    #[error("the store is throttling")]
    Throttled,
    /// The store failed. A coupon may have been issued; a repeat will find it.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

/// When a sale runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The first instant.
    pub starts_at: Timestamp,
    /// The first instant after.
    pub ends_at: Timestamp,
}

/// What became of the attempt to write a coupon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Issue {
    /// It was written, and one unit was taken from the shard, in one step.
    Issued,
    /// The guest already holds a coupon with that ordinal; nothing was written.
    Held(Box<Coupon>),
    /// The exchange code was used before; nothing was written.
    CodeUsed,
    /// The shard has nothing left; nothing was written.
    ShardEmpty,
    /// Another transaction was in the way; nothing was written.
    Conflict,
    /// The store refused more work for now; nothing was written.
    Throttled,
}

/// Where claims are recorded.
pub trait ClaimStore: RefillStore {
    /// The template as it is now (not an older copy).
    fn template(&self, id: TemplateId) -> impl Future<Output = Result<Option<Template>, StoreError>> + Send;

    /// The coupons of `template` that `guest` holds now, by ordinal. At most the per-user limit of them.
    fn held(
        &self,
        guest: &GuestId,
        template: TemplateId,
    ) -> impl Future<Output = Result<Vec<Coupon>, StoreError>> + Send;

    /// Writes the coupon if its key is free, takes one unit from `shard` (none where the stock is unlimited) if it has
    /// one, and uses up the exchange code if it is unused: all or nothing.
    fn issue(
        &self,
        coupon: &Coupon,
        shard: Option<Shard>,
        exchange: Option<CodeUse>,
    ) -> impl Future<Output = Result<Issue, StoreError>> + Send;

    /// Which of `shards` have something left now. At most [`crate::SHARDS_PER_READ`] are asked for.
    fn open_shards(
        &self,
        template: TemplateId,
        shards: &[Shard],
    ) -> impl Future<Output = Result<Vec<Shard>, StoreError>> + Send;

    /// Notes on the template that every shard was seen empty in `epoch`; does nothing if the epoch has passed.
    fn mark_sold_out(
        &self,
        template: TemplateId,
        epoch: u64,
        at: Timestamp,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Waits: the domain has no timer of its own.
    fn wait(&self, delay: Duration) -> impl Future<Output = ()> + Send;
}

/// Issues one coupon to a guest, or says why not.
///
/// A repeat with the same key returns the coupon of the first request, also after the sale. Of several requests
/// at once with one key, one issues and the others return its coupon.
pub async fn claim(
    store: &impl ClaimStore,
    memory: &SaleMemory,
    command: &ClaimCoupon,
) -> Result<Claimed, ClaimError> {
    for _ in 0..MAX_ROUNDS {
        let template = match memory.recall(command.template, command.at) {
            Some(known) => known,
            None => refresh(store, memory, command).await?,
        };
        let template = template.ok_or(ClaimError::TemplateNotFound)?;
        if let Some(refusal) = refusal(&template, command) {
            return replay(store, command).await?.ok_or(refusal);
        }
        match claim_from(store, memory, command, &template).await {
            Ok(Some(claimed)) => return Ok(claimed),
            Ok(None) => {}
            // Where every shard is known to be empty no transaction was tried, which would have met the first one's.
            Err(ClaimError::SoldOut) => return replay(store, command).await?.ok_or(ClaimError::SoldOut),
            Err(error) => return Err(error),
        }
    }
    Err(ClaimError::Busy)
}

/// Why the template, as it is known, refuses every claim: costs no read and no write.
pub(crate) fn refusal(template: &Template, command: &ClaimCoupon) -> Option<ClaimError> {
    if let Err(refusal) = template.admits(command.source, command.campaign, command.at) {
        return Some(refusal);
    }
    let sold_out = |stock: &crate::LimitedStock| stock.sold_out_at.is_some() && !stock.refilling;
    matches!(&template.stock, Stock::Limited(stock) if sold_out(stock)).then_some(ClaimError::SoldOut)
}

impl Template {
    /// Whether its coupons are issued this way, through `campaign` if through any, and at `now`. Its stock, which may be
    /// sold out, and the guest's limit are not looked at.
    pub fn admits(
        &self,
        source: Source,
        campaign: Option<CampaignId>,
        now: Timestamp,
    ) -> Result<(), ClaimError> {
        self.is_open_to(source, campaign)?;
        let window = Window { starts_at: self.starts_at, ends_at: self.ends_at };
        if now >= self.ends_at {
            Err(ClaimError::Ended(window))
        } else if self.status == TemplateStatus::Paused {
            Err(ClaimError::Paused(window))
        } else if now < self.starts_at {
            Err(ClaimError::NotStarted(window))
        } else {
            Ok(())
        }
    }

    /// Operators may grant what guests may claim.
    fn is_open_to(&self, source: Source, campaign: Option<CampaignId>) -> Result<(), ClaimError> {
        match (source, self.issue_type) {
            (Source::Claim | Source::Queue, IssueType::Manual) => {
                if self.campaign != campaign {
                    Err(ClaimError::CampaignOnly)
                } else if source == Source::Claim && self.issue_mode == IssueMode::Queued {
                    Err(ClaimError::QueueOnly)
                } else {
                    Ok(())
                }
            }
            (Source::Grant, IssueType::Manual | IssueType::Auto)
            | (Source::Auto, IssueType::Auto)
            | (Source::Exchange, IssueType::Exchange) => Ok(()),
            (Source::Claim | Source::Queue | Source::Grant | Source::Auto | Source::Exchange, _) => {
                Err(ClaimError::NotClaimable)
            }
        }
    }
}

/// The coupon of an earlier request with the same key. Without a key there is nothing to look for.
pub async fn replay(store: &impl ClaimStore, command: &ClaimCoupon) -> Result<Option<Claimed>, StoreError> {
    let Some(key) = command.key else { return Ok(None) };
    let held = store.held(&command.guest, command.template).await?;
    let first = held.into_iter().find(|coupon| coupon.key == Some(key));
    Ok(first.map(|coupon| Claimed { coupon, replayed: true, conflicts: 0 }))
}

pub(crate) async fn refresh(
    store: &impl ClaimStore,
    memory: &SaleMemory,
    command: &ClaimCoupon,
) -> Result<Option<Arc<Template>>, StoreError> {
    let template = store.template(command.template).await?.map(Arc::new);
    memory.learn(command.template, template.clone(), command.at);
    Ok(template)
}

/// `None` when the stock changed underneath and the claim has to start over.
async fn claim_from(
    store: &impl ClaimStore,
    memory: &SaleMemory,
    command: &ClaimCoupon,
    template: &Arc<Template>,
) -> Result<Option<Claimed>, ClaimError> {
    let mut holding = Holding::new(store, command, template).await?;
    let known_empty = memory.empty_shards(template);
    let mut search = ShardSearch::new(&template.stock, &command.guest, known_empty, command.seed);
    let mut throttled = false;

    loop {
        if let Some(settled) = holding.settled(command, search.conflicts()) {
            return Ok(Some(settled));
        }
        let nth = holding.next(template)?;
        match search.step() {
            Step::Try { shard, after } => {
                if !after.is_zero() {
                    store.wait(after).await;
                }
                let coupon = new_coupon(command, template, nth);
                let issue = store.issue(&coupon, shard, command.exchange).await?;
                throttled = issue == Issue::Throttled;
                match issue {
                    Issue::Issued => {
                        let conflicts = search.conflicts();
                        return Ok(Some(Claimed { coupon, replayed: false, conflicts }));
                    }
                    Issue::Held(held) => holding.add(*held),
                    Issue::CodeUsed => return Err(ClaimError::CodeUsed),
                    Issue::ShardEmpty => {
                        if let Some(shard) = shard {
                            search.found_empty(shard);
                            memory.learn_empty(template, search.known_empty());
                        }
                    }
                    Issue::Conflict | Issue::Throttled => search.conflicted(),
                }
            }
            Step::Read(shards) => {
                let open = store.open_shards(template.id, &shards).await?;
                search.read(&shards, &open);
                memory.learn_empty(template, search.known_empty());
            }
            Step::Stalled { drawn } => {
                if !memory.is_fresh(template.id, command.at, FRESH)
                    && refresh(store, memory, command).await?.as_ref() != Some(template)
                {
                    return Ok(None);
                }
                if !drawn && memory.stalled_for(template, command.at) < STALLED_TOO_LONG {
                    return Err(ClaimError::Busy);
                }
                search.sweep();
            }
            Step::Exhausted => {
                return confirm_sold_out(store, memory, command, template).await;
            }
            Step::GiveUp => {
                return Err(if throttled { ClaimError::Throttled } else { ClaimError::Busy });
            }
        }
    }
}

/// Every shard was seen empty at some moment of the epoch. Within an epoch an empty shard stays empty, so if the
/// epoch still lasts now, all of them are empty now.
async fn confirm_sold_out(
    store: &impl ClaimStore,
    memory: &SaleMemory,
    command: &ClaimCoupon,
    seen: &Template,
) -> Result<Option<Claimed>, ClaimError> {
    let Some(current) = refresh(store, memory, command).await? else {
        return Err(ClaimError::TemplateNotFound);
    };
    let (Stock::Limited(before), Stock::Limited(now)) = (&seen.stock, &current.stock) else {
        return Ok(None);
    };
    if now.refilling {
        if command.at.duration_since(current.updated_at) > REFILL_ABANDONED_AFTER {
            refill::adopt(store, &current, command.at).await?;
            refresh(store, memory, command).await?;
            return Ok(None);
        }
        return Err(ClaimError::Busy);
    }
    if now.epoch != before.epoch {
        return Ok(None);
    }
    if now.sold_out_at.is_none() {
        store.mark_sold_out(current.id, now.epoch, command.at).await?;
        refresh(store, memory, command).await?;
    }
    Err(ClaimError::SoldOut)
}

/// The coupons of the template that the guest is known to hold.
struct Holding {
    coupons: Vec<Coupon>,
}

impl Holding {
    /// Where a guest may hold only one, nothing is read: the write itself finds out.
    async fn new(
        store: &impl ClaimStore,
        command: &ClaimCoupon,
        template: &Template,
    ) -> Result<Self, StoreError> {
        let coupons = if template.per_user_limit == 1 {
            Vec::new()
        } else {
            store.held(&command.guest, command.template).await?
        };
        Ok(Self { coupons })
    }

    fn add(&mut self, coupon: Coupon) {
        self.coupons.push(coupon);
    }

    /// The coupon of an earlier request with the same key, or of this one: its code tells that an earlier attempt,
    /// whose answer was lost, did write.
    fn settled(&self, command: &ClaimCoupon, conflicts: u32) -> Option<Claimed> {
        let is_own = |coupon: &&Coupon| coupon.code == command.code;
        let is_repeat = |coupon: &&Coupon| command.key.is_some() && coupon.key == command.key;
        let own = self.coupons.iter().find(is_own);
        let coupon = own.or_else(|| self.coupons.iter().find(is_repeat))?.clone();
        let replayed = own.is_none();
        Some(Claimed { coupon, replayed, conflicts: if replayed { 0 } else { conflicts } })
    }

    /// The lowest free ordinal. Ordinals are taken from 1 up without a gap and never given back, so that two
    /// requests with one key always meet at the same one.
    fn next(&self, template: &Template) -> Result<Nth, ClaimError> {
        (1..=template.per_user_limit)
            .filter_map(Nth::new)
            .find(|&nth| self.coupons.iter().all(|coupon| coupon.nth() != nth))
            .ok_or_else(|| ClaimError::LimitReached {
                held: self.coupons.iter().map(|coupon| coupon.id).collect(),
            })
    }
}

pub(crate) fn new_coupon(command: &ClaimCoupon, template: &Template, nth: Nth) -> Coupon {
    Coupon {
        id: CouponId::new(&command.guest, template.id, nth),
        guest: command.guest.clone(),
        code: command.code,
        terms: template.terms.clone(),
        state: CouponState::Unused,
        revision: 1,
        source: command.source,
        claimed_at: command.at,
        changed_at: command.at,
        expires_at: template.expiry(command.at),
        restock: template.restock,
        key: command.key,
    }
}
