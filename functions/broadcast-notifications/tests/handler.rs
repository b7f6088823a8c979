//! Broadcasts from request to end, whatever is repeated, lost or interrupted on the way.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use broadcast_notifications::{
    directory::Guests,
    handler::{self, Ports},
};
use contracts::BroadcastPage;
use domain_channel::{Category, Channel, Priority};
use domain_coupon::StoreError;
use domain_grant::{GuestPage, ListError, Segment, Segments};
use domain_ids::{BroadcastId, GuestId, MessageId};
use domain_notification::{
    Added, Audience, Broadcast, BroadcastAdded, BroadcastFailure, BroadcastFigures, BroadcastKey,
    BroadcastStatus, BroadcastStep, BroadcastSteps, Broadcasts, Message, MessageShelf, MessageStore,
    NewBroadcast, NewNotification, Params, QueueError, Receiver, Template, TemplateShelf, TemplateText,
    TemplateVersion, cancel_broadcast, create_broadcast,
};
use jiff::{SignedDuration, Timestamp};
use notification_dynamodb::{NotificationTable, TemplateCache};
use notification_minijinja::Templates;
use proptest::prelude::*;
use testing::{EmbeddedDynamoDb, NOW};

/// More messages than any broadcast here takes.
const MAX_STEPS: usize = 2_000;

/// Guests of a page of the directory.
const PER_PAGE: usize = 7;

/// Which of the calls to come fail, and whether after they have had their effect; afterwards all succeed.
#[derive(Default)]
struct Chaos(Mutex<Vec<Fate>>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Works,
    Fails,
    Lost,
}

impl Chaos {
    async fn call<X, E>(&self, call: impl Future<Output = Result<X, E>>, error: E) -> Result<X, E> {
        let fate = self.0.lock().unwrap().pop().unwrap_or(Fate::Works);
        match fate {
            Fate::Works => call.await,
            Fate::Fails => Err(error),
            Fate::Lost => {
                call.await?;
                Err(error)
            }
        }
    }
}

struct Shaky<T> {
    inner: T,
    chaos: Arc<Chaos>,
}

fn down() -> StoreError {
    StoreError::Unavailable("down".into())
}

impl<S: MessageStore + Send> MessageStore for Shaky<S> {
    async fn add(&self, message: &Message) -> Result<Added, StoreError> {
        self.chaos.call(self.inner.add(message), down()).await
    }

    async fn message(&self, id: MessageId) -> Result<Option<Message>, StoreError> {
        self.chaos.call(self.inner.message(id), down()).await
    }

    async fn replace(&self, next: &Message) -> Result<bool, StoreError> {
        self.chaos.call(self.inner.replace(next), down()).await
    }
}

impl<S: Broadcasts + Send> Broadcasts for Shaky<S> {
    async fn create(&self, broadcast: &Broadcast, key: &BroadcastKey) -> Result<BroadcastAdded, StoreError> {
        self.chaos.call(self.inner.create(broadcast, key), down()).await
    }

    async fn broadcast(&self, id: BroadcastId) -> Result<Option<Broadcast>, StoreError> {
        self.chaos.call(self.inner.broadcast(id), down()).await
    }

    async fn update(&self, next: &Broadcast) -> Result<bool, StoreError> {
        self.chaos.call(self.inner.update(next), down()).await
    }
}

/// The queue: steps in the order they were sent.
#[derive(Clone, Default)]
struct Queue(Arc<Mutex<Vec<BroadcastStep>>>);

impl BroadcastSteps for Queue {
    async fn send(&self, step: &BroadcastStep) -> Result<(), QueueError> {
        self.0.lock().unwrap().push(step.clone());
        Ok(())
    }
}

impl BroadcastSteps for Shaky<Queue> {
    async fn send(&self, step: &BroadcastStep) -> Result<(), QueueError> {
        self.chaos.call(self.inner.send(step), QueueError::Unavailable("down".into())).await
    }
}

/// A directory in which a token is good for so many pages altogether, and then no more.
struct Directory {
    guests: usize,
    good_for: AtomicUsize,
}

impl Segments for Shaky<Directory> {
    async fn page(&self, segment: &Segment, token: Option<&str>) -> Result<GuestPage, ListError> {
        let list = async {
            if *segment != Segment::All {
                return Err(ListError::Refused("no such group".into()));
            }
            let left = self.inner.good_for.fetch_sub(1, Ordering::Relaxed);
            if token.is_some() && left == 0 {
                return Err(ListError::Refused("expired".into()));
            }
            let from: usize = token.map_or(0, |token| token.parse().unwrap());
            let until = self.inner.guests.min(from + PER_PAGE);
            let guests = (from..until).map(|n| format!("guest-{n}").parse().unwrap()).collect();
            let next = (until < self.inner.guests).then(|| until.to_string());
            Ok(GuestPage { guests, next })
        };
        self.chaos.call(list, ListError::Store(down())).await
    }
}

