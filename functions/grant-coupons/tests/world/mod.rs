//! What grants work on: a table in this process, and files, a queue and a directory in memory, all of which may fail.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
    ops::Range,
    sync::Mutex,
    time::Duration,
};

use coupon_dynamodb::CouponTable;
use domain_coupon::{
    BatchClaimStore, BatchIssue, ClaimStore, CodeUse, Coupon, Issue, RefillStore, Shard, StoreError, Template,
};
use domain_grant::{
    Chunk, Failure, FileError, Grant, GrantBook, GrantShelf, GuestPage, JobFiles, ListError, Outcome, Part,
    Reason, Refusal, Segment, Segments, Work, WorkQueue,
};
use domain_ids::{GrantId, GuestId, TemplateId};
use grant_dynamodb::GrantTable;
use jiff::Timestamp;

/// Strikes some calls before they are made, and some after, so that only their answer is lost.
#[derive(Debug)]
pub struct Chaos(Mutex<(fastrand::Rng, u32)>);

impl Chaos {
    /// Strikes about a tenth of all calls, half of them before and half after, until it has struck so often.
    pub fn new(strikes: u32, seed: u64) -> Self {
        Self(Mutex::new((fastrand::Rng::with_seed(seed), strikes)))
    }

    /// Lets everything succeed from now on.
    pub fn end(&self) {
        self.0.lock().unwrap().1 = 0;
    }

    fn strikes(&self) -> Result<(), StoreError> {
        let (rng, left) = &mut *self.0.lock().unwrap();
        if *left > 0 && rng.u8(..20) == 0 {
            *left -= 1;
            return Err(StoreError::Unavailable("injected".into()));
        }
        Ok(())
    }

    async fn around<T, E: From<StoreError>>(&self, call: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        self.strikes()?;
        let answer = call.await?;
        self.strikes()?;
        Ok(answer)
    }
}

/// A store whose calls may fail.
#[derive(Debug)]
pub struct Shaky<'a, T> {
    pub store: T,
    pub chaos: &'a Chaos,
}

impl GrantShelf for Shaky<'_, GrantTable> {
    async fn grant(&self, id: GrantId) -> Result<Option<Grant>, StoreError> {
        self.chaos.around(self.store.grant(id)).await
    }

    async fn chunks(&self, id: GrantId) -> Result<Vec<Chunk>, StoreError> {
        self.chaos.around(self.store.chunks(id)).await
    }
}

impl GrantBook for Shaky<'_, GrantTable> {
    async fn chunk(&self, id: GrantId, number: u32) -> Result<Option<Chunk>, StoreError> {
        self.chaos.around(self.store.chunk(id, number)).await
    }

    async fn planned(&self, id: GrantId, at: Timestamp) -> Result<(), StoreError> {
        self.chaos.around(self.store.planned(id, at)).await
    }

    async fn add_part(
        &self,
        id: GrantId,
        number: u32,
        part: &Part,
        listed_to: Option<&str>,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        self.chaos.around(self.store.add_part(id, number, part, listed_to, at)).await
    }

    async fn finish(
        &self,
        id: GrantId,
        number: u32,
        outcome: &Outcome,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        self.chaos.around(self.store.finish(id, number, outcome, at)).await
    }

    async fn fail(&self, id: GrantId, failure: Failure, at: Timestamp) -> Result<(), StoreError> {
        self.chaos.around(self.store.fail(id, failure, at)).await
    }
}

impl RefillStore for Shaky<'_, CouponTable> {
    async fn raise_shards(&self, template: &Template) -> Result<(), StoreError> {
        self.chaos.around(self.store.raise_shards(template)).await
    }

    async fn replace(&self, template: &Template, expected: u64) -> Result<bool, StoreError> {
        self.chaos.around(self.store.replace(template, expected)).await
    }
}

impl ClaimStore for Shaky<'_, CouponTable> {
    async fn template(&self, id: TemplateId) -> Result<Option<Template>, StoreError> {
        self.chaos.around(ClaimStore::template(&self.store, id)).await
    }

    async fn held(&self, guest: &GuestId, template: TemplateId) -> Result<Vec<Coupon>, StoreError> {
        self.chaos.around(self.store.held(guest, template)).await
    }

    async fn issue(
        &self,
        coupon: &Coupon,
        shard: Option<Shard>,
        exchange: Option<CodeUse>,
    ) -> Result<Issue, StoreError> {
        self.chaos.around(self.store.issue(coupon, shard, exchange)).await
    }

    async fn open_shards(&self, template: TemplateId, shards: &[Shard]) -> Result<Vec<Shard>, StoreError> {
        self.chaos.around(self.store.open_shards(template, shards)).await
    }

    async fn mark_sold_out(&self, template: TemplateId, epoch: u64, at: Timestamp) -> Result<(), StoreError> {
        self.chaos.around(self.store.mark_sold_out(template, epoch, at)).await
    }

    async fn wait(&self, _: Duration) {
        tokio::task::yield_now().await;
    }
}

