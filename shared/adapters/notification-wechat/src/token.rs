//! The access token of an app, of which there is one for all execution environments.
//!
//! Who finds that a new one is due takes a lease in the shared store, by a conditional write, and fetches it. Everybody
//! else goes on with the old one while it is good, or waits. A fetcher that dies loses its lease after a while, and
//! another one takes over: `stable_token` gives the same token to whoever asks until the old one has five minutes left,
//! so that a fetch too many ends nothing.

use std::{
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use domain_notification::{Failure, SharedToken, SharedTokens, Verdict};
use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use platform_http_client::{Error, HttpClient};
use serde_json::json;

use crate::{Config, answer::Token, post, read_token};

/// A new token is fetched when the present one has so little left. `WeChat` gives a new one only within the last five
/// minutes, and lets both be good for that time.
const REFRESH_BEFORE: SignedDuration = SignedDuration::from_mins(4);

/// A token with less than this left is not used: a message may be on its way for as long as that.
const USABLE_BEFORE: SignedDuration = SignedDuration::from_secs(15);

/// How long whoever waits for another's token waits before it looks again.
const POLL: Duration = Duration::from_millis(100);

/// Tells the time, and waits.
pub struct Time {
    now: Box<dyn Fn() -> Timestamp + Send + Sync>,
    sleep: Box<dyn Fn(Duration) -> BoxFuture<'static, ()> + Send + Sync>,
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Time").finish_non_exhaustive()
    }
}

impl Time {
    /// From a clock and what waits.
    pub fn new<S: Future<Output = ()> + Send + 'static>(
        now: impl Fn() -> Timestamp + Send + Sync + 'static,
        sleep: impl Fn(Duration) -> S + Send + Sync + 'static,
    ) -> Self {
        Self { now: Box::new(now), sleep: Box::new(move |wait| Box::pin(sleep(wait))) }
    }
}

/// A token in the memory of this environment.
#[derive(Clone)]
struct Held {
    token: String,
    expires_at: Timestamp,
}

impl Held {
    fn of(shared: &SharedToken) -> Option<Self> {
        Some(Self { token: shared.token.clone()?, expires_at: shared.expires_at })
    }

    fn has_left(&self, least: SignedDuration, now: Timestamp) -> bool {
        self.expires_at.duration_since(now) > least
    }
}

/// Hands out the access token of one app.
pub struct AccessTokens<T> {
    /// What the token is called in the store: it belongs to the app, whichever providers speak for it.
    name: String,
    uri: String,
    app_id: String,
    app_secret: String,
    timeout: Duration,
    http: HttpClient,
    shared: T,
    time: Time,
    held: Mutex<Option<Held>>,
    /// One of an environment's many senders looks after the token, the others wait for that one.
    turn: tokio::sync::Mutex<()>,
}

