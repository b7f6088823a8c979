use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use serde::Serialize;

use crate::{Fault, MAX_FAULTS, wechat::Tokens};

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Messages that are kept, the newest ones: a stub that runs for days must not fill the memory.
pub const MAX_KEPT: usize = 20_000;

/// A message that a provider has taken.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Received {
    /// Which provider: `aliyun`, `tencent`, `wechat-official`, `wechat-mini` …
    pub provider: String,
    /// Where to, as the provider was told.
    pub to: String,
    /// The title, or subject, if it has one.
    pub title: Option<String>,
    /// The content as plain text, if it was sent.
    pub content: Option<String>,
    /// The content as HTML, if it was sent.
    pub html: Option<String>,
    /// The provider's id of the template, if it was sent by one.
    pub template: Option<String>,
    /// What fills in the template: the name of each blank (its place, from 1, where it has no name), and its text.
    pub params: Vec<(String, String)>,
    /// Our id of it, if the provider was told.
    pub message_id: Option<String>,
    /// What the provider called it in its answer.
    pub reference: Option<String>,
    /// When it came.
    pub at: Timestamp,
}

/// What the providers have in common: what they received, and what is to go wrong.
pub struct Desk {
    clock: Clock,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    received: VecDeque<Received>,
    ids: HashSet<String>,
    duplicates: u64,
    taken: u64,
    faults: HashMap<String, VecDeque<Fault>>,
    calls: BTreeMap<String, u64>,
    nonces: HashSet<String>,
    tokens: Tokens,
}

impl Desk {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, kept: Mutex::default() }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What time it is.
    pub fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// Keeps a message that a provider takes, with the time and, unless it has one, a reference; returns the reference.
    pub fn keep(&self, message: Received) -> String {
        let at = self.now();
        let mut kept = self.kept();
        kept.taken = kept.taken.saturating_add(1);
        let made = format!("{:016}", 9_006_197_469_000_000_u64.saturating_add(kept.taken));
        let reference = message.reference.clone().unwrap_or(made);
        if let Some(id) = &message.message_id
            && !kept.ids.insert(id.clone())
        {
            kept.duplicates = kept.duplicates.saturating_add(1);
        }
        if kept.received.len() >= MAX_KEPT {
            kept.received.pop_front();
        }
        kept.received.push_back(Received { at, reference: Some(reference.clone()), ..message });
        reference
    }

    /// Counts a call of `what`.
    pub fn count(&self, what: &str) {
        let mut kept = self.kept();
        let calls = kept.calls.entry(what.to_owned()).or_default();
        *calls = calls.saturating_add(1);
    }

    /// What goes wrong with the present request to `provider`, if anything; it is used up.
    pub fn next_fault(&self, provider: &str) -> Option<Fault> {
        self.kept().faults.get_mut(provider).and_then(VecDeque::pop_front)
    }

    pub(crate) fn script(&self, provider: &str, faults: impl IntoIterator<Item = Fault>) {
        let mut kept = self.kept();
        let queue = kept.faults.entry(provider.to_owned()).or_default();
        let room = MAX_FAULTS.saturating_sub(queue.len());
        queue.extend(faults.into_iter().take(room));
    }

    /// Whether the nonce is new: it is used from now on.
    pub(crate) fn is_first_use(&self, nonce: &str) -> bool {
        self.kept().nonces.insert(nonce.to_owned())
    }

    pub(crate) fn with_tokens<T>(&self, act: impl FnOnce(&mut Tokens, Timestamp) -> T) -> T {
        let now = self.now();
        act(&mut self.kept().tokens, now)
    }

    pub(crate) fn revoke_tokens(&self) {
        self.with_tokens(|tokens, _| tokens.revoke());
    }

    /// What was received, oldest first.
    pub fn received(&self) -> Vec<Received> {
        self.kept().received.iter().cloned().collect()
    }

    pub(crate) fn find(&self, wanted: impl FnMut(&&Received) -> bool) -> Option<Received> {
        self.kept().received.iter().find(wanted).cloned()
    }

    pub(crate) fn duplicates(&self) -> u64 {
        self.kept().duplicates
    }

    pub(crate) fn calls(&self, what: &str) -> u64 {
        self.kept().calls.get(what).copied().unwrap_or_default()
    }

    pub(crate) fn all_calls(&self) -> BTreeMap<String, u64> {
        self.kept().calls.clone()
    }

    /// Forgets what was received, what is to go wrong, and the counts; access tokens stay good.
    pub(crate) fn forget(&self) {
        let mut kept = self.kept();
        let tokens = std::mem::take(&mut kept.tokens);
        *kept = Kept { tokens, taken: kept.taken, ..Kept::default() };
    }
}
