use std::{net::IpAddr, time::Duration};

use account_dynamodb::Accounts;
use domain_ids::GuestId;
use domain_risk::{
    Assessment, Decision, Facts, LimitKind, LimitName, LimitRule, Reason, RiskPolicy, SubjectHash,
};
use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use platform_hot_config::HotConfig;
use platform_rate_limit::{InvalidLimit, Kind, Limit, RateLimiter, StoreError, Subject, SubjectKey};
use platform_telemetry::Chain;
use tokio::time::timeout;

/// Time for the limits of one attempt, which are checked at once. A guest must not wait longer for a gate that may be
/// passed anyway.
pub const CHECK_DEADLINE: Duration = Duration::from_secs(1);

/// What somebody tries to do, and what is known of it. Personal data: it has no `Debug`.
#[derive(Clone)]
pub struct Attempt {
    /// Who.
    pub guest: GuestId,
    /// From which address.
    pub source_ip: Option<IpAddr>,
    /// From which device, as it says itself.
    pub device: Option<String>,
    /// Since when the guest has had an account, where that is known.
    pub account_created_at: Option<Timestamp>,
    /// What, for example `claim`: actions are counted apart. 1 to 50 characters of `a-z0-9-`.
    pub action: &'static str,
}

/// Decides about attempts. Shared by all invocations of a function.
///
/// The default lets everything pass: for tests of what lies behind the gate.
#[derive(Debug, Clone, Default)]
pub struct RiskGate(Option<Parts>);

#[derive(Debug, Clone)]
struct Parts {
    limiter: RateLimiter,
    accounts: Option<Accounts>,
    policy: HotConfig<RiskPolicy>,
    key: SubjectKey,
}

/// A limit could not be checked.
#[derive(Debug)]
enum Unchecked {
    Store(StoreError),
    TimedOut,
    /// A policy that was parsed has limits that can be kept: a defect, or an action that cannot stand in a key.
    Invalid(InvalidLimit),
}

impl RiskGate {
    /// Assesses by `policy`, counting with `limiter`, under digests made with `key`.
    pub fn new(limiter: RateLimiter, policy: HotConfig<RiskPolicy>, key: SubjectKey) -> Self {
        Self(Some(Parts { limiter, accounts: None, policy, key }))
    }

    /// Looks up how old accounts are, where the policy wants to know it and the attempt does not say it. Without, such
    /// accounts are not taken for new.
    #[must_use]
    pub fn with_accounts(self, accounts: Accounts) -> Self {
        Self(self.0.map(|parts| Parts { accounts: Some(accounts), ..parts }))
    }

    /// Counts the attempt under every limit that is on, and says what to do with it.
    ///
    /// At most one write for each of the four limits, all at once, and one read where the age of the account matters. An
    /// attempt that is blocked by a list, or allowed by one, costs no write.
    pub async fn assess(&self, attempt: &Attempt, now: Timestamp) -> Assessment {
        let Some(parts) = &self.0 else { return RiskPolicy::default().assess(&nothing_known()) };
        let policy = parts.policy.current(now).await;
        if policy.is_off() {
            return policy.assess(&nothing_known());
        }
        let mut facts = parts.facts(attempt, now);
        if facts.account_age.is_none() && policy.wants_account_age() {
            facts.account_age = parts.account_age(&attempt.guest, now).await;
        }
        let exceeded = parts.exceeded(&policy, &facts, attempt.action, now).await;
        let assessment = policy.assess(&Facts { exceeded, ..facts });
        record(&assessment, attempt.action);
        assessment
    }
}

impl Parts {
    /// What is known without asking anybody.
    fn facts(&self, attempt: &Attempt, now: Timestamp) -> Facts {
        let hash = |subject: Subject| SubjectHash::from_bytes(subject.to_bytes());
        Facts {
            guest: hash(self.key.guest(attempt.guest.as_str())),
            ip: attempt.source_ip.map(|address| hash(self.key.ip(address))),
            device: attempt.device.as_deref().map(|device| hash(self.key.device(device))),
            account_age: attempt.account_created_at.map(|created_at| now.duration_since(created_at)),
            exceeded: Vec::new(),
        }
    }

