//! The units of notifications.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result, ensure};
use aws_sdk_dynamodb::Client;
use domain_channel::{Channel, Priority};
use domain_coupon::StoreError;
use domain_ids::MessageId;
use domain_notification::{
    Accepted, Channels, Dispatch, DispatchQueue, Dispatched, Failure, Gateway, Health, Message, MessageStore,
    NewNotification, Outgoing, Provider, ProviderConfig, ProviderKind, QueueError, Receiver, TemplateShelf,
    Verdict, Wake, accept, check, sweep,
};
use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use notification_dynamodb::{InboxProvider, NotificationTable, TemplateCache};
use notification_minijinja::Templates;
use testing::EmbeddedDynamoDb;

use super::{Counter, Operation, Sent};
use crate::dispatch::service;

/// What a message may cost from its acceptance to its end, without a digest.
pub const MOST_WRITES: f64 = 4.0;

/// Read units, write units, requests.
type Consumption = (f64, f64, u64);

/// Messages, and what they cost.
struct Bench {
    table: NotificationTable,
    templates: TemplateCache,
    renderer: Templates,
    health: Health,
    channels: Channels,
    sent: Arc<Sent>,
    operations: Vec<Operation>,
    number: u32,
}

/// Takes every message, or asks for patience.
struct Stub {
    takes: bool,
}

impl Provider for Stub {
    fn send<'a>(&'a self, _: &'a Outgoing) -> BoxFuture<'a, Result<Accepted, Failure>> {
        let accepted = Accepted { reference: Some("9006197469364984^0".into()), dead: Vec::new() };
        let answer = if self.takes {
            Ok(accepted)
        } else {
            Err(Failure::new(Verdict::FailOver, "isv.AMOUNT_NOT_ENOUGH"))
        };
        Box::pin(async { answer })
    }
}

struct Direct {
    table: NotificationTable,
    takes: bool,
}

impl Gateway for Direct {
    async fn provider(&self, config: &ProviderConfig) -> Option<Arc<dyn Provider>> {
        Some(match config.kind {
            ProviderKind::Inbox => Arc::new(InboxProvider::new(self.table.clone(), platform_lambda::now)),
            _ => Arc::new(Stub { takes: self.takes }),
        })
    }

    async fn admit(&self, _: &ProviderConfig, _: Timestamp) -> Result<Option<Duration>, StoreError> {
        Ok(None)
    }
}

struct Nowhere;

impl DispatchQueue for Nowhere {
    async fn wake(&self, _: &[Wake], _: Timestamp) -> Result<(), QueueError> {
        Ok(())
    }
}