impl<T> fmt::Debug for AccessTokens<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessTokens").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<T: SharedTokens> AccessTokens<T> {
    pub(crate) fn new(config: &Config, http: HttpClient, shared: T, time: Time) -> Self {
        Self {
            name: format!("wechat:{}", config.app_id),
            uri: format!("{}/cgi-bin/stable_token", config.endpoint),
            app_id: config.app_id.clone(),
            app_secret: config.app_secret.clone(),
            timeout: config.timeout,
            http,
            shared,
            time,
            held: Mutex::new(None),
            turn: tokio::sync::Mutex::new(()),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.time.now)()
    }

    /// How long fetching a token may take. Sending a message has four times that, the token included.
    fn fetch_timeout(&self) -> Duration {
        self.timeout / 4
    }

    /// How long a fetcher is waited for: longer than a fetch takes.
    fn lease(&self) -> Duration {
        self.timeout * 3 / 8
    }

    /// How long a sender waits for a token: longer than a lease, so that it can take over from one that died.
    fn patience(&self) -> Duration {
        self.timeout / 2
    }

    fn held(&self) -> MutexGuard<'_, Option<Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn in_memory(&self, refused: Option<&str>, least: SignedDuration) -> Option<String> {
        let now = self.now();
        let held = self.held();
        let held =
            held.as_ref().filter(|it| it.has_left(least, now) && refused != Some(it.token.as_str()))?;
        Some(held.token.clone())
    }

    /// A token that is good, and is not the one that `WeChat` has `refused`, for a message whose sending began at
    /// `began_at`.
    pub async fn get(&self, refused: Option<&str>, began_at: Timestamp) -> Result<String, Failure> {
        if let Some(token) = self.in_memory(refused, REFRESH_BEFORE) {
            return Ok(token);
        }
        let _turn = match self.turn.try_lock() {
            Ok(turn) => turn,
            Err(_) => match self.in_memory(refused, USABLE_BEFORE) {
                Some(token) => return Ok(token),
                None => self.turn.lock().await,
            },
        };
        let patience = SignedDuration::try_from(self.patience()).unwrap_or(SignedDuration::MAX);
        loop {
            if let Some(token) = self.in_memory(refused, REFRESH_BEFORE) {
                return Ok(token);
            }
            let Ok(shared) = self.shared.read(&self.name).await else {
                return self.in_memory(refused, USABLE_BEFORE).ok_or_else(|| unavailable("token-store"));
            };
            let now = self.now();
            let present = Held::of(&shared).filter(|it| refused != Some(it.token.as_str()));
            if let Some(present) = &present {
                *self.held() = Some(present.clone());
                if present.has_left(REFRESH_BEFORE, now) {
                    return Ok(present.token.clone());
                }
            }
            let usable = present.filter(|it| it.has_left(USABLE_BEFORE, now)).map(|it| it.token);
            if shared.refreshing_until <= now {
                let lease = SignedDuration::try_from(self.lease()).unwrap_or(SignedDuration::MAX);
                let refreshing_until = now.saturating_add(lease).unwrap_or(Timestamp::MAX);
                let revision = shared.revision.saturating_add(1);
                let claimed = SharedToken { refreshing_until, revision, ..shared };
                // If it is not known whether the claim was written, it counts as another's: its lease ends soon.
                if self.shared.replace(&self.name, &claimed).await.unwrap_or(false) {
                    return self.refresh(claimed, refused).await.or_else(|failure| usable.ok_or(failure));
                }
            } else if let Some(token) = usable {
                return Ok(token);
            }
            if self.now().duration_since(began_at) >= patience {
                return Err(unavailable("token-awaited"));
            }
            (self.time.sleep)(POLL).await;
        }
    }

    /// Fetches a token for everybody, after the claim to do so was written.
    async fn refresh(&self, claimed: SharedToken, refused: Option<&str>) -> Result<String, Failure> {
        let began_at = self.now();
        let fetched = match self.fetch(false).await {
            // It is the one that was refused: it has leaked, or somebody has ended it. Only now is it replaced by
            // force, which `WeChat` allows 20 times a day.
            Ok(token) if refused == Some(token.token.as_str()) => self.fetch(true).await,
            fetched => fetched,
        };
        let revision = claimed.revision.saturating_add(1);
        match fetched {
            Ok(Token { token, good_for }) => {
                let good_for = SignedDuration::try_from(good_for).unwrap_or(SignedDuration::ZERO);
                let expires_at = began_at.saturating_add(good_for).unwrap_or(Timestamp::MAX);
                *self.held() = Some(Held { token: token.clone(), expires_at });
                let next = SharedToken {
                    token: Some(token.clone()),
                    expires_at,
                    refreshing_until: Timestamp::UNIX_EPOCH,
                    revision,
                };
                // If it is not written, the others fetch it again after the lease: they get the same one.
                let _ = self.shared.replace(&self.name, &next).await;
                Ok(token)
            }
            Err(failure) => {
                let freed = SharedToken { refreshing_until: Timestamp::UNIX_EPOCH, revision, ..claimed };
                let _ = self.shared.replace(&self.name, &freed).await;
                Err(failure)
            }
        }
    }

    async fn fetch(&self, is_forced: bool) -> Result<Token, Failure> {
        let body = json!({
            "grant_type": "client_credential",
            "appid": self.app_id,
            "secret": self.app_secret,
            "force_refresh": is_forced,
        });
        match post(&self.http, &self.uri, &body, self.fetch_timeout()).await {
            Ok((status, body)) => read_token(status, &body),
            Err(Error::NotSent(_)) => Err(Failure::new(Verdict::FailOver, "token-not-sent")),
            Err(Error::Unanswered(_)) => Err(Failure::new(Verdict::FailOver, "token-unanswered")),
        }
    }
}

/// Nothing was sent, and may be later.
fn unavailable(code: &str) -> Failure {
    Failure::new(Verdict::Retry, code)
}
