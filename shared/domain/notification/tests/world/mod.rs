//! Messages, guests, templates and providers in memory, all of which may fail or die.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicI64, AtomicU32, Ordering},
    },
    time::Duration,
};

use domain_channel::{Category, Channel};
use domain_coupon::StoreError;
use domain_ids::{GuestId, MessageId, ProviderName, TemplateCode};
use domain_notification::{
    Accepted, Added, Address, Caps, Channels, Contacts, Digests, Dispatch, DispatchError, Dispatched,
    Failure, Fault, Gateway, GuestProfile, Guests, Health, Language, Message, MessageStore, Outcome,
    Outgoing, ParamValue, Params, Provider, ProviderConfig, References, Rendered, Renderer, Template,
    TemplateReader, TemplateRef, TemplateText, TemplateVersion, Verdict,
};
use futures_util::future::BoxFuture;
use jiff::Timestamp;

/// So many seconds after 2026-11-24T10:00:00Z, which is 18:00 in Shanghai.
pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_795_514_400 + seconds).unwrap()
}

/// What a provider does about one call.
#[derive(Debug, Clone)]
pub enum Answer {
    Accept,
    Fail(Failure),
    /// It takes the message, and nobody learns of it.
    AcceptUnheard,
}

#[derive(Debug, Default)]
struct Account {
    answers: VecDeque<Answer>,
    taken: Vec<(MessageId, String)>,
    calls: u32,
    /// Whether it tells what it took.
    can_be_asked: bool,
    is_idempotent: bool,
    refuses_for: Option<Duration>,
}

#[derive(Default)]
pub struct World {
    pub clock: AtomicI64,
    messages: Mutex<HashMap<MessageId, Message>>,
    pub guests: Mutex<HashMap<GuestId, GuestProfile>>,
    suppressed: Mutex<BTreeSet<String>>,
    caps: Mutex<HashMap<String, u16>>,
    digests: Mutex<BTreeMap<MessageId, BTreeSet<MessageId>>>,
    references: Mutex<HashMap<String, MessageId>>,
    accounts: Mutex<HashMap<ProviderName, Account>>,
    /// Store calls until one fails; 0: none does.
    pub fail_after: AtomicU32,
    /// Whether the call that fails is carried out all the same.
    pub is_reply_lost: std::sync::atomic::AtomicBool,
}

impl World {
    pub fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.clock.load(Ordering::Relaxed)).unwrap()
    }

    pub fn set(&self, now: Timestamp) {
        self.clock.store(now.as_millisecond(), Ordering::Relaxed);
    }

    pub fn messages(&self) -> MutexGuard<'_, HashMap<MessageId, Message>> {
        self.messages.lock().unwrap()
    }

    pub fn get(&self, id: MessageId) -> Message {
        self.messages()[&id].clone()
    }

    pub fn answer(&self, provider: &str, answers: impl IntoIterator<Item = Answer>) {
        self.account(provider, |account| account.answers.extend(answers));
    }

    pub fn tells(&self, provider: &str) {
        self.account(provider, |account| account.can_be_asked = true);
    }

    pub fn recognises(&self, provider: &str) {
        self.account(provider, |account| account.is_idempotent = true);
    }

    pub fn refuses_for(&self, provider: &str, wait: Option<Duration>) {
        self.account(provider, |account| account.refuses_for = wait);
    }

    pub fn taken(&self, provider: &str) -> usize {
        self.account(provider, |account| account.taken.len())
    }

    pub fn contents(&self, provider: &str) -> Vec<String> {
        self.account(provider, |account| account.taken.iter().map(|(_, content)| content.clone()).collect())
    }

    pub fn calls(&self, provider: &str) -> u32 {
        self.account(provider, |account| account.calls)
    }

    fn account<T>(&self, provider: &str, work: impl FnOnce(&mut Account) -> T) -> T {
        let mut accounts = self.accounts.lock().unwrap();
        work(accounts.entry(provider.parse().unwrap()).or_default())
    }

    pub fn suppressed(&self) -> usize {
        self.suppressed.lock().unwrap().len()
    }

    /// Whether a call is to fail now.
    fn fails(&self) -> bool {
        let left = self.fail_after.load(Ordering::Relaxed);
        if left > 0 {
            self.fail_after.store(left - 1, Ordering::Relaxed);
        }
        left == 1
    }

    fn done<T>(&self, work: impl FnOnce() -> T) -> Result<T, StoreError> {
        let fails = self.fails();
        if fails && !self.is_reply_lost.load(Ordering::Relaxed) {
            return Err(StoreError::Unavailable("down".into()));
        }
        let done = work();
        if fails { Err(StoreError::Unavailable("the reply was lost".into())) } else { Ok(done) }
    }
}

impl MessageStore for World {
    async fn add(&self, message: &Message) -> Result<Added, StoreError> {
        self.done(|| match self.messages().entry(message.id) {
            std::collections::hash_map::Entry::Occupied(known) => Added::Known(Box::new(known.get().clone())),
            std::collections::hash_map::Entry::Vacant(free) => {
                free.insert(message.clone());
                Added::New
            }
        })
    }

