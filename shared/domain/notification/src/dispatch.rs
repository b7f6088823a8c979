//! Sending one message, once.
//!
//! Whoever is about to call a provider takes the message for itself first ([`Message::lease`], one conditional write)
//! and notes afterwards what came of it. Who dies in between leaves a lease that runs out. Then nobody knows whether the
//! provider has the message: it is asked, where it can be asked; where not, the channel's [`Delivery`] decides.
//!
//! | What the provider says | What happens |
//! |---|---|
//! | taken | sent |
//! | [`Verdict::FailOver`], [`Verdict::Skip`] | the next provider, at once |
//! | [`Verdict::Retry`] | the next provider, at once; where there is none, again after a pause |
//! | [`Verdict::GiveUp`], [`Verdict::Suppress`] | failed; the address may be suppressed |
//! | [`Verdict::Unknown`], or nothing | when the lease is over the provider is asked, and again if it cannot tell |
//!
//! [`MAX_ATTEMPTS`] such rounds, then it is failed and has a dead letter.

use std::{sync::Arc, time::Duration};

use domain_channel::{Channel, Priority};
use domain_coupon::StoreError;
use domain_ids::{MessageId, ProviderName};
use jiff::{SignedDuration, Timestamp};

use crate::{
    Accepted, Added, Address, Caps, ChannelConfig, Channels, Delivery, Digests, Failure, GuestProfile,
    Guests, Health, MAX_LIST_ENTRIES, Message, MessageStore, Outcome, Outgoing, ParamValue, Params, Provider,
    ProviderConfig, References, Rendered, Renderer, Ruling, State, Status, TemplateReader, TemplateRef,
    Verdict, message_id, routing::order, rule,
};

/// Rounds of calls to providers.
pub const MAX_ATTEMPTS: u32 = 3;

/// How late a message that waits may be looked at again when no provider can be called.
const NO_PROVIDER_PAUSE: SignedDuration = SignedDuration::from_secs(1);

/// For how long after a call a provider is asked what became of it, before nobody will ever know: one that is down cannot
/// tell either, and that is when most answers are lost.
const ASKED_FOR: SignedDuration = SignedDuration::from_mins(10);

/// Where providers come from, and how often they may be called.
pub trait Gateway: Sync {
    /// The provider, set up as `config` says; none if that cannot be done (a secret is missing, a setting is wrong).
    fn provider(&self, config: &ProviderConfig) -> impl Future<Output = Option<Arc<dyn Provider>>> + Send;

    /// A provider has failed so often that it is left alone from now on.
    fn left_alone(&self, provider: &ProviderName) {
        let _ = provider;
    }

    /// Counts one call, over all execution environments. Where that would be too many, after how long to ask again.
    fn admit(
        &self,
        config: &ProviderConfig,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<Duration>, StoreError>> + Send;
}

/// All that dispatch needs.
#[derive(Debug)]
pub struct Dispatch<'a, S, T, R, G, C> {
    /// Messages, guests, caps and digests.
    pub store: &'a S,
    /// What messages say.
    pub templates: &'a T,
    /// What fills it in.
    pub renderer: &'a R,
    /// The providers.
    pub gateway: &'a G,
    /// How providers fare.
    pub health: &'a Health,
    /// How channels are served.
    pub channels: &'a Channels,
    /// The time, in whole milliseconds.
    pub clock: C,
}

/// What became of a dispatch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dispatched {
    /// A provider has it.
    Sent {
        /// Which one.
        provider: ProviderName,
    },
    /// There is nothing to do: it was sent, cancelled, or is not there.
    Done(Option<Status>),
    /// It will not be sent, and nobody can help: the reason.
    Refused(String),
    /// It will not be sent unless somebody repairs something: a dead letter is due.
    Dead {
        /// Why not.
        reason: String,
        /// Whose dead letters it belongs to.
        priority: Priority,
    },
    /// To be dispatched again.
    Later {
        /// Not before; at most [`crate::MAX_DELAY`] from now.
        at: Timestamp,
        /// Whose queue it belongs into.
        priority: Priority,
        /// Whether an attempt has failed.
        is_retry: bool,
    },
    /// It waits in the table, or is part of a digest.
    Waits,
}

