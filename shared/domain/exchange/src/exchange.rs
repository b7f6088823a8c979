//! Exchanging a code for a coupon.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use domain_coupon::{
    ClaimCoupon, ClaimError, ClaimKey, ClaimStore, Claimed, CodeUse, CouponCode, SaleMemory, Source,
    StoreError, claim,
};
use domain_ids::GuestId;
use jiff::{SignedDuration, Timestamp};

use crate::{CodeBatch, CodeBatchLookup, ExchangeCode, ExchangeKey, GenuineCode, Serial};

/// How long a batch is believed without looking again: its codes are refused that long after it was disabled.
pub const BATCH_REMEMBERED_FOR: SignedDuration = SignedDuration::from_secs(2);

/// Batches remembered at once; far more than are exchanged at once.
const MAX_BATCHES: usize = 256;

/// A guest's wish to exchange a code.
#[derive(Debug, Clone)]
pub struct ExchangeCoupon {
    /// Who, from where.
    pub guesser: Guesser,
    /// What was typed in; `None` for what does not read like a code.
    pub code: Option<ExchangeCode>,
    /// The code of the coupon, should one be issued.
    pub coupon: CouponCode,
    /// Now.
    pub at: Timestamp,
    /// Seeds the choice of shards and the jitter.
    pub seed: u64,
}

/// Who may be guessing codes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guesser {
    /// The guest.
    pub guest: GuestId,
    /// Where the request came from.
    pub ip: Option<IpAddr>,
}

