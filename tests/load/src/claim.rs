//! `load claim`: the handler in this process, on an embedded DynamoDB, beside the raw transaction on the same one.

mod arrivals;
pub mod cost;
mod free_store;
mod handler;
mod raw;
pub mod rounds;

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result, bail};
use aws_sdk_dynamodb::Client;
use coupon_dynamodb::CouponTable;
use domain_coupon::{Stock, Template};
use lambda_http::http::StatusCode;
use testing::EmbeddedDynamoDb;
use tokio::runtime::Runtime;

use self::{
    cost::Cost,
    free_store::FreeStore,
    handler::Handler,
    raw::RawTransaction,
    rounds::{Compared, Round, Side},
};
use crate::{
    event::{self, Events},
    report::{Figure, Goal, Report},
    sale,
    statistics::{median, ratios},
};

/// Claims under way at once, for which the goals are set.
const CONCURRENCY: usize = 64;

/// Coupons enough for every claim of a run.
const STOCK: u32 = 100_000_000;

/// Coupons of the sale that is sold out before it is measured.
const SMALL_STOCK: u32 = 1_000;

/// Refusals to every claim of a round, so that rounds of both take about as long.
const REFUSALS_PER_CLAIM: usize = 20;

/// Guests who are refused again and again.
const REFUSED_GUESTS: usize = 1_000;

/// Refusals at one instant, all within the time that "sold out" is remembered.
const REFUSALS_AT_ONCE: usize = 10_000;

/// What to measure.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Seconds that each comparison runs, and the offered load
    #[arg(long, default_value_t = 10)]
    seconds: u32,
    /// Claims under way at once, each compared
    #[arg(long, value_delimiter = ',', default_values_t = [CONCURRENCY, 1])]
    concurrency: Vec<usize>,
    /// Claims offered per second, whether the ones before are done or not
    #[arg(long, default_value_t = sale::CLAIMS_PER_SECOND)]
    rate: u32,
    /// Claims in each round whose allocations and processor time are counted
    #[arg(long, default_value_t = 500)]
    counted: usize,
}

/// Measures, each part on a runtime of its own.
pub fn run(arguments: &Arguments, report: &mut Report) -> Result<()> {
    let duration = Duration::from_secs(arguments.seconds.into());
    for &concurrency in &arguments.concurrency {
        compare_with_raw(concurrency, duration, report)?;
    }
    compare_with_sold_out(CONCURRENCY, duration, report)?;
    count_costs(arguments.counted, report)?;
    offer_load(arguments.rate, duration, report)
}

/// A sale on a DynamoDB of its own.
struct Sale {
    client: Client,
    handler: Arc<Handler<CouponTable>>,
    template: Template,
    keyed: Events,
}

impl Sale {
    async fn of(coupons: u32) -> Result<Self> {
        let (database, name) = EmbeddedDynamoDb::with_coupon_table().await;
        let client = database.client();
        let table = CouponTable::new(client.clone(), name);
        let template = sale::open(&table, coupons).await?;
        let keyed = Events::of(template.id, true);
        Ok(Self { client, handler: Arc::new(Handler::new(table)), template, keyed })
    }

    /// Claims of guests who have claimed nothing yet.
    fn claims(&self) -> Side<String> {
        let (handler, events) = (Arc::clone(&self.handler), self.keyed.clone());
        Side::new(
            move |n| events.from(&event::guest(1, n)),
            move |event: String| {
                let handler = Arc::clone(&handler);
                async move { handler.expect(&event, StatusCode::CREATED).await }
            },
        )
    }

    /// The transactions that such claims come to.
    fn raw(&self) -> Result<Side<String>> {
        let Stock::Limited(stock) = &self.template.stock else { bail!("the stock is limited") };
        let raw = Arc::new(RawTransaction::new(self.client.clone(), &self.template, stock.shards));
        Ok(Side::new(
            |n| event::guest(2, n),
            move |guest: String| {
                let raw = Arc::clone(&raw);
                async move { raw.claim(&guest).await }
            },
        ))
    }

    /// Claims of guests who come too late. They carry no key: one that does might be a repeat, and is looked up.
    fn refusals(&self) -> Side<Arc<str>> {
        let (handler, events) = (Arc::clone(&self.handler), Events::of(self.template.id, false));
        let crowd: Vec<Arc<str>> =
            (0..REFUSED_GUESTS).map(|n| events.from(&event::guest(3, n)).into()).collect();
        Side::new(
            move |n| crowd.get(n % REFUSED_GUESTS).map(Arc::clone).unwrap_or_default(),
            move |event: Arc<str>| {
                let handler = Arc::clone(&handler);
                async move { handler.expect(&event, StatusCode::CONFLICT).await }
            },
        )
    }

    /// Claims until nothing is left, and once more, so that it is known.
    async fn sell_out(&self) -> Result<()> {
        let claims = self.claims();
        for n in 0..SMALL_STOCK as usize {
            claims.call(claims.request(n)).await?;
        }
        let refusals = self.refusals();
        refusals.call(refusals.request(0)).await
    }
}

fn compare_with_raw(concurrency: usize, duration: Duration, report: &mut Report) -> Result<()> {
    let compared = multi_threaded()?.block_on(async {
        let ours = async || Ok(Sale::of(STOCK).await?.claims());
        let theirs = async || Sale::of(STOCK).await?.raw();
        rounds::alternate(concurrency, duration, ours, theirs).await
    })?;
    let of = |what: &str| format!("{what}, {concurrency} at once");
    let against_raw = Figure::new(of("handler ÷ raw"), ratio(&compared, per_second)?, "");
    report.extend([
        Figure::new(of("handler"), middle(&compared.ours, per_second)?, "/s"),
        Figure::new(of("raw transaction"), middle(&compared.theirs, per_second)?, "/s"),
        if concurrency == CONCURRENCY { against_raw.must_be(Goal::AtLeast(0.85)) } else { against_raw },
        Figure::new(of("CPU of handler, SDK and database"), middle(&compared.ours, cpu_us)?, "µs"),
        Figure::new(of("CPU of raw ÷ CPU of handler"), 1.0 / ratio(&compared, cpu_us)?, ""),
    ]);
    report.detail(format!("handlerAndRawAt{concurrency}"), &compared)
}

