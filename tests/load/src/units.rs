//! `load units`: what each operation costs in capacity units of DynamoDB, as it reports them itself
//! (`ReturnConsumedCapacity`), on a sale laid out for 1,000 claims a second.

mod notifications;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use anyhow::{Context, Result};
use aws_sdk_dynamodb::{
    Client,
    config::{ConfigBag, Intercept, RuntimeComponents, interceptors::BeforeTransmitInterceptorContextRef},
    error::BoxError,
};
use claim_coupon::handler::{self, Chance};
use coupon_dynamodb::CouponTable;
use domain_coupon::{
    Actor, ClaimCoupon, CodeUse, CouponCode, CouponShelf, ExpiryStore, MAX_BATCH, NewTemplate, SaleMemory,
    Source, Template, TemplateChange, TemplateShelf, TemplateStore, Transition, change_template, claim_batch,
    transition,
};
use domain_ids::{CodeBatchId, CouponId, Nth, TemplateId};
use domain_money::Fen;
use jiff::Timestamp;
use lambda_http::{http::StatusCode, request};
use serde::Serialize;
use testing::EmbeddedDynamoDb;

use crate::{
    event::{self, Events},
    report::{Figure, Goal, Report},
    sale,
};

/// Coupons of the sale that is sold out: 20 a shard.
const SMALL_STOCK: u32 = 1_000;

/// A guest who comes too late.
const LATE: usize = 1_000_000;

/// Templates that a page of a list has at most, by default.
const PAGE: u16 = 20;

/// What an operation costs.
#[derive(Debug, Serialize)]
pub struct Operation {
    what: &'static str,
    reads: f64,
    writes: f64,
    /// Requests to DynamoDB.
    requests: u64,
    /// Of them transactions. One that is refused is charged too, but not reported.
    transactions: u64,
}

/// Measures, on a runtime of its own.
pub fn run(report: &mut Report) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let operations = runtime.block_on(measure())?;
    let rows = operations.iter().map(|operation| {
        let Operation { what, reads, writes, requests, transactions } = operation;
        ((*what).to_owned(), vec![*reads, *writes, *requests as f64, *transactions as f64])
    });
    report.table(&["", "read units", "write units", "requests", "of them transactions"], rows);
    for (what, reads, writes) in [(CLAIM, 0.0, 5.0), (REMEMBERED, 0.0, 0.0)] {
        let measured = operations.iter().find(|operation| operation.what == what).context(what)?;
        let figure = |unit, value, most| Figure::new(what, value, unit).must_be(Goal::AtMost(most));
        report.extend([
            figure("read units", measured.reads, reads),
            figure("write units", measured.writes, writes),
        ]);
    }
    report.detail("operations", &operations)?;

    let (operations, lives) = runtime.block_on(notifications::measure())?;
    let rows = operations.iter().chain(&lives).map(|operation| {
        let Operation { what, reads, writes, requests, .. } = operation;
        ((*what).to_owned(), vec![*reads, *writes, *requests as f64])
    });
    report.table(&["notifications", "read units", "write units", "requests"], rows);
    for life in &lives {
        let goal = Goal::AtMost(notifications::MOST_WRITES);
        report.extend([Figure::new(life.what, life.writes, "write units").must_be(goal)]);
    }
    report.detail("notifications", &(operations, lives))
}

const CLAIM: &str = "claim";
const REMEMBERED: &str = "refusal, sold out is remembered";