    async fn message(&self, id: MessageId) -> Result<Option<Message>, StoreError> {
        self.done(|| self.messages().get(&id).cloned())
    }

    async fn replace(&self, next: &Message) -> Result<bool, StoreError> {
        self.done(|| {
            let mut messages = self.messages();
            let place = messages.get_mut(&next.id).unwrap();
            let fits = place.revision + 1 == next.revision;
            if fits {
                *place = next.clone();
            }
            fits
        })
    }
}

impl Guests for World {
    async fn profile(&self, guest: &GuestId) -> Result<GuestProfile, StoreError> {
        self.done(|| self.guests.lock().unwrap().get(guest).cloned().unwrap_or_default())
    }

    async fn is_suppressed(&self, address: &Address) -> Result<bool, StoreError> {
        self.done(|| self.suppressed.lock().unwrap().contains(&spelled(address)))
    }

    async fn suppress(&self, address: &Address, _: &str, _: Timestamp) -> Result<(), StoreError> {
        self.done(|| {
            self.suppressed.lock().unwrap().insert(spelled(address));
        })
    }

    async fn forget_devices(&self, guest: &GuestId, dead: &[String]) -> Result<(), StoreError> {
        self.done(|| {
            if let Some(profile) = self.guests.lock().unwrap().get_mut(guest) {
                profile.contacts.devices.retain(|device| !dead.iter().any(|dead| dead == device.as_str()));
            }
        })
    }
}

fn spelled(address: &Address) -> String {
    match address {
        Address::Phone(phone) => phone.as_str().to_owned(),
        Address::Mail(mail) => mail.as_str().to_owned(),
        other => format!("{other:?}"),
    }
}

impl Caps for World {
    async fn admit(&self, guest: &GuestId, rule: &str, most: u16, _: Timestamp) -> Result<bool, StoreError> {
        self.done(|| {
            let mut caps = self.caps.lock().unwrap();
            let count = caps.entry(format!("{guest} {rule}")).or_default();
            let admits = *count < most;
            *count += u16::from(admits);
            admits
        })
    }
}

impl Digests for World {
    async fn join(&self, digest: MessageId, member: MessageId, _: Timestamp) -> Result<(), StoreError> {
        self.done(|| {
            self.digests.lock().unwrap().entry(digest).or_default().insert(member);
        })
    }

    async fn members(&self, digest: MessageId) -> Result<Vec<MessageId>, StoreError> {
        self.done(|| self.digests.lock().unwrap().get(&digest).into_iter().flatten().copied().collect())
    }
}

impl References for World {
    async fn referred(&self, _: &ProviderName, reference: &str) -> Result<Option<MessageId>, StoreError> {
        self.done(|| self.references.lock().unwrap().get(reference).copied())
    }

    async fn refer(
        &self,
        _: &ProviderName,
        reference: &str,
        to: MessageId,
        _: Timestamp,
    ) -> Result<(), StoreError> {
        self.done(|| {
            self.references.lock().unwrap().insert(reference.into(), to);
        })
    }
}

/// One template for each channel: its code is the channel's name, `digest` bundles, `disabled` is off.
pub struct Texts;

impl TemplateReader for Texts {
    async fn template(&self, code: &TemplateCode) -> Result<Option<Template>, StoreError> {
        let channel = match code.as_str() {
            "digest" => Channel::Email,
            "disabled" => Channel::Sms,
            name => match name.split('-').next().unwrap_or_default().parse() {
                Ok(channel) => channel,
                Err(_) => return Ok(None),
            },
        };
        Ok(Some(Template {
            code: code.clone(),
            name: "a template".into(),
            channel,
            category: category(code),
            enabled: code.as_str() != "disabled",
            version: 1,
            revision: 1,
            created_at: at(0),
            updated_at: at(0),
        }))
    }

    async fn version(&self, of: &TemplateRef) -> Result<Option<Arc<TemplateVersion>>, StoreError> {
        let Some(template) = self.template(&of.code).await? else { return Ok(None) };
        let text = TemplateText { title: None, content: "…".into(), html: None };
        Ok(Some(Arc::new(TemplateVersion {
            code: template.code,
            version: of.version,
            channel: template.channel,
            category: template.category,
            variables: Vec::new(),
            texts: [(Language::default(), text)].into(),
            default_language: Language::default(),
            provider_templates: BTreeMap::new(),
            published_at: at(0),
        })))
    }
}

fn category(code: &TemplateCode) -> Category {
    code.as_str().split_once('-').and_then(|(_, category)| category.parse().ok()).unwrap_or(Category::Order)
}

/// Says its parameters; one called `bad` cannot be said.
pub struct Plain;

impl Renderer for Plain {
    fn check(&self, _: &TemplateVersion) -> Vec<Fault> {
        Vec::new()
    }