type World = Ports<
    Shaky<NotificationTable>,
    Shaky<Queue>,
    Guests<Shaky<Directory>>,
    TemplateCache<NotificationTable>,
    Templates,
>;

struct Desk {
    table: NotificationTable,
    queue: Queue,
    chaos: Arc<Chaos>,
    world: World,
}

impl Desk {
    /// A directory of so many guests, whose tokens are good for so many pages.
    async fn with_tokens(guests: usize, good_for: usize) -> Self {
        let (db, name) = EmbeddedDynamoDb::with_notification_table().await;
        let table = NotificationTable::new(db.client(), name);
        table.insert(&template(), &version()).await.unwrap();
        let (queue, chaos) = (Queue::default(), Arc::new(Chaos::default()));
        let directory = Directory { guests, good_for: good_for.into() };
        let world = Ports {
            store: Shaky { inner: table.clone(), chaos: Arc::clone(&chaos) },
            queue: Shaky { inner: queue.clone(), chaos: Arc::clone(&chaos) },
            directory: Guests(Shaky { inner: directory, chaos: Arc::clone(&chaos) }),
            templates: TemplateCache::new(table.clone(), || NOW),
            renderer: Templates::default(),
        };
        Self { table, queue, chaos, world }
    }

    async fn of(guests: usize) -> Self {
        Self::with_tokens(guests, usize::MAX).await
    }

    async fn begin(&self, audience: Audience) -> Broadcast {
        self.begin_until(audience, None).await
    }

    async fn begin_until(&self, audience: Audience, expires_at: Option<Timestamp>) -> Broadcast {
        let notification = NewNotification { expires_at, ..notification() };
        let new = NewBroadcast { id: BroadcastId::from_parts(1_794_326_400_000, 0), audience, notification };
        let World { templates, renderer, .. } = &self.world;
        let created = create_broadcast(&self.table, &self.queue, templates, renderer, new, NOW).await;
        created.unwrap().broadcast
    }

    async fn broadcast(&self) -> Broadcast {
        let id = BroadcastId::from_parts(1_794_326_400_000, 0);
        self.table.broadcast(id).await.unwrap().unwrap()
    }

    fn take(&self) -> Option<BroadcastStep> {
        let mut waiting = self.queue.0.lock().unwrap();
        if waiting.is_empty() { None } else { Some(waiting.remove(0)) }
    }

    async fn deliver(&self, step: &BroadcastStep) -> bool {
        self.deliver_within(step, || true, NOW).await
    }

    async fn deliver_within(
        &self,
        step: &BroadcastStep,
        has_time: impl Fn() -> bool + Sync,
        now: Timestamp,
    ) -> bool {
        let BroadcastStep { broadcast, page, token } = step.clone();
        let body = serde_json::to_string(&BroadcastPage { broadcast, page, token }).unwrap();
        let event = testing::sqs_event(&[body]);
        handler::handle(&self.world, now, has_time, event).await.unwrap().failed().next().is_none()
    }

    /// Delivers until nothing waits; what fails waits again.
    async fn work_off(&self) -> usize {
        for steps in 0..MAX_STEPS {
            let Some(step) = self.take() else { return steps };
            if !self.deliver(&step).await {
                self.queue.0.lock().unwrap().push(step);
            }
        }
        panic!("no end after {MAX_STEPS} messages");
    }

    /// How many messages each guest has.
    async fn messages(&self, guests: usize) -> BTreeMap<usize, usize> {
        let mut counts = BTreeMap::new();
        for n in 0..guests {
            let guest: GuestId = format!("guest-{n}").parse().unwrap();
            let page = self.table.messages_to(&Receiver::Guest(guest), None, 100).await.unwrap();
            assert!(page.items.iter().all(|message| message.broadcast.is_some()));
            counts.insert(n, page.items.len());
        }
        counts
    }

    async fn assert_each_has_one(&self, guests: usize) {
        let counts = self.messages(guests).await;
        assert!(counts.values().all(|count| *count == 1), "{counts:?}");
    }
}

fn template() -> Template {
    Template {
        code: "order_confirmed".parse().unwrap(),
        name: "a".into(),
        channel: Channel::Sms,
        category: Category::Marketing,
        enabled: true,
        version: 1,
        revision: 1,
        created_at: NOW,
        updated_at: NOW,
    }
}