/// A dispatch broke off. The message is as it was, or leased; it is to be dispatched again.
#[derive(Debug, thiserror::Error)]
pub enum DispatchError {
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
    /// Others were faster.
    #[error("somebody else has changed the message")]
    Outdated,
}

/// How a round of calls ended.
enum Round {
    Taken(ProviderName, Accepted),
    /// Nobody could be called: when somebody can.
    Nobody(SignedDuration),
    /// Everybody who was called failed.
    Failed(Failure),
    /// The message is at fault.
    Final(Failure),
    /// Nobody knows before the lease is over.
    Unknown(Timestamp),
}

impl<S, T, R, G, C> Dispatch<'_, S, T, R, G, C>
where
    S: MessageStore + Guests + Caps + Digests + References,
    T: TemplateReader,
    R: Renderer,
    G: Gateway,
    C: Fn() -> Timestamp + Sync,
{
    /// Brings one message as far as it gets now.
    pub async fn dispatch(&self, id: MessageId) -> Result<Dispatched, DispatchError> {
        let Some(message) = self.store.message(id).await? else { return Ok(Dispatched::Done(None)) };
        let now = (self.clock)();
        match &message.state {
            State::Pending => self.pending(message, now).await,
            State::Sending { until, .. } if *until > now => {
                Ok(Dispatched::Later { at: *until, priority: message.priority, is_retry: false })
            }
            State::Sending { provider, since, .. } => {
                let (provider, since) = (provider.clone(), *since);
                self.ambiguous(message, &provider, since, now).await
            }
            // Whoever noted this may have died before the letter was written.
            State::Failed { redrivable: true, .. } => {
                Ok(dead(&message, message.error.as_deref().unwrap_or_default()))
            }
            State::Sent { provider, reference, .. } if message.is_digest => {
                let accepted = Accepted { reference: reference.clone(), dead: Vec::new() };
                self.record_members(message.id, provider, &accepted).await?;
                Ok(Dispatched::Done(Some(Status::Sent)))
            }
            State::Sent { .. } | State::Delivered { .. } | State::Failed { .. } | State::Cancelled { .. } => {
                Ok(Dispatched::Done(Some(message.status())))
            }
        }
    }

    async fn pending(&self, message: Message, now: Timestamp) -> Result<Dispatched, DispatchError> {
        if let Some(at) = message.scheduled_at.filter(|at| *at > now) {
            return Ok(if message.waits {
                Dispatched::Waits
            } else {
                let latest = now.checked_add(crate::MAX_DELAY).unwrap_or(Timestamp::MAX);
                Dispatched::Later { at: at.min(latest), priority: message.priority, is_retry: false }
            });
        }
        if message.digest.is_some() {
            return Ok(Dispatched::Waits);
        }
        if message.expires_at.is_some_and(|at| at <= now) {
            return self.refuse(&message, "expired", now).await;
        }
        let Some(config) = self.channels.channel(message.channel) else {
            return self.bury(&message, "no-channel", now).await;
        };
        let profile = self.profile(&message).await?;
        let can_bundle = message.receiver.guest().is_some()
            && self.channels.digest_templates.contains_key(&message.channel);
        match rule(&message, &profile.preferences, can_bundle, now) {
            Ruling::Send => {}
            Ruling::OptedOut => return self.refuse(&message, "opted-out", now).await,
            Ruling::Defer(to) => return self.defer(&message, to).await,
            Ruling::Bundle(at) => return self.bundle(message, at, now).await,
        }
        let Some(address) = address(&message, &profile) else {
            return self.refuse(&message, "no-address", now).await;
        };
        if self.store.is_suppressed(&address).await? {
            return self.refuse(&message, "suppressed", now).await;
        }
        if message.attempts == 0 && !self.is_within_caps(&message, &profile, now).await? {
            return self.refuse(&message, "frequency-capped", now).await;
        }
        let Some(rendered) = self.render(&message, &profile).await? else {
            return self.bury(&message, "not-renderable", now).await;
        };
        if message.is_digest && rendered.content.is_empty() {
            return self.refuse(&message, "empty-digest", now).await;
        }
        let outgoing = outgoing(&message, address, rendered);
        self.send(message, config, &outgoing, None).await
    }

    async fn profile(&self, message: &Message) -> Result<GuestProfile, StoreError> {
        match message.receiver.guest() {
            Some(guest) => self.store.profile(guest).await,
            None => Ok(GuestProfile::default()),
        }
    }

    /// A lease has run out: whoever had it has died, or got no answer.
    async fn ambiguous(
        &self,
        message: Message,
        provider: &ProviderName,
        since: Timestamp,
        now: Timestamp,
    ) -> Result<Dispatched, DispatchError> {
        let Some(config) = self.channels.channel(message.channel) else {
            return self.bury(&message, "no-channel", now).await;
        };
        let profile = self.profile(&message).await?;
        let known = config.providers.iter().find(|it| it.name == *provider);
        let (Some(address), Some(rendered), Some(known)) =
            (address(&message, &profile), self.render(&message, &profile).await?, known)
        else {
            return self.bury(&message, "outcome-unknown", now).await;
        };
        let Some(called) = self.gateway.provider(known).await else {
            return self.bury(&message, "outcome-unknown", now).await;
        };
        let outgoing = outgoing(&message, address, rendered);
        match called.outcome(&outgoing, since).await {
            Outcome::Accepted(accepted) => {
                self.health.succeeded(provider);
                self.record_sent(&message, provider, &accepted).await
            }
            Outcome::NotAccepted => self.retry(&message, &Failure::new(Verdict::Retry, "not-accepted")).await,
            Outcome::Unknown if called.recognises(since, now) || config.delivery == Delivery::AtLeastOnce => {
                if message.attempts >= MAX_ATTEMPTS {
                    return self.bury(&message, "outcome-unknown", now).await;
                }
                let again = self.replaced(message.again("outcome-unknown")).await?;
                // Whoever may have it recognises it, if anybody does.
                self.send(again, config, &outgoing, Some(provider)).await
            }
            // Each time after twice as long: with a lease of 90 s four times in twelve minutes.
            Outcome::Unknown if now.duration_since(since) < ASKED_FOR => {
                let wait = now.duration_since(since).min(crate::MAX_DELAY);
                let at = now.checked_add(wait).unwrap_or(Timestamp::MAX);
                Ok(Dispatched::Later { at, priority: message.priority, is_retry: true })
            }
            Outcome::Unknown => self.bury(&message, "outcome-unknown", now).await,
        }
    }

    async fn send(
        &self,
        message: Message,
        config: &ChannelConfig,
        outgoing: &Outgoing,
        first: Option<&ProviderName>,
    ) -> Result<Dispatched, DispatchError> {
        let mut message = message;
        match self.round(&mut message, config, outgoing, first).await? {
            Round::Taken(provider, accepted) => {
                if let (Some(guest), false) = (message.receiver.guest(), accepted.dead.is_empty()) {
                    self.store.forget_devices(guest, &accepted.dead).await?;
                }
                self.record_sent(&message, &provider, &accepted).await
            }
            Round::Nobody(pause) => {
                let at = (self.clock)().checked_add(pause).unwrap_or(Timestamp::MAX);
                Ok(Dispatched::Later { at, priority: message.priority, is_retry: false })
            }
            Round::Unknown(until) => {
                Ok(Dispatched::Later { at: until, priority: message.priority, is_retry: true })
            }
            Round::Failed(failure) => self.retry(&message, &failure).await,
            Round::Final(failure) => {
                let now = (self.clock)();
                if failure.verdict == Verdict::Suppress {
                    self.store.suppress(&outgoing.address, &failure.code, now).await?;
                    if let (Some(guest), Address::Devices(devices)) =
                        (message.receiver.guest(), &outgoing.address)
                    {
                        let dead: Vec<String> = devices.iter().map(|it| it.as_str().to_owned()).collect();
                        self.store.forget_devices(guest, &dead).await?;
                    }
                }
                self.refuse(&message, &failure.code, now).await
            }
        }
    }

    /// Asks one provider after the other, each at most once.
    async fn round(
        &self,
        message: &mut Message,
        config: &ChannelConfig,
        outgoing: &Outgoing,
        first: Option<&ProviderName>,
    ) -> Result<Round, DispatchError> {
        let mut candidates = order(config, message.id);
        if let Some(first) = first {
            candidates.sort_by_key(|it| it.name != *first);
        }
        let (mut last, mut pause): (Option<Failure>, Option<SignedDuration>) = (None, None);
        let mut waits = |wait: SignedDuration| pause = Some(pause.map_or(wait, |pause| pause.min(wait)));
        for candidate in candidates {
            let now = (self.clock)();
            if let Some(until) = self.health.closed_until(&candidate.name, now) {
                waits(until.duration_since(now));
                continue;
            }
            let Some(provider) = self.gateway.provider(candidate).await else {
                last.get_or_insert_with(|| Failure::new(Verdict::FailOver, "provider-not-set-up"));
                continue;
            };
            if let Some(wait) = self.gateway.admit(candidate, now).await? {
                waits(SignedDuration::try_from(wait).unwrap_or(NO_PROVIDER_PAUSE));
                continue;
            }
            if !self.health.admits(&candidate.name, config.breaker, now) {
                waits(NO_PROVIDER_PAUSE);
                continue;
            }
            // What is written under the message's own key can be written twice: our inbox needs no lease.
            if message.channel != Channel::Internal {
                *message = self.replaced(message.lease(&candidate.name, now)).await?;
            }
            let failure = match provider.send(outgoing).await {
                Ok(accepted) => {
                    self.health.succeeded(&candidate.name);
                    return Ok(Round::Taken(candidate.name.clone(), accepted));
                }
                Err(failure) => failure,
            };
            let failed_at = (self.clock)();
            self.note_failure(candidate, config, &failure, failed_at);
            match failure.verdict {
                Verdict::Retry | Verdict::FailOver => last = Some(failure),
                // What those say who might have taken it is the better reason.
                Verdict::Skip => {
                    last.get_or_insert(failure);
                }
                Verdict::GiveUp | Verdict::Suppress => return Ok(Round::Final(failure)),
                Verdict::Unknown => {
                    return Ok(match message.state {
                        State::Sending { until, .. } => Round::Unknown(until),
                        _ => Round::Failed(failure),
                    });
                }
            }
        }
        Ok(match (last, pause) {
            (Some(failure), _) => Round::Failed(failure),
            (None, pause) => Round::Nobody(pause.unwrap_or(NO_PROVIDER_PAUSE)),
        })
    }

    fn note_failure(
        &self,
        provider: &ProviderConfig,
        config: &ChannelConfig,
        failure: &Failure,
        now: Timestamp,
    ) {
        let Failure { verdict, retry_after, .. } = *failure;
        if self.health.failed(&provider.name, verdict, retry_after, config.breaker, now) {
            self.gateway.left_alone(&provider.name);
        }
    }

    async fn is_within_caps(
        &self,
        message: &Message,
        profile: &GuestProfile,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let of = |caps: &std::collections::BTreeMap<_, u16>| caps.get(&message.category).copied();
        let most = match (of(&self.channels.daily_caps), of(&profile.preferences.daily_caps)) {
            (Some(ours), Some(own)) => Some(ours.min(own)),
            (ours, own) => ours.or(own),
        };
        match (message.receiver.guest(), most) {
            (Some(guest), Some(most)) if !message.is_digest => {
                let counted = format!("{}-{}", message.channel, message.category);
                self.store.admit(guest, &counted, most, now).await
            }
            _ => Ok(true),
        }
    }

    /// The message filled in; none if it no longer can be.
    async fn render(
        &self,
        message: &Message,
        profile: &GuestProfile,
    ) -> Result<Option<Rendered>, StoreError> {
        let Some(version) = self.templates.version(&message.template).await? else { return Ok(None) };
        let language = profile.preferences.language.as_ref();
        if message.is_digest {
            let items = self.digest_items(message, profile).await?;
            if items.is_empty() {
                return Ok(Some(Rendered::default()));
            }
            let count = ParamValue::Integer(i64::try_from(items.len()).unwrap_or(i64::MAX));
            let items = items.into_iter().take(MAX_LIST_ENTRIES).collect();
            let params = [("count".to_owned(), count), ("items".to_owned(), ParamValue::List(items))];
            return Ok(self.renderer.render(&version, language, &Params(params.into())).ok());
        }
        Ok(self.renderer.render(&version, language, &message.params).ok())
    }

    /// A line for each member of a digest that is still wanted.
    async fn digest_items(
        &self,
        digest: &Message,
        profile: &GuestProfile,
    ) -> Result<Vec<String>, StoreError> {
        let language = profile.preferences.language.as_ref();
        let mut items = Vec::new();
        for member in self.store.members(digest.id).await? {
            let Some(member) = self.store.message(member).await? else { continue };
            // A member that is sent was sent by this digest, before it died.
            if !matches!(member.status(), Status::Pending | Status::Sent) {
                continue;
            }
            let Some(version) = self.templates.version(&member.template).await? else { continue };
            if let Ok(rendered) = self.renderer.render(&version, language, &member.params) {
                items.push(rendered.title.unwrap_or(rendered.content).chars().take(200).collect());
            }
        }
        Ok(items)
    }

    /// Puts a message into the digest that is due at `at`, or, where that one is on its way already, into the next.
    async fn bundle(
        &self,
        message: Message,
        at: Timestamp,
        now: Timestamp,
    ) -> Result<Dispatched, DispatchError> {
        let (Some(guest), Some(code)) =
            (message.receiver.guest(), self.channels.digest_templates.get(&message.channel))
        else {
            return self.bury(&message, "no-digest-template", now).await;
        };
        let Some(template) = self.templates.template(code).await? else {
            return self.bury(&message, "no-digest-template", now).await;
        };
        for days in 0..2 {
            let at = at + SignedDuration::from_hours(24 * days);
            let key = format!("{guest}/{}/{}/{at}", message.channel, message.category);
            let digest = Message {
                id: message_id("digest", &key, &message.receiver),
                priority: Priority::Low,
                template: TemplateRef { code: template.code.clone(), version: template.version },
                params: Params::default(),
                accepted_at: now,
                scheduled_at: Some(at),
                expires_at: None,
                transaction: None,
                broadcast: None,
                fingerprint: 0,
                waits: true,
                is_digest: true,
                digest: None,
                attempts: 0,
                error: None,
                state: State::Pending,
                revision: 1,
                ..message.clone()
            };
            // First the member, then the look at the digest: whoever sends it looks for members after it has leased it.
            self.store.join(digest.id, message.id, digest.forgotten_at()).await?;
            let is_open = match self.store.add(&digest).await? {
                Added::New => true,
                Added::Known(known) => known.status() == Status::Pending && known.attempts == 0,
            };
            if is_open {
                self.replaced(message.bundled(digest.id)).await?;
                return Ok(Dispatched::Waits);
            }
        }
        Ok(Dispatched::Later { at: now + crate::MAX_DELAY, priority: message.priority, is_retry: false })
    }

    async fn defer(&self, message: &Message, to: Timestamp) -> Result<Dispatched, DispatchError> {
        self.replaced(message.deferred(to)).await?;
        Ok(Dispatched::Waits)
    }

    async fn refuse(
        &self,
        message: &Message,
        reason: &str,
        now: Timestamp,
    ) -> Result<Dispatched, DispatchError> {
        self.replaced(message.failed(reason, false, now)).await?;
        Ok(Dispatched::Refused(reason.to_owned()))
    }

    async fn bury(
        &self,
        message: &Message,
        reason: &str,
        now: Timestamp,
    ) -> Result<Dispatched, DispatchError> {
        self.replaced(message.failed(reason, true, now)).await?;
        Ok(dead(message, reason))
    }

    /// A round has failed: another one, or the end.
    async fn retry(&self, message: &Message, failure: &Failure) -> Result<Dispatched, DispatchError> {
        let now = (self.clock)();
        let uncounted = u32::from(message.status() == Status::Pending);
        if message.attempts + uncounted >= MAX_ATTEMPTS {
            return self.bury(message, &failure.code, now).await;
        }
        let next = self.replaced(message.again(&failure.code)).await?;
        let wait =
            backoff(next.id, next.attempts, next.priority).max(failure.retry_after.unwrap_or_default());
        let wait = SignedDuration::try_from(wait).unwrap_or(crate::MAX_DELAY).min(crate::MAX_DELAY);
        Ok(Dispatched::Later {
            at: now.checked_add(wait).unwrap_or(Timestamp::MAX),
            priority: message.priority,
            is_retry: true,
        })
    }

    async fn record_sent(
        &self,
        message: &Message,
        provider: &ProviderName,
        accepted: &Accepted,
    ) -> Result<Dispatched, DispatchError> {
        // WeChat is the one that cannot be told our name of a message, and reports under its own.
        if let (Channel::Wechat, Some(reference)) = (message.channel, &accepted.reference) {
            self.store.refer(provider, reference, message.id, message.forgotten_at()).await?;
        }
        self.replaced(message.sent(provider, accepted, (self.clock)())).await?;
        if message.is_digest {
            self.record_members(message.id, provider, accepted).await?;
        }
        Ok(Dispatched::Sent { provider: provider.clone() })
    }

    /// The members of a digest are sent as it is.
    async fn record_members(
        &self,
        digest: MessageId,
        provider: &ProviderName,
        accepted: &Accepted,
    ) -> Result<(), DispatchError> {
        for member in self.store.members(digest).await? {
            let Some(member) = self.store.message(member).await? else { continue };
            if member.digest == Some(digest)
                && let Ok(sent) = member.sent(provider, accepted, (self.clock)())
            {
                // Cancelled in this moment: it is in the digest all the same.
                let _ = self.store.replace(&sent).await?;
            }
        }
        Ok(())
    }

    async fn replaced<E>(&self, next: Result<Message, E>) -> Result<Message, DispatchError> {
        let next = next.map_err(|_| DispatchError::Outdated)?;
        if self.store.replace(&next).await? { Ok(next) } else { Err(DispatchError::Outdated) }
    }
}