/// Each operation, and at the end the lives of messages, whose sums have a goal.
pub async fn measure() -> Result<(Vec<Operation>, Vec<Operation>)> {
    let mut bench = Bench::new().await?;
    let now = platform_lambda::now();

    bench.start();
    let sms = bench.accept(Channel::Sms, None, "tel:+8613900000001").await?;
    bench.stop("accept a text message, the first of an environment");
    let sms_2 = bench.accept(Channel::Sms, None, "tel:+8613900000002").await?;
    bench.stop("accept a text message");
    bench.dispatch(sms, now, true, |it| matches!(it, Dispatched::Sent { .. })).await?;
    bench.stop("dispatch it, to a number");
    bench.dispatch(sms_2, now, true, |it| matches!(it, Dispatched::Sent { .. })).await?;
    let life_of_sms = bench.stop("dispatch another");
    bench.dispatch(sms_2, now, true, |it| matches!(it, Dispatched::Done(_))).await?;
    bench.stop("deliver it again: there is nothing to do");

    let to_guest = bench.accept(Channel::Sms, None, "guest-1").await?;
    bench.stop("accept a text message to a guest");
    bench.refused_for_no_address(to_guest, now).await?;
    bench.stop("dispatch it, to a guest of whom no number is known");

    bench.accept(Channel::Internal, None, "guest-4").await?;
    bench.start();
    let inbox = bench.accept(Channel::Internal, None, "guest-2").await?;
    let accepted_inbox = bench.stop("accept an inbox message");
    bench.dispatch(inbox, now, true, |it| matches!(it, Dispatched::Sent { .. })).await?;
    let sent_inbox = bench.stop("dispatch it into the inbox");

    let retried = bench.accept(Channel::Sms, None, "tel:+8613900000003").await?;
    bench.start();
    bench.dispatch(retried, now, false, |it| matches!(it, Dispatched::Later { .. })).await?;
    bench.stop("an attempt that fails");

    let later = now + SignedDuration::from_hours(2);
    let receivers = ["tel:+8613900000004", "tel:+8613900000005"];
    bench.start();
    let waiting = bench.accept_all(Channel::Sms, Some(later), &receivers).await?;
    let accepted_waiting = bench.stop_each("accept one of many that wait in the table", receivers.len());
    bench.start();
    sweep(&bench.table, &Nowhere, now, || true).await?;
    let nothing = bench.stop("a sweep that finds nothing");
    sweep(&bench.table, &Nowhere, later, || true).await?;
    // What a sweep costs by itself, all messages of a minute share.
    let swept =
        bench.stop_beyond("queue it when it is due and take it off the list", nothing, receivers.len());
    let first = *waiting.first().context("a message")?;
    bench.start();
    bench.dispatch(first, later, true, |it| matches!(it, Dispatched::Sent { .. })).await?;
    let sent_waiting = bench.stop("dispatch it");

    let deferred = bench.accept(Channel::Sms, None, "tel:+8613900000006").await?;
    let message = bench.table.message(deferred).await?.context("the message")?;
    bench.start();
    bench.replace(&message.deferred(later)?).await?;
    bench.stop("put a message off to the end of quiet hours");
    let member = bench.accept(Channel::Internal, None, "guest-3").await?;
    let message = bench.table.message(member).await?.context("the message")?;
    bench.start();
    bench.bundle(&message, later).await?;
    bench.stop("put a message into a digest, the first of it");

    let life = |what, parts: &[Consumption]| Operation {
        what,
        reads: parts.iter().map(|part| part.0).sum(),
        writes: parts.iter().map(|part| part.1).sum(),
        requests: parts.iter().map(|part| part.2).sum(),
        transactions: 0,
    };
    let accepted_sms = bench.find("accept a text message")?;
    let lives = vec![
        life("a text message, from acceptance to sent", &[accepted_sms, life_of_sms]),
        life("an inbox message, from acceptance to sent", &[accepted_inbox, sent_inbox]),
    ];
    let waited = life(
        "one that waits in the table, from acceptance to sent",
        &[accepted_waiting, swept, sent_waiting],
    );
    bench.operations.push(waited);
    Ok((bench.operations, lives))
}