fn version() -> TemplateVersion {
    let text = TemplateText { title: None, content: "双十一".into(), html: None };
    TemplateVersion {
        code: "order_confirmed".parse().unwrap(),
        version: 1,
        channel: Channel::Sms,
        category: Category::Marketing,
        variables: Vec::new(),
        texts: [(domain_notification::Language::default(), text)].into(),
        default_language: domain_notification::Language::default(),
        provider_templates: BTreeMap::new(),
        published_at: NOW,
    }
}

fn notification() -> NewNotification {
    NewNotification {
        scope: "admin:eve".into(),
        key: "double-eleven".into(),
        channel: Channel::Sms,
        priority: Priority::Low,
        template: "order_confirmed".parse().unwrap(),
        params: Params::default(),
        receivers: Vec::new(),
        scheduled_at: None,
        expires_at: None,
        transaction: None,
        broadcast: None,
    }
}

fn figures(accepted: u64, repeated: u64, refused: u64) -> BroadcastFigures {
    BroadcastFigures { accepted, repeated, refused }
}

#[tokio::test]
async fn the_sample_event_is_the_first_step_of_a_broadcast() {
    let desk = Desk::of(3).await;
    desk.begin(Audience::All).await;
    let event = serde_json::from_value(testing::event("sqs/broadcast-notifications.json")).unwrap();
    let response = handler::handle(&desk.world, NOW, || true, event).await.unwrap();
    assert_eq!(response.failed().len(), 0);
    let broadcast = desk.broadcast().await;
    assert_eq!((broadcast.status, broadcast.figures), (BroadcastStatus::Done, figures(3, 0, 0)));
    desk.assert_each_has_one(3).await;
}

#[tokio::test]
async fn each_guest_of_all_pages_has_one_message() {
    let guests = 25 * PER_PAGE + 3;
    let desk = Desk::of(guests).await;
    desk.begin(Audience::All).await;
    assert_eq!(desk.work_off().await, 3, "26 pages are three steps");
    let broadcast = desk.broadcast().await;
    assert_eq!((broadcast.status, broadcast.pages), (BroadcastStatus::Done, 26));
    assert_eq!(broadcast.figures, figures(guests as u64, 0, 0));
    desk.assert_each_has_one(guests).await;
}

#[tokio::test]
async fn nobody_is_told_nothing() {
    let desk = Desk::of(0).await;
    desk.begin(Audience::All).await;
    desk.work_off().await;
    let broadcast = desk.broadcast().await;
    assert_eq!((broadcast.status, broadcast.figures), (BroadcastStatus::Done, figures(0, 0, 0)));
}

#[tokio::test]
async fn a_step_that_comes_again_changes_nothing() {
    let desk = Desk::of(15 * PER_PAGE).await;
    desk.begin(Audience::All).await;
    let first = desk.take().unwrap();
    assert!(desk.deliver(&first).await && desk.deliver(&first).await);
    let second = desk.take().unwrap();
    assert_eq!(desk.take(), Some(second.clone()), "the first may have died before it sent the second");
    assert!(desk.deliver(&second).await);
    let done = desk.broadcast().await;
    for step in [&first, &second, &first] {
        assert!(desk.deliver(step).await);
    }
    assert_eq!(desk.broadcast().await, done);
    assert_eq!(desk.take(), None, "there is nothing left to do");
}

#[tokio::test]
async fn a_step_without_time_goes_on_where_it_stopped() {
    let desk = Desk::of(4 * PER_PAGE).await;
    desk.begin(Audience::All).await;
    let step = desk.take().unwrap();
    for pages in 1..=3 {
        let asked = AtomicUsize::new(0);
        let has_time = || asked.fetch_add(1, Ordering::Relaxed) < 1;
        assert!(!desk.deliver_within(&step, has_time, NOW).await);
        assert_eq!(desk.broadcast().await.pages, pages);
    }
    assert!(desk.deliver(&step).await);
    assert_eq!(desk.broadcast().await.figures, figures(4 * PER_PAGE as u64, 0, 0));
}

#[tokio::test]
async fn a_step_ahead_of_its_broadcast_or_of_none_is_told_apart() {
    let desk = Desk::of(PER_PAGE).await;
    let begun = desk.begin(Audience::All).await;
    let ahead = BroadcastStep { page: 7, ..begun.step() };
    assert!(!desk.deliver(&ahead).await, "nobody sends such a step");
    let gone = BroadcastStep { broadcast: BroadcastId::from_parts(1, 1), ..begun.step() };
    assert!(desk.deliver(&gone).await);
}