    /// How old the account is, if that can be found out in time.
    async fn account_age(&self, guest: &GuestId, now: Timestamp) -> Option<SignedDuration> {
        match timeout(CHECK_DEADLINE, self.accounts.as_ref()?.since(guest)).await {
            Ok(Ok(since)) => since.map(|since| now.duration_since(since)),
            Ok(Err(error)) => {
                metrics::counter!("RiskAccountUnavailable").increment(1);
                tracing::warn!(error = %Chain(&error), "the age of an account is not known");
                None
            }
            Err(_) => {
                metrics::counter!("RiskAccountUnavailable").increment(1);
                tracing::warn!("the age of an account was not found out in time");
                None
            }
        }
    }

    /// The limits that this attempt exceeds. There are four at most, so that all may be checked at once.
    async fn exceeded(
        &self,
        policy: &RiskPolicy,
        facts: &Facts,
        action: &'static str,
        now: Timestamp,
    ) -> Vec<LimitName> {
        let checks = policy.limits_to_check(facts).map(async |(name, subject, rule)| {
            let subject = Subject::from_bytes(subject.to_bytes());
            let exceeded = self.exceeds(name, rule, action, subject, now).await.unwrap_or_else(|error| {
                metrics::counter!("RiskLimitUnavailable").increment(1);
                error.log();
                false
            });
            exceeded.then_some(name)
        });
        join_all(checks).await.into_iter().flatten().collect()
    }

    async fn exceeds(
        &self,
        name: LimitName,
        rule: &LimitRule,
        action: &'static str,
        subject: Subject,
        now: Timestamp,
    ) -> Result<bool, Unchecked> {
        let limit = limit(name, rule, action).map_err(Unchecked::Invalid)?;
        match timeout(CHECK_DEADLINE, self.limiter.check(&limit, subject, now)).await {
            Ok(Ok(platform_rate_limit::Decision::Admitted { .. })) => Ok(false),
            Ok(Ok(platform_rate_limit::Decision::Refused { .. })) => Ok(true),
            Ok(Err(error)) => Err(Unchecked::Store(error)),
            Err(_) => Err(Unchecked::TimedOut),
        }
    }
}

fn limit(name: LimitName, rule: &LimitRule, action: &'static str) -> Result<Limit, InvalidLimit> {
    let seconds = |seconds: u32| Duration::from_secs(seconds.into());
    let kind = match rule.kind {
        LimitKind::FixedWindow { limit, window_seconds } => {
            Kind::FixedWindow { limit, window: seconds(window_seconds) }
        }
        LimitKind::SlidingWindow { limit, window_seconds } => {
            Kind::SlidingWindow { limit, window: seconds(window_seconds) }
        }
        LimitKind::TokenBucket { capacity, every_micros } => {
            Kind::TokenBucket { capacity, every: Duration::from_micros(every_micros) }
        }
    };
    match name {
        LimitName::PerUser => Limit::new(&format!("per-user:{action}"), kind),
        LimitName::PerIp => Limit::new(&format!("per-ip:{action}"), kind),
        LimitName::PerDevice => Limit::new(&format!("per-device:{action}"), kind),
        LimitName::Velocity => Limit::new("velocity", kind),
    }
}

impl Unchecked {
    fn log(&self) {
        match self {
            Self::Store(error) => tracing::warn!(error = %Chain(error), "a limit was not checked"),
            Self::TimedOut => tracing::warn!(error = "no answer in time", "a limit was not checked"),
            Self::Invalid(error) => tracing::error!(error = %error, "a limit was not checked"),
        }
    }
}

/// What a policy is asked about that is off.
fn nothing_known() -> Facts {
    Facts {
        guest: SubjectHash::from_bytes([0; 16]),
        ip: None,
        device: None,
        account_age: None,
        exceeded: Vec::new(),
    }
}

/// The metrics of an assessment, and a log line where there is something to tell; nobody is named.
fn record(Assessment { score, decision, reasons }: &Assessment, action: &'static str) {
    metrics::counter!("RiskDecisions", "decision" => decision.name()).increment(1);
    let mut names = Vec::with_capacity(reasons.len());
    for reason in reasons {
        let (name, effect) = match reason {
            Reason::AllowListed => ("allow_listed", "counted"),
            Reason::Observed(rule) => (rule.name(), "observed"),
            Reason::Counted(rule) => (rule.name(), "counted"),
        };
        metrics::counter!("RiskReasons", "reason" => name, "effect" => effect).increment(1);
        names.push(name);
    }
    if *decision != Decision::Admit {
        let reasons = names.join(" ");
        tracing::info!(
            risk.action = action,
            risk.decision = decision.name(),
            risk.score = score,
            risk.reasons = reasons,
            "risk"
        );
    }
}