async fn measure() -> Result<Vec<Operation>> {
    let mut bench = Bench::new().await;
    let now = platform_lambda::now();
    let limited = bench
        .publish("create a template of 50 shards", 1, |draft| draft.total_count = Some(SMALL_STOCK))
        .await?;
    let unlimited =
        bench.publish("create an unlimited template", 2, |draft| draft.total_count = None).await?;
    let several = bench.publish("create another", 3, |draft| draft.per_user_limit = 3).await?;
    bench.operations.pop();

    bench.claim("claim, the first of an environment", limited.id, 0, true).await?;
    bench.claim(CLAIM, limited.id, 1, true).await?;
    bench.claim("repeat of a claim with its key", limited.id, 1, true).await?;
    bench.claim("warm-up", several.id, 0, true).await?;
    bench.operations.pop();
    bench.claim("claim where a guest may have several", several.id, 1, true).await?;
    bench.claim("warm-up", unlimited.id, 0, true).await?;
    bench.operations.pop();
    bench.claim("claim of an unlimited template", unlimited.id, 1, true).await?;

    let guest = event::guest(1, 1).parse()?;
    let coupon = CouponId::new(&guest, limited.id, Nth::MIN);
    bench.start();
    CouponShelf::coupons(&bench.table, &guest, None, PAGE).await?;
    bench.stop("list a guest's coupons");
    CouponShelf::coupon(&bench.table, &guest, coupon).await?.context("the coupon")?;
    bench.stop("read a coupon");
    TemplateShelf::on_sale(&bench.table, now, None, PAGE).await?;
    bench.stop("list the sales (3 templates)");
    TemplateShelf::template(&bench.table, limited.id).await?;
    bench.stop("read a template");
    TemplateShelf::remaining(&bench.table, &limited).await?;
    bench.stop("count what is left of 50 shards");

    bench.transitions(coupon, now).await?;
    bench.batch(several.id, now).await?;
    bench.exchange(now).await?;

    for n in 2..SMALL_STOCK as usize {
        bench.answer(limited.id, n, true).await?;
    }
    bench.memory = SaleMemory::default();
    bench.claim("refusal, the one that finds it sold out", limited.id, LATE, false).await?;
    bench.claim(REMEMBERED, limited.id, LATE, false).await?;
    bench.claim("refusal, remembered, of a claim with a key", limited.id, LATE, true).await?;
    bench.memory = SaleMemory::default();
    bench.claim("refusal, the first of another environment", limited.id, LATE, false).await?;

    let current = TemplateStore::template(&bench.table, limited.id).await?.context("the template")?;
    let more = TemplateChange { total_count: Some(2 * SMALL_STOCK), ..TemplateChange::default() };
    bench.start();
    change_template(&bench.table, limited.id, current.version, more, now).await?;
    bench.stop("top up 50 shards");
    Ok(bench.operations)
}

/// Whose costs are counted.
struct Bench {
    table: CouponTable,
    memory: SaleMemory,
    sent: Arc<Sent>,
    operations: Vec<Operation>,
}

impl Bench {
    async fn new() -> Self {
        let (database, name) = EmbeddedDynamoDb::with_coupon_table().await;
        let sent = Arc::new(Sent::default());
        let counter = Counter(Arc::clone(&sent));
        let config = database.client().config().to_builder().interceptor(counter).build();
        let table = CouponTable::new(Client::from_conf(config), name);
        Self { table, memory: SaleMemory::default(), sent, operations: Vec::new() }
    }

    /// What was consumed until now belongs to nothing.
    fn start(&self) {
        self.table.consumed().take();
        self.sent.take();
    }

    /// What was consumed since belongs to this.
    fn stop(&mut self, what: &'static str) {
        let units = self.table.consumed().take();
        let (requests, transactions) = self.sent.take();
        let (reads, writes) = (units.half_reads as f64 / 2.0, units.half_writes as f64 / 2.0);
        self.operations.push(Operation { what, reads, writes, requests, transactions });
    }

    async fn publish(
        &mut self,
        what: &'static str,
        number: u128,
        change: impl FnOnce(&mut NewTemplate),
    ) -> Result<Template> {
        let now = platform_lambda::now();
        let mut draft = sale::draft(now, SMALL_STOCK);
        change(&mut draft);
        let template = draft.publish(testing::template_id(number), now)?;
        self.start();
        self.table.insert(&template).await?;
        self.stop(what);
        Ok(template)
    }

    async fn claim(&mut self, what: &'static str, template: TemplateId, n: usize, keyed: bool) -> Result<()> {
        self.start();
        self.answer(template, n, keyed).await?;
        self.stop(what);
        Ok(())
    }