#[tokio::test]
async fn a_cancelled_broadcast_stops_and_what_was_accepted_stays() {
    let desk = Desk::of(15 * PER_PAGE).await;
    let begun = desk.begin(Audience::All).await;
    let first = desk.take().unwrap();
    assert!(desk.deliver(&first).await);
    cancel_broadcast(&desk.table, begun.id, NOW).await.unwrap();
    desk.work_off().await;
    let broadcast = desk.broadcast().await;
    assert_eq!((broadcast.status, broadcast.pages), (BroadcastStatus::Cancelled, 10));
    let counts = desk.messages(15 * PER_PAGE).await;
    assert_eq!(counts.values().sum::<usize>(), 10 * PER_PAGE);
}

#[tokio::test]
async fn when_a_token_is_too_old_the_listing_begins_anew_once() {
    let guests = 12 * PER_PAGE;
    let desk = Desk::with_tokens(guests, 5).await;
    desk.begin(Audience::All).await;
    desk.work_off().await;
    let broadcast = desk.broadcast().await;
    assert_eq!((broadcast.status, broadcast.restarted), (BroadcastStatus::Done, true));
    let again = 5 * PER_PAGE as u64;
    assert_eq!(broadcast.figures, figures(guests as u64, again, 0));
    desk.assert_each_has_one(guests).await;
}

#[tokio::test]
async fn a_listing_that_is_refused_twice_or_a_group_that_is_not_there_fails_the_broadcast() {
    let vip = Audience::Group("vip".parse().unwrap());
    for (audience, good_for) in [(vip, usize::MAX), (Audience::All, 0)] {
        let desk = Desk::with_tokens(3 * PER_PAGE, good_for).await;
        desk.begin(audience.clone()).await;
        if audience == Audience::All {
            // Never a second page: each token is refused.
            let step = desk.take().unwrap();
            let directory = &desk.world.directory.0.inner;
            let refuse = || {
                directory.good_for.store(0, Ordering::Relaxed);
                true
            };
            assert!(desk.deliver_within(&step, refuse, NOW).await);
        } else {
            desk.work_off().await;
        }
        let failed = BroadcastStatus::Failed(BroadcastFailure::SegmentUnreadable);
        assert_eq!(desk.broadcast().await.status, failed);
    }
}

#[tokio::test]
async fn a_template_that_is_disabled_meanwhile_and_a_time_that_is_over_fail_the_broadcast() {
    let desk = Desk::of(3 * PER_PAGE).await;
    let disabled = Template { enabled: false, revision: 2, ..template() };
    desk.begin(Audience::All).await;
    TemplateShelf::replace(&desk.table, &disabled, 1).await.unwrap();
    let desk = Desk {
        world: Ports { templates: TemplateCache::new(desk.table.clone(), || NOW), ..desk.world },
        ..desk
    };
    desk.work_off().await;
    let broadcast = desk.broadcast().await;
    assert_eq!(broadcast.status, BroadcastStatus::Failed(BroadcastFailure::TemplateDisabled));
    assert_eq!(broadcast.figures, figures(0, 0, PER_PAGE as u64));

    let desk = Desk::of(3 * PER_PAGE).await;
    let soon = NOW + SignedDuration::from_mins(5);
    desk.begin_until(Audience::All, Some(soon)).await;
    let step = desk.take().unwrap();
    assert!(desk.deliver_within(&step, || true, soon).await);
    let broadcast = desk.broadcast().await;
    assert_eq!(broadcast.status, BroadcastStatus::Failed(BroadcastFailure::Expired));
    assert_eq!(desk.messages(3 * PER_PAGE).await.values().sum::<usize>(), 0);
}

#[tokio::test]
async fn a_message_that_nobody_can_read_fails_alone() {
    let desk = Desk::of(1).await;
    let event = testing::sqs_event(&["{}", "nonsense"]);
    let response = handler::handle(&desk.world, NOW, || true, event).await.unwrap();
    assert_eq!(response.failed().collect::<Vec<_>>(), ["m-0", "m-1"]);
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![4 => Just(Fate::Works), 1 => Just(Fate::Fails), 1 => Just(Fate::Lost)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn whatever_fails_and_however_often_a_step_is_sent_each_guest_has_one_message(
        fates in proptest::collection::vec(fate(), 0..120),
        guests in 1..100_usize,
        copies in 1..3_usize,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let desk = Desk::of(guests).await;
            let begun = desk.begin(Audience::All).await;
            for _ in 1..copies {
                desk.queue.send(&begun.step()).await.unwrap();
            }
            *desk.chaos.0.lock().unwrap() = fates;
            desk.work_off().await;
            let broadcast = desk.broadcast().await;
            assert_eq!(broadcast.status, BroadcastStatus::Done);
            let BroadcastFigures { accepted, repeated, refused } = broadcast.figures;
            assert_eq!((accepted + repeated, refused), (guests as u64, 0), "each page is counted once");
            desk.assert_each_has_one(guests).await;
        });
    }
}
