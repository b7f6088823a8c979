use std::{
    error::Error,
    fmt,
    str::FromStr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use aws_config::SdkConfig;
use jiff::{SignedDuration, Timestamp};
use platform_config::{ConfigError, Env};
use platform_telemetry::Chain;
use tokio::sync::Mutex as AsyncMutex;

use crate::{
    Location, MAX_DOCUMENT_BYTES, Source,
    source::{FetchError, Fetched},
};

/// Time for one look at the source: two calls within the region, the first with a TLS handshake.
pub const FETCH_DEADLINE: Duration = Duration::from_secs(2);

/// How long after a failure the source is left alone.
pub const RETRY_INTERVAL: SignedDuration = SignedDuration::from_secs(10);

/// The age at which a value is no longer returned at once: the source is looked at first. Lambda freezes a function
/// between invocations, so that what runs in the background may not get on for as long as nobody comes.
pub const MAX_STALENESS: SignedDuration = SignedDuration::from_mins(5);

/// A value that follows its source. Clones are the same value.
pub struct HotConfig<T>(Arc<Inner<T>>);

struct Inner<T> {
    state: Mutex<State<T>>,
    /// Whoever has it looks at the source; nobody else does meanwhile.
    source: Option<Arc<AsyncMutex<Source>>>,
}

struct State<T> {
    value: Arc<T>,
    /// When the source last answered.
    answered_at: Option<Timestamp>,
    /// When it was last asked, and for how long that is enough.
    asked: Option<(Timestamp, SignedDuration)>,
}

/// What is to be done before the value is returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    Nothing,
    /// Look at the source, and do not wait for it.
    Refresh,
    /// Look at the source first.
    Load,
}

impl<T> HotConfig<T> {
    /// This value, for good.
    pub fn fixed(value: T) -> Self {
        Self::of(value, None)
    }

    fn of(value: T, source: Option<Source>) -> Self {
        let state = State { value: Arc::new(value), answered_at: None, asked: None };
        let source = source.map(|source| Arc::new(AsyncMutex::new(source)));
        Self(Arc::new(Inner { state: Mutex::new(state), source }))
    }
}

impl<T> HotConfig<T>
where
    T: FromStr<Err: Error + Send + Sync + 'static> + Send + Sync + 'static,
{
    /// What `source` has, and `built_in` until it has yielded a valid document.
    pub fn new(source: Source, built_in: T) -> Self {
        Self::of(built_in, Some(source))
    }

    /// What the source has that the variable `name` names, or `built_in` for good where it is not set.
    pub fn from_env(
        env: &Env,
        name: &'static str,
        sdk: &SdkConfig,
        built_in: T,
    ) -> Result<Self, ConfigError> {
        let location = env.optional::<Location>(name)?;
        Ok(Self::of(built_in, location.map(|location| Source::new(location, sdk))))
    }

    /// The value in force. It is refreshed in the background where that is due; the first time, and once it is older than
    /// [`MAX_STALENESS`], the source is waited for.
    pub async fn current(&self, now: Timestamp) -> Arc<T> {
        if let Some(source) = &self.0.source {
            match self.0.due(now) {
                Due::Nothing => {}
                Due::Refresh => {
                    if let Ok(mut source) = Arc::clone(source).try_lock_owned() {
                        let inner = Arc::clone(&self.0);
                        tokio::spawn(async move { inner.refresh(&mut source, now).await });
                    }
                }
                Due::Load => {
                    let mut source = source.lock().await;
                    // Perhaps somebody else has done it while this one waited.
                    if self.0.due(now) != Due::Nothing {
                        self.0.refresh(&mut source, now).await;
                    }
                }
            }
        }
        Arc::clone(&self.0.state().value)
    }
}

impl<T> Inner<T> {
    fn due(&self, now: Timestamp) -> Due {
        let state = self.state();
        // A time in the future is one of a clock that was set back: not to be waited for.
        let is_within =
            |since: Timestamp, time| (SignedDuration::ZERO..time).contains(&now.duration_since(since));
        if state.asked.is_some_and(|(asked_at, enough_for)| is_within(asked_at, enough_for)) {
            Due::Nothing
        } else if state.answered_at.is_some_and(|answered_at| is_within(answered_at, MAX_STALENESS)) {
            Due::Refresh
        } else {
            Due::Load
        }
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: FromStr<Err: Error + Send + Sync + 'static>> Inner<T> {
    async fn refresh(&self, source: &mut Source, now: Timestamp) {
        let fetched = tokio::time::timeout(FETCH_DEADLINE, source.fetch()).await;
        let fetched = fetched.unwrap_or(Err(FetchError::TimedOut));
        let (answered, poll_after, parsed) = match fetched {
            Ok(Fetched { document, poll_after }) => (true, poll_after, document.map(parse).transpose()),
            Err(error) => (false, RETRY_INTERVAL, Err(error)),
        };
        let mut state = self.state();
        state.asked = Some((now, poll_after));
        if answered {
            state.answered_at = Some(now);
        }
        match parsed {
            Ok(None) => {}
            Ok(Some(value)) => {
                state.value = Arc::new(value);
                tracing::info!("configuration loaded");
            }
            Err(error) => {
                metrics::counter!("ConfigRefreshFailed", "reason" => error.reason()).increment(1);
                tracing::error!(error = %Chain(&error), "the configuration stays as it was");
            }
        }
    }
}

fn parse<T: FromStr<Err: Error + Send + Sync + 'static>>(document: Vec<u8>) -> Result<T, FetchError> {
    if document.len() > MAX_DOCUMENT_BYTES {
        return Err(FetchError::Invalid("it is too large".into()));
    }
    let text = String::from_utf8(document).map_err(|_| FetchError::Invalid("it is not UTF-8".into()))?;
    text.parse().map_err(|error: T::Err| FetchError::Invalid(Box::new(error)))
}

impl<T> Clone for HotConfig<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// Without the value, which may have to stay unseen.
impl<T> fmt::Debug for HotConfig<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HotConfig").field("is_fixed", &self.0.source.is_none()).finish_non_exhaustive()
    }
}
