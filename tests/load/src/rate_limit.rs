//! `load rate-limit`: a check in this process, on an embedded DynamoDB, beside the raw conditional write on the same one.

use std::{collections::HashMap, time::Duration};

use anyhow::{Result, ensure};
use aws_sdk_dynamodb::{
    Client,
    types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure},
};
use platform_rate_limit::{Decision, Kind, Limit, RateLimiter, Subject, SubjectKey};
use testing::{COUPON_TABLE, EmbeddedDynamoDb, NOW};

use crate::{
    claim::{
        cpu_us, middle, multi_threaded, per_second, ratio,
        rounds::{self, Side},
    },
    report::{Figure, Goal, Report},
};

/// Checks under way at once, for which the goals are set.
const CONCURRENCY: usize = 64;

/// Refusals to every check of a round, so that rounds of both take about as long.
const REFUSALS_PER_CHECK: usize = 20;

/// Of any length that a secret may have.
const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// What to measure.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Seconds that each comparison runs
    #[arg(long, default_value_t = 10)]
    seconds: u32,
    /// Checks under way at once
    #[arg(long, default_value_t = CONCURRENCY)]
    concurrency: usize,
}

/// Measures each kind beside the raw write, and refusals that are remembered beside checks.
pub fn run(arguments: &Arguments, report: &mut Report) -> Result<()> {
    let duration = Duration::from_secs(arguments.seconds.into());
    let window = Duration::from_hours(1);
    let kinds = [
        ("fixed window", Kind::FixedWindow { limit: 1_000, window }),
        ("sliding window", Kind::SlidingWindow { limit: 1_000, window }),
        ("token bucket", Kind::TokenBucket { capacity: 1_000, every: Duration::from_secs(1) }),
    ];
    for (name, kind) in kinds {
        let limit = Limit::new("bench", kind)?;
        let compared = multi_threaded()?.block_on(async {
            let ours = async || checks(limiter().await, limit.clone());
            let theirs = async || Ok(raw(EmbeddedDynamoDb::with_coupon_table().await.0.client()));
            rounds::alternate(arguments.concurrency, duration, ours, theirs).await
        })?;
        let against_raw = Figure::new(format!("{name} ÷ raw write"), ratio(&compared, per_second)?, "");
        // The other kinds read first: the subjects here come once each, and are remembered nowhere.
        let is_one_write = matches!(kind, Kind::FixedWindow { .. });
        report.extend([
            Figure::new(name, middle(&compared.ours, per_second)?, "/s"),
            Figure::new(format!("raw write, beside {name}"), middle(&compared.theirs, per_second)?, "/s"),
            if is_one_write { against_raw.aims_at(Goal::AtLeast(0.85)) } else { against_raw },
            Figure::new(format!("CPU of {name} ÷ CPU of raw write"), ratio(&compared, cpu_us)?, ""),
        ]);
        report.detail(format!("{name} and raw"), &compared)?;
    }
    compare_with_refusals(arguments.concurrency, duration, report)
}

fn compare_with_refusals(concurrency: usize, duration: Duration, report: &mut Report) -> Result<()> {
    let limit = Limit::new("bench", Kind::FixedWindow { limit: 1, window: Duration::from_hours(1) })?;
    let compared = multi_threaded()?.block_on(async {
        let ours = async || {
            let (limiter, limit) = (limiter().await, limit.clone());
            let subject = SECRET.parse::<SubjectKey>()?.guest("0");
            limiter.check(&limit, subject, NOW).await?;
            let refuse = move |subject| {
                let (limiter, limit) = (limiter.clone(), limit.clone());
                async move { expect(limiter.check(&limit, subject, NOW).await?, false) }
            };
            Ok(Side::new(move |_| subject, refuse).times(REFUSALS_PER_CHECK))
        };
        let theirs = async || checks(limiter().await, limit.clone());
        rounds::alternate(concurrency, duration, ours, theirs).await
    })?;
    report.extend([
        Figure::new("remembered refusals", middle(&compared.ours, per_second)?, "/s"),
        Figure::new("CPU of a check ÷ CPU of a remembered refusal", 1.0 / ratio(&compared, cpu_us)?, "×")
            .must_be(Goal::AtLeast(20.0)),
    ]);
    report.detail("refusalsAndChecks", &compared)
}

/// An environment that remembers nothing, on a table of its own.
async fn limiter() -> RateLimiter {
    let (database, name) = EmbeddedDynamoDb::with_coupon_table().await;
    RateLimiter::new(database.client(), name)
}

/// Checks of subjects that were not seen before, all within one window.
fn checks(limiter: RateLimiter, limit: Limit) -> Result<Side<Subject>> {
    let key: SubjectKey = SECRET.parse()?;
    let check = move |subject| {
        let (limiter, limit) = (limiter.clone(), limit.clone());
        async move { expect(limiter.check(&limit, subject, NOW).await?, true) }
    };
    Ok(Side::new(move |n| key.guest(&n.to_string()), check))
}

/// The writes that such checks come to, issued straight through the SDK.
fn raw(client: Client) -> Side<HashMap<String, AttributeValue>> {
    let number = |value: i64| AttributeValue::N(value.to_string());
    Side::new(
        |n| {
            let pk = AttributeValue::S(format!("LIMIT#bench#{n:032x}#1794326400000"));
            HashMap::from([("pk".into(), pk), ("sk".into(), AttributeValue::S("LIMIT".into()))])
        },
        move |key| {
            let update = client
                .update_item()
                .table_name(COUPON_TABLE)
                .set_key(Some(key))
                .update_expression("SET #ttl = :ttl ADD admitted :one")
                .condition_expression("attribute_not_exists(admitted) OR admitted < :allowed")
                .expression_attribute_names("#ttl", "ttl")
                .expression_attribute_values(":ttl", number(1_794_330_060))
                .expression_attribute_values(":one", number(1))
                .expression_attribute_values(":allowed", number(1_000))
                .return_values(ReturnValue::UpdatedNew)
                .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
            async move {
                update.send().await?;
                Ok(())
            }
        },
    )
}

fn expect(decision: Decision, admitted: bool) -> Result<()> {
    ensure!(matches!(decision, Decision::Admitted { .. }) == admitted, "{decision:?}");
    Ok(())
}