impl Bench {
    async fn new() -> Result<Self> {
        let (database, name) = EmbeddedDynamoDb::with_notification_table().await;
        let sent = Arc::new(Sent::default());
        let counter = Counter(Arc::clone(&sent));
        let config = database.client().config().to_builder().interceptor(counter).build();
        let table = NotificationTable::new(Client::from_conf(config), name);
        service::publish(&table).await?;
        let mut version = service::version()?;
        version.code = "order_confirmed_inbox".parse()?;
        version.channel = Channel::Internal;
        let template = table.template(&service::TEMPLATE.parse()?).await?.context("the template")?;
        let template = domain_notification::Template {
            code: version.code.clone(),
            channel: version.channel,
            ..template
        };
        ensure!(table.insert(&template, &version).await?, "an empty table");
        let channels = r#"{"channels": {
            "sms": {"delivery": "at_most_once", "providers": [{"name": "aliyun", "kind": "aliyun"}]},
            "internal": {"delivery": "at_least_once", "providers": [{"name": "inbox", "kind": "inbox"}]}}}"#;
        Ok(Self {
            templates: TemplateCache::new(table.clone(), platform_lambda::now),
            table,
            renderer: Templates::default(),
            health: Health::default(),
            channels: channels.parse()?,
            sent,
            operations: Vec::new(),
            number: 0,
        })
    }

    fn start(&self) {
        self.table.consumed().take();
        self.sent.take();
    }

    fn stop(&mut self, what: &'static str) -> Consumption {
        self.stop_each(what, 1)
    }

    /// What was consumed since belongs to so many of this.
    fn stop_each(&mut self, what: &'static str, count: usize) -> Consumption {
        let units = self.table.consumed().take();
        let (requests, transactions) = self.sent.take();
        let each = count as f64;
        let (reads, writes) = (units.half_reads as f64 / 2.0 / each, units.half_writes as f64 / 2.0 / each);
        let requests = requests / count as u64;
        self.operations.push(Operation { what, reads, writes, requests, transactions });
        (reads, writes, requests)
    }

    /// What was consumed since beyond `before` belongs to so many of this.
    fn stop_beyond(&mut self, what: &'static str, before: Consumption, count: usize) -> Consumption {
        let (reads, writes, requests) = self.stop(what);
        let each = |all: f64, before: f64| (all - before) / count as f64;
        let requests = (requests - before.2) / count as u64;
        let consumed = (each(reads, before.0), each(writes, before.1), requests);
        if let Some(last) = self.operations.last_mut() {
            (last.reads, last.writes, last.requests) = consumed;
        }
        consumed
    }

    fn find(&self, what: &str) -> Result<Consumption> {
        let found = self.operations.iter().find(|operation| operation.what == what).context("measured")?;
        Ok((found.reads, found.writes, found.requests))
    }

    async fn accept(&mut self, channel: Channel, at: Option<Timestamp>, receiver: &str) -> Result<MessageId> {
        let ids = self.accept_all(channel, at, &[receiver]).await?;
        ids.first().copied().context("a message")
    }

    async fn accept_all(
        &mut self,
        channel: Channel,
        at: Option<Timestamp>,
        receivers: &[&str],
    ) -> Result<Vec<MessageId>> {
        self.number += 1;
        let receivers: Vec<Receiver> =
            receivers.iter().map(|receiver| receiver.parse()).collect::<Result<_, _>>()?;
        let template = if channel == Channel::Internal { "order_confirmed_inbox" } else { service::TEMPLATE };
        let new = NewNotification {
            channel,
            template: template.parse()?,
            receivers,
            scheduled_at: at,
            priority: Priority::Normal,
            ..service::new(&format!("units-{}", self.number))?
        };
        let now = platform_lambda::now();
        let checked = check(&self.templates, &self.renderer, new, now).await?;
        let taken = accept(&self.table, &checked, now).await?;
        Ok(taken.into_iter().map(|taken| taken.id).collect())
    }

    async fn dispatch(
        &self,
        id: MessageId,
        at: Timestamp,
        takes: bool,
        is_expected: impl Fn(&Dispatched) -> bool,
    ) -> Result<()> {
        let gateway = Direct { table: self.table.clone(), takes };
        let dispatch = Dispatch {
            store: &self.table,
            templates: &self.templates,
            renderer: &self.renderer,
            gateway: &gateway,
            health: &self.health,
            channels: &self.channels,
            clock: || at + SignedDuration::from_secs(1),
        };
        let dispatched = dispatch.dispatch(id).await?;
        ensure!(is_expected(&dispatched), "{dispatched:?}");
        Ok(())
    }

    async fn refused_for_no_address(&self, id: MessageId, at: Timestamp) -> Result<()> {
        self.dispatch(id, at, true, |it| *it == Dispatched::Refused("no-address".into())).await
    }

    async fn replace(&self, next: &Message) -> Result<()> {
        ensure!(MessageStore::replace(&self.table, next).await?, "nobody else is here");
        Ok(())
    }

    /// The three writes of `Dispatch` for a guest who wants one message a day: member, digest, message.
    async fn bundle(&self, message: &Message, at: Timestamp) -> Result<()> {
        let id = domain_notification::message_id("digest", "units", &message.receiver);
        let digest = Message { id, waits: true, is_digest: true, scheduled_at: Some(at), ..message.clone() };
        domain_notification::Digests::join(&self.table, id, message.id, digest.forgotten_at()).await?;
        self.table.add(&digest).await?;
        self.replace(&message.bundled(id)?).await
    }
}
