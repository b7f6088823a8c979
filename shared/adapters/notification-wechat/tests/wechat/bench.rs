//! A clock that moves by hand, a store of tokens in memory, and the stand-in.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use domain_channel::Category;
use domain_coupon::StoreError;
use domain_ids::{MessageId, ProviderName};
use domain_notification::{
    Accepted, Address, Failure, FilledTemplate, Outgoing, Rendered, SharedToken, SharedTokens, Verdict,
};
use jiff::Timestamp;
use notification_wechat::{Time, Wechat};
use provider_stubs::{Stubs, WECHAT_APP_SECRET, WECHAT_MINI_APP_ID, WECHAT_OFFICIAL_APP_ID};
use serde_json::json;

const NOW_MS: i64 = 1_795_500_000_000;

/// How long sending may take: a lease is three eighths of it.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(8);

/// A store as the table is one: the newest value, replaced if the revision is the one before.
#[derive(Clone, Default)]
pub(crate) struct Store {
    items: Arc<Mutex<HashMap<String, SharedToken>>>,
    writes: Arc<AtomicU64>,
    /// The write (from 1) that happens, and whose answer is lost.
    pub(crate) lost_answer: Arc<AtomicU64>,
    /// Reads that still work.
    pub(crate) reads_left: Arc<AtomicI64>,
}

impl Store {
    pub(crate) fn new() -> Self {
        let store = Self::default();
        store.reads_left.store(i64::MAX, Ordering::SeqCst);
        store
    }
}

fn unavailable() -> StoreError {
    StoreError::Unavailable("down".into())
}

impl SharedTokens for Store {
    async fn read(&self, name: &str) -> Result<SharedToken, StoreError> {
        tokio::task::yield_now().await;
        if self.reads_left.fetch_sub(1, Ordering::SeqCst) <= 0 {
            return Err(unavailable());
        }
        Ok(self.items.lock().unwrap().get(name).cloned().unwrap_or_default())
    }

    async fn replace(&self, name: &str, next: &SharedToken) -> Result<bool, StoreError> {
        tokio::task::yield_now().await;
        {
            let mut items = self.items.lock().unwrap();
            let revision = items.get(name).map_or(0, |token| token.revision);
            if revision + 1 != next.revision {
                return Ok(false);
            }
            items.insert(name.to_owned(), next.clone());
        }
        let write = self.writes.fetch_add(1, Ordering::SeqCst) + 1;
        if write == self.lost_answer.load(Ordering::SeqCst) { Err(unavailable()) } else { Ok(true) }
    }
}

pub(crate) struct Bench {
    pub(crate) stubs: Stubs,
    pub(crate) store: Store,
    clock_ms: Arc<AtomicI64>,
}

impl Bench {
    pub(crate) async fn new() -> Self {
        let clock_ms = Arc::new(AtomicI64::new(NOW_MS));
        let time = Arc::clone(&clock_ms);
        let stubs = Stubs::start_with(Arc::new(move || {
            Timestamp::from_millisecond(time.load(Ordering::SeqCst)).unwrap()
        }))
        .await;
        Self { stubs, store: Store::new(), clock_ms }
    }

    pub(crate) fn later(&self, seconds: i64) {
        self.clock_ms.fetch_add(seconds * 1_000, Ordering::SeqCst);
    }

    /// Milliseconds since the beginning.
    pub(crate) fn elapsed_ms(&self) -> i64 {
        self.clock_ms.load(Ordering::SeqCst) - NOW_MS
    }

    /// `moves`: whether the clock moves while somebody waits. Where many wait at once it must not.
    fn time(&self, moves: bool) -> Time {
        let (now, clock) = (Arc::clone(&self.clock_ms), Arc::clone(&self.clock_ms));
        Time::new(
            move || Timestamp::from_millisecond(now.load(Ordering::SeqCst)).unwrap(),
            move |wait: Duration| {
                if moves {
                    clock.fetch_add(i64::try_from(wait.as_millis()).unwrap(), Ordering::SeqCst);
                }
                tokio::task::yield_now()
            },
        )
    }

    fn make(&self, app: &str, secret: &str, moves: bool) -> Wechat<Store> {
        let build = if app == WECHAT_OFFICIAL_APP_ID { Wechat::official } else { Wechat::mini };
        build(
            name(),
            Some(&self.stubs.endpoint("wechat")),
            &settings(app),
            &json!({ "appSecret": secret }),
            TIMEOUT,
            self.store.clone(),
            self.time(moves),
        )
        .unwrap()
    }

    /// The official account in another execution environment.
    pub(crate) fn official(&self) -> Wechat<Store> {
        self.make(WECHAT_OFFICIAL_APP_ID, WECHAT_APP_SECRET, false)
    }

    /// The same, where time passes while it waits.
    pub(crate) fn patient_official(&self) -> Wechat<Store> {
        self.make(WECHAT_OFFICIAL_APP_ID, WECHAT_APP_SECRET, true)
    }

    pub(crate) fn official_with(&self, secret: &str) -> Wechat<Store> {
        self.make(WECHAT_OFFICIAL_APP_ID, secret, false)
    }

    pub(crate) fn mini(&self) -> Wechat<Store> {
        self.make(WECHAT_MINI_APP_ID, WECHAT_APP_SECRET, false)
    }

    pub(crate) fn token_calls(&self) -> u64 {
        self.stubs.calls("wechat/token")
    }
}

pub(crate) fn name() -> ProviderName {
    "wechat-main".parse().unwrap()
}

pub(crate) fn settings(app: &str) -> BTreeMap<String, String> {
    [("appId".to_owned(), app.to_owned())].into()
}

pub(crate) fn message(number: u128, to: &str) -> Outgoing {
    let params =
        vec![("thing1".to_owned(), "海边的房子".to_owned()), ("date2".to_owned(), "2026-11-24".to_owned())];
    let template = FilledTemplate { id: "tm-1".into(), params };
    let now = Timestamp::from_millisecond(NOW_MS).unwrap();
    Outgoing {
        id: MessageId::from_parts(1, number),
        address: Address::Wechat { official: Some(to.parse().unwrap()), mini: Some(to.parse().unwrap()) },
        rendered: Rendered { provider_templates: [(name(), template)].into(), ..Rendered::default() },
        category: Category::Order,
        accepted_at: now,
        due_at: now,
    }
}

pub(crate) fn failure(verdict: Verdict, code: &str) -> Result<Accepted, Failure> {
    Err(Failure::new(verdict, code))
}