    /// The life of a coupon, then the end of another one's time.
    async fn transitions(&mut self, coupon: CouponId, now: Timestamp) -> Result<()> {
        let guest = event::guest(1, 1).parse()?;
        let order = || "order-1".parse();
        let steps = [
            ("lock a coupon", Transition::Lock { order: order()?, saved: Fen::new(2_000) }),
            ("release it", Transition::Release { order: order()? }),
            ("lock it again", Transition::Lock { order: order()?, saved: Fen::new(2_000) }),
            ("redeem it", Transition::Redeem { order: order()? }),
            ("redeem it again: a repeat", Transition::Redeem { order: order()? }),
            ("refund it", Transition::Refund { order: order()? }),
        ];
        for (what, step) in steps {
            self.start();
            transition(&self.table, Actor::Service, &guest, coupon, &step, now).await?;
            self.stop(what);
        }
        let guest = event::guest(1, 0).parse()?;
        let other = CouponId::new(&guest, coupon.template(), Nth::MIN);
        let due = self.table.coupon(&guest, other).await?.context("the coupon")?.expires_at;
        self.start();
        self.table.expire(&guest, other, due).await?;
        self.stop("expire a coupon");
        Ok(())
    }

    /// Ten claims in one transaction.
    async fn batch(&mut self, template: TemplateId, now: Timestamp) -> Result<()> {
        let claim = |n: usize| -> Result<ClaimCoupon> {
            Ok(ClaimCoupon {
                guest: format!("queued-{n}").parse()?,
                code: CouponCode::from_random(n as u128),
                ..Self::command(template, now)?
            })
        };
        let claims: Vec<ClaimCoupon> = (0..MAX_BATCH).map(claim).collect::<Result<_>>()?;
        self.start();
        claim_batch(&self.table, &self.memory, &claims).await;
        self.stop("claim ten in one transaction, where a guest may have several");
        Ok(())
    }

    async fn exchange(&mut self, now: Timestamp) -> Result<()> {
        let template = self
            .publish("create an exchange template", 4, |draft| {
                draft.issue_type = domain_coupon::IssueType::Exchange;
            })
            .await?;
        self.operations.pop();
        let code = CodeUse { batch: CodeBatchId::from_parts(1, 1), index: 1 };
        let claim = ClaimCoupon {
            source: Source::Exchange,
            exchange: Some(code),
            ..Self::command(template.id, now)?
        };
        self.memory.learn(template.id, Some(Arc::new(template)), now);
        self.start();
        domain_coupon::claim(&self.table, &self.memory, &claim).await?;
        self.stop("claim with an exchange code");
        Ok(())
    }

    fn command(template: TemplateId, now: Timestamp) -> Result<ClaimCoupon> {
        Ok(ClaimCoupon {
            guest: "guest-with-a-code".parse()?,
            template,
            source: Source::Claim,
            campaign: None,
            exchange: None,
            key: None,
            code: CouponCode::from_random(1),
            at: now,
            seed: 1,
        })
    }

    async fn answer(&self, template: TemplateId, n: usize, keyed: bool) -> Result<StatusCode> {
        let event = Events::of(template, keyed).from(&event::guest(1, n));
        let at: Timestamp = platform_lambda::now();
        let chance = Chance { at, code: n as u128, seed: n as u64 };
        let response = handler::handle(&self.table, &self.memory, chance, request::from_str(&event)?).await?;
        Ok(response.status())
    }
}

/// What was sent.
#[derive(Debug, Default)]
struct Sent {
    requests: AtomicU64,
    transactions: AtomicU64,
}

impl Sent {
    /// Requests, and transactions among them, since the last call.
    fn take(&self) -> (u64, u64) {
        (self.requests.swap(0, Ordering::Relaxed), self.transactions.swap(0, Ordering::Relaxed))
    }
}

/// Counts what is sent.
#[derive(Debug)]
struct Counter(Arc<Sent>);

impl Intercept for Counter {
    fn name(&self) -> &'static str {
        "Counter"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.0.requests.fetch_add(1, Ordering::Relaxed);
        let operation = context.request().headers().get("x-amz-target").unwrap_or_default();
        if operation.ends_with(".TransactWriteItems") {
            self.0.transactions.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }
}