fn compare_with_sold_out(concurrency: usize, duration: Duration, report: &mut Report) -> Result<()> {
    let (compared, units) = multi_threaded()?.block_on(async {
        let sold_out = Sale::of(SMALL_STOCK).await?;
        sold_out.sell_out().await?;
        let refusals = async || Ok(sold_out.refusals().times(REFUSALS_PER_CLAIM));
        let claims = async || Ok(Sale::of(STOCK).await?.claims());
        let compared = rounds::alternate(concurrency, duration, refusals, claims).await?;

        let consumed = sold_out.handler.store().consumed();
        let now = platform_lambda::now();
        let event = Events::of(sold_out.template.id, false).from(&event::guest(3, 0));
        sold_out.handler.expect_at(now, &event, StatusCode::CONFLICT).await?;
        consumed.take();
        for _ in 0..REFUSALS_AT_ONCE {
            sold_out.handler.expect_at(now, &event, StatusCode::CONFLICT).await?;
        }
        anyhow::Ok((compared, consumed.take()))
    })?;
    let (goal, nothing) = (Goal::AtLeast(20.0), Goal::AtMost(0.0));
    report.extend([
        Figure::new(format!("sold out, {concurrency} at once"), middle(&compared.ours, per_second)?, "/s"),
        Figure::new("sold out ÷ claim", ratio(&compared, per_second)?, "×").aims_at(goal),
        // Of a machine that is busy, claims get more than refusals: they run on more threads.
        Figure::new("CPU of a claim ÷ CPU of a refusal", 1.0 / ratio(&compared, cpu_us)?, "×").must_be(goal),
        Figure::new(
            format!("{REFUSALS_AT_ONCE} remembered refusals"),
            halves(units.half_reads),
            "read units",
        )
        .must_be(nothing),
        Figure::new(
            format!("{REFUSALS_AT_ONCE} remembered refusals"),
            halves(units.half_writes),
            "write units",
        )
        .must_be(nothing),
    ]);
    report.detail("soldOutAndClaims", &compared)
}

/// One at a time on one thread, as Lambda does it. DynamoDB works on other threads, so that what this one takes is
/// what the function takes.
fn count_costs(claims: usize, report: &mut Report) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (sale, free) = runtime.block_on(async {
        let sale = Sale::of(STOCK).await?;
        let free = Arc::new(Handler::new(FreeStore::of(sale.template.clone())));
        anyhow::Ok((sale, free))
    })?;
    let (claims_of, events) = (sale.claims(), sale.keyed.clone());
    let for_free = Side::new(
        move |n| events.from(&event::guest(1, n)),
        move |event: String| {
            let free = Arc::clone(&free);
            async move { free.expect(&event, StatusCode::CREATED).await }
        },
    );
    let [handler, raw, free] = cost::count(&runtime, claims, [&claims_of, &sale.raw()?, &for_free])?;
    let shown = |what: &str, cost: &Cost| {
        [
            Figure::new(format!("allocations per claim, {what}"), cost.allocations, ""),
            Figure::new(format!("allocated per claim, {what}"), cost.kilobytes, "KB"),
            Figure::new(format!("CPU per claim, {what}"), cost.cpu_us, "µs"),
        ]
    };
    report.extend(shown("handler and SDK", &handler));
    report.extend(shown("raw transaction and SDK", &raw));
    report.extend(shown("handler on a store that does nothing", &free));
    report.detail("costOfHandler", &handler)?;
    report.detail("costOfRaw", &raw)?;
    report.detail("costOfHandlerAlone", &free)
}

fn offer_load(rate: u32, duration: Duration, report: &mut Report) -> Result<()> {
    let latency = multi_threaded()?.block_on(async {
        let sale = Sale::of(STOCK).await?;
        arrivals::offer(rate, duration, &sale.claims()).await
    })?;
    let what = |of: &str| format!("{rate} claims/s offered, {of}");
    report.extend([
        Figure::new(what("p50"), latency.p50, "ms"),
        Figure::new(what("p99"), latency.p99, "ms").aims_at(Goal::AtMost(200.0)),
        Figure::new(what("slowest"), latency.max, "ms"),
    ]);
    report.detail("offeredLoad", &latency)
}

/// How many requests a round answered a second.
pub fn per_second(round: &Round) -> f64 {
    round.per_second
}

/// The processor time of a round's requests, each.
pub fn cpu_us(round: &Round) -> f64 {
    round.cpu_us
}

/// The median over the rounds.
pub fn middle(rounds: &[Round], figure: fn(&Round) -> f64) -> Result<f64> {
    median(&rounds.iter().map(figure).collect::<Vec<_>>()).context("no round was run")
}

/// The median of what each round came to of the one beside it.
pub fn ratio(compared: &Compared, figure: fn(&Round) -> f64) -> Result<f64> {
    let of = |rounds: &[Round]| rounds.iter().map(figure).collect::<Vec<_>>();
    median(&ratios(&of(&compared.ours), &of(&compared.theirs))).context("no round was run")
}

fn halves(halves: u64) -> f64 {
    halves as f64 / 2.0
}

/// A runtime with a thread for each core.
pub fn multi_threaded() -> Result<Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}