fn outgoing(message: &Message, address: Address, rendered: Rendered) -> Outgoing {
    Outgoing {
        id: message.id,
        address,
        rendered,
        category: message.category,
        accepted_at: message.accepted_at,
        due_at: message.due_at(),
    }
}

fn dead(message: &Message, reason: &str) -> Dispatched {
    Dispatched::Dead { reason: reason.to_owned(), priority: message.priority }
}

/// Where a message goes, as far as is known now.
fn address(message: &Message, profile: &GuestProfile) -> Option<Address> {
    match message.receiver.guest() {
        Some(guest) => profile.contacts.address(guest, message.channel),
        None => message.receiver.address(),
    }
}

/// The pause after an attempt: four times as long each time, a quarter of it at random but the same for the same message.
fn backoff(id: MessageId, attempts: u32, priority: Priority) -> Duration {
    let first = match priority {
        Priority::Urgent => Duration::from_secs(2),
        Priority::High => Duration::from_secs(5),
        Priority::Normal | Priority::Low => Duration::from_secs(15),
    };
    let whole = first.saturating_mul(4_u32.saturating_pow(attempts.saturating_sub(1).min(8)));
    let jitter = u32::from(crate::due_shard(id)) * 250 / u32::from(crate::DUE_SHARDS);
    (whole / 4).saturating_mul(3) + (whole / 1_000).saturating_mul(jitter)
}