/// Where codes that were not genuine are counted.
pub trait Guesses: Sync {
    /// How long the guesser must not try, after too many; counts nothing.
    fn barred(
        &self,
        guesser: &Guesser,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<Duration>, StoreError>> + Send;

    /// Counts one more; how long the guesser must not try, where it was one too many.
    fn count(
        &self,
        guesser: &Guesser,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<Duration>, StoreError>> + Send;
}

/// What exchanging takes.
#[derive(Debug)]
pub struct ExchangeDesk<C, B, G> {
    /// Where coupons are claimed.
    pub claims: C,
    /// Where batches are looked up.
    pub batches: B,
    /// Where guesses are counted.
    pub guesses: G,
    /// What codes are checked with.
    pub key: ExchangeKey,
    /// What is remembered of the sales.
    pub sales: SaleMemory,
    /// What is remembered of the batches.
    pub memory: BatchMemory,
}

/// Why no coupon was issued.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// There is no such code. Why not is nobody's business.
    #[error("no such code")]
    InvalidCode,
    /// The guest, or somebody at the same address, has tried too many codes that are not genuine.
    #[error("too many guesses")]
    TooManyGuesses {
        /// For how long nothing is looked at.
        retry_after: Duration,
    },
    /// The code is genuine, and revoked.
    #[error("the code is revoked")]
    Disabled,
    /// The code is genuine; the claim says no.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// A batch or the guesses could not be looked up. Nothing was issued.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

/// Issues the coupon of a code to a guest, once, or says why not.
///
/// A repeat by the same guest returns the coupon of the first request, also after the sale, and after the code was
/// revoked. Only codes that are not genuine are counted against a guest; after too many of them, genuine ones are
/// refused as well, since otherwise guessing could just go on.
pub async fn exchange<C: ClaimStore, B: CodeBatchLookup, G: Guesses>(
    desk: &ExchangeDesk<C, B, G>,
    command: &ExchangeCoupon,
) -> Result<Claimed, ExchangeError> {
    let ExchangeDesk { claims, guesses, .. } = desk;
    let genuine = command.code.and_then(|code| desk.key.verify(&code));
    let Some((code, batch)) = known(&desk.batches, &desk.memory, genuine, command.at).await? else {
        return Err(match guesses.count(&command.guesser, command.at).await? {
            None => ExchangeError::InvalidCode,
            Some(retry_after) => ExchangeError::TooManyGuesses { retry_after },
        });
    };
    if let Some(retry_after) = guesses.barred(&command.guesser, command.at).await? {
        return Err(ExchangeError::TooManyGuesses { retry_after });
    }
    let claim_coupon = claim_of(command, code, &batch);
    if batch.disabled_at.is_some() {
        return held(claims, &claim_coupon).await?.ok_or(ExchangeError::Disabled);
    }
    Ok(claim(claims, &desk.sales, &claim_coupon).await?)
}

/// The batch of a genuine code. There is always one, unless the table was set back to an earlier day.
async fn known(
    batches: &impl CodeBatchLookup,
    memory: &BatchMemory,
    genuine: Option<GenuineCode>,
    now: Timestamp,
) -> Result<Option<(GenuineCode, Arc<CodeBatch>)>, StoreError> {
    let Some(code) = genuine else { return Ok(None) };
    let batch = match memory.recall(code.serial, now) {
        Some(batch) => Some(batch),
        None => batches.batch(code.serial).await?.map(|batch| memory.learn(batch, now)),
    };
    Ok(batch.filter(|batch| code.index < batch.count.get()).map(|batch| (code, batch)))
}

fn claim_of(command: &ExchangeCoupon, code: GenuineCode, batch: &CodeBatch) -> ClaimCoupon {
    let guest = command.guesser.guest.clone();
    let key = format!("code:{}:{}", batch.id, code.index);
    ClaimCoupon {
        template: batch.template,
        source: Source::Exchange,
        campaign: None,
        exchange: Some(CodeUse { batch: batch.id, index: code.index }),
        key: Some(ClaimKey::new(&guest, batch.template, &key)),
        guest,
        code: command.coupon,
        at: command.at,
        seed: command.seed,
    }
}

/// The coupon that the guest got for the code before it was revoked.
async fn held(claims: &impl ClaimStore, command: &ClaimCoupon) -> Result<Option<Claimed>, StoreError> {
    let held = claims.held(&command.guest, command.template).await?;
    let first = held.into_iter().find(|coupon| coupon.key == command.key);
    Ok(first.map(|coupon| Claimed { coupon, replayed: true, conflicts: 0 }))
}

/// What one execution environment remembers of batches, for [`BATCH_REMEMBERED_FOR`].
#[derive(Debug, Default)]
pub struct BatchMemory(Mutex<HashMap<Serial, (Arc<CodeBatch>, Timestamp)>>);

impl BatchMemory {
    fn recall(&self, serial: Serial, now: Timestamp) -> Option<Arc<CodeBatch>> {
        let entries = self.entries();
        let (batch, read_at) = entries.get(&serial)?;
        let age = now.duration_since(*read_at);
        (SignedDuration::ZERO..BATCH_REMEMBERED_FOR).contains(&age).then(|| Arc::clone(batch))
    }

    fn learn(&self, batch: CodeBatch, now: Timestamp) -> Arc<CodeBatch> {
        let batch = Arc::new(batch);
        let mut entries = self.entries();
        if entries.len() >= MAX_BATCHES {
            entries.clear();
        }
        entries.insert(batch.serial(), (Arc::clone(&batch), now));
        batch
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<Serial, (Arc<CodeBatch>, Timestamp)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{NOW, batch};

    #[test]
    fn a_batch_is_forgotten_after_the_interval() {
        let memory = BatchMemory::default();
        let batch = memory.learn(batch(1), NOW);
        let just_before = NOW + BATCH_REMEMBERED_FOR - SignedDuration::from_millis(1);
        assert_eq!(memory.recall(batch.serial(), just_before), Some(Arc::clone(&batch)));
        assert_eq!(memory.recall(batch.serial(), NOW + BATCH_REMEMBERED_FOR), None);
        assert_eq!(
            memory.recall(batch.serial(), NOW - SignedDuration::from_secs(1)),
            None,
            "a clock set back"
        );
    }

    #[test]
    fn the_memory_is_bounded() {
        let memory = BatchMemory::default();
        for n in 0..1_000 {
            memory.learn(batch(n), NOW);
        }
        assert!(memory.entries().len() <= MAX_BATCHES);
    }
}