impl BatchClaimStore for Shaky<'_, CouponTable> {
    async fn issue_batch(
        &self,
        coupons: &[Coupon],
        shard: Shard,
        capacity: u32,
    ) -> Result<BatchIssue, StoreError> {
        self.chaos.around(self.store.issue_batch(coupons, shard, capacity)).await
    }
}

/// Files and reports in memory.
#[derive(Debug, Default)]
pub struct Files {
    pub files: Mutex<BTreeMap<String, Vec<u8>>>,
    reports: Mutex<BTreeMap<String, Vec<Refusal>>>,
}

impl Files {
    pub fn put(&self, key: &str, content: &[u8]) -> String {
        self.files.lock().unwrap().insert(key.into(), content.into());
        digest(content)
    }

    fn bytes(&self, key: &str, tag: Option<&str>, range: Range<u64>) -> Result<Vec<u8>, FileError> {
        let files = self.files.lock().unwrap();
        let file = files.get(key).ok_or(FileError::Missing)?;
        if tag.is_some_and(|tag| tag != digest(file)) {
            return Err(FileError::Changed);
        }
        let end = file.len().min(range.end as usize);
        Ok(file[range.start as usize..end].to_vec())
    }
}

impl JobFiles for Shaky<'_, Files> {
    async fn read(&self, key: &str, tag: Option<&str>, range: Range<u64>) -> Result<Vec<u8>, FileError> {
        self.chaos.around(async { self.store.bytes(key, tag, range) }).await
    }

    async fn write_part(&self, id: GrantId, number: u32, guests: &[GuestId]) -> Result<Part, StoreError> {
        let lines: Vec<String> = guests.iter().map(|guest| format!("{guest}\n")).collect();
        let content = lines.concat();
        let file = format!("grants/{id}/part-{number}-{}", digest(&content));
        let write = async {
            self.store.put(&file, content.as_bytes());
            Ok(Part { bytes: content.len() as u64, file: file.clone() })
        };
        self.chaos.around(write).await
    }

    async fn write_report(
        &self,
        id: GrantId,
        number: u32,
        refusals: &[Refusal],
    ) -> Result<String, StoreError> {
        let key: Vec<(u32, &str)> = refusals.iter().map(|row| (row.line, row.reason.as_str())).collect();
        let file = format!("grants/{id}/chunk-{number}-{}", digest(&key));
        let write = async {
            self.store.reports.lock().unwrap().insert(file.clone(), refusals.to_vec());
            Ok(file.clone())
        };
        self.chaos.around(write).await
    }

    async fn read_report(&self, file: &str) -> Result<Vec<Refusal>, FileError> {
        let read = async { self.store.reports.lock().unwrap().get(file).cloned().ok_or(FileError::Missing) };
        self.chaos.around(read).await
    }
}

fn digest(content: &(impl Hash + ?Sized)) -> String {
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    hasher.finish().to_string()
}

/// Work that waits.
#[derive(Debug, Default)]
pub struct Queue(pub Mutex<Vec<Work>>);

impl WorkQueue for Shaky<'_, &Queue> {
    async fn send(&self, work: &[Work]) -> Result<(), StoreError> {
        let send = async {
            self.store.0.lock().unwrap().extend_from_slice(work);
            Ok(())
        };
        self.chaos.around(send).await
    }
}

/// Guests, some to a page. Tokens are places.
#[derive(Debug, Default)]
pub struct Directory {
    pub guests: Vec<GuestId>,
    pub per_page: usize,
}

impl Segments for Shaky<'_, Directory> {
    async fn page(&self, segment: &Segment, token: Option<&str>) -> Result<GuestPage, ListError> {
        let list = async {
            if matches!(segment, Segment::Group(_)) {
                return Err(ListError::Refused("no such group".into()));
            }
            let from = token.map_or(0, |token| token.parse().unwrap());
            let to = self.store.guests.len().min(from + self.store.per_page);
            let next = (to < self.store.guests.len()).then(|| to.to_string());
            Ok(GuestPage { guests: self.store.guests[from..to].to_vec(), next })
        };
        self.chaos.around(list).await
    }
}

/// Why rows got nothing, and how many.
pub fn refused(figures: &[(Reason, u64)]) -> BTreeMap<Reason, u64> {
    figures.iter().copied().collect()
}