    fn render(
        &self,
        version: &TemplateVersion,
        _: Option<&Language>,
        params: &Params,
    ) -> Result<Rendered, Vec<Fault>> {
        if params.0.contains_key("bad") {
            return Err(vec![Fault::new("params/bad", "must not be there")]);
        }
        let said: Vec<String> = params
            .0
            .iter()
            .map(|(name, value)| match value {
                ParamValue::Flag(flag) => format!("{name}={flag}"),
                ParamValue::Integer(number) => format!("{name}={number}"),
                ParamValue::Text(text) => format!("{name}={text}"),
                ParamValue::List(list) => format!("{name}={}", list.join("|")),
            })
            .collect();
        Ok(Rendered { content: format!("{}: {}", version.code, said.join(", ")), ..Rendered::default() })
    }
}

/// A provider of the world.
struct Named {
    world: Arc<World>,
    name: ProviderName,
}

impl Provider for Named {
    fn send<'a>(&'a self, outgoing: &'a Outgoing) -> BoxFuture<'a, Result<Accepted, Failure>> {
        let answer = self.world.account(self.name.as_str(), |account| {
            account.calls += 1;
            let answer = account.answers.pop_front().unwrap_or(Answer::Accept);
            let knows = account.is_idempotent && account.taken.iter().any(|(id, _)| *id == outgoing.id);
            if matches!(answer, Answer::Accept | Answer::AcceptUnheard) && !knows {
                account.taken.push((outgoing.id, outgoing.rendered.content.clone()));
            }
            answer
        });
        Box::pin(async move {
            match answer {
                Answer::Accept => Ok(Accepted { reference: Some("r-1".into()), dead: Vec::new() }),
                Answer::Fail(failure) => Err(failure),
                Answer::AcceptUnheard => Err(Failure::new(Verdict::Unknown, "timeout")),
            }
        })
    }

    fn outcome<'a>(&'a self, outgoing: &'a Outgoing, _: Timestamp) -> BoxFuture<'a, Outcome> {
        let outcome = self.world.account(self.name.as_str(), |account| {
            let has = account.taken.iter().any(|(id, _)| *id == outgoing.id);
            match (account.can_be_asked, has) {
                (false, _) => Outcome::Unknown,
                (true, true) => Outcome::Accepted(Accepted::default()),
                (true, false) => Outcome::NotAccepted,
            }
        });
        Box::pin(async move { outcome })
    }

    fn recognises(&self, _: Timestamp, _: Timestamp) -> bool {
        self.world.account(self.name.as_str(), |account| account.is_idempotent)
    }
}

/// The providers of a world.
pub struct Doors(pub Arc<World>);

impl Gateway for Doors {
    async fn provider(&self, config: &ProviderConfig) -> Option<Arc<dyn Provider>> {
        Some(Arc::new(Named { world: Arc::clone(&self.0), name: config.name.clone() }))
    }

    async fn admit(&self, config: &ProviderConfig, _: Timestamp) -> Result<Option<Duration>, StoreError> {
        Ok(self.0.account(config.name.as_str(), |account| account.refuses_for))
    }
}

/// Text messages by `a`, then `b`; mails by `m`; the inbox.
pub fn channels() -> Channels {
    r#"{
        "channels": {
            "sms": { "delivery": "at_most_once", "breaker": { "failures": 3, "openSeconds": 30 }, "providers": [
                { "name": "a", "kind": "aliyun" }, { "name": "b", "kind": "tencent", "tier": 2 }
            ] },
            "email": { "delivery": "at_least_once", "providers": [{ "name": "m", "kind": "ses" }] },
            "wechat": { "delivery": "at_most_once", "providers": [{ "name": "w", "kind": "wechat_official" }] },
            "internal": { "delivery": "at_least_once", "providers": [{ "name": "inbox", "kind": "inbox" }] }
        },
        "dailyCaps": { "marketing": 2 },
        "digestTemplates": { "email": "digest" }
    }"#
    .parse()
    .unwrap()
}

/// Whom everything reaches.
pub fn reachable() -> GuestProfile {
    GuestProfile {
        contacts: Contacts {
            phone: Some("+8613800138000".parse().unwrap()),
            email: Some("ann@example.com".parse().unwrap()),
            wechat_official: Some("o-ann".parse().unwrap()),
            ..Contacts::default()
        },
        ..GuestProfile::default()
    }
}

/// Brings a message as far as it gets now, in one execution environment.
pub async fn dispatch(
    world: &Arc<World>,
    health: &Health,
    id: MessageId,
) -> Result<Dispatched, DispatchError> {
    let channels = channels();
    let dispatch = Dispatch {
        store: &**world,
        templates: &Texts,
        renderer: &Plain,
        gateway: &Doors(Arc::clone(world)),
        health,
        channels: &channels,
        clock: || world.now(),
    };
    dispatch.dispatch(id).await
}
