//! What becomes of a message, whatever providers, stores and guests do.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

mod world;

use std::{sync::Arc, sync::atomic::Ordering, time::Duration};

use domain_channel::{Category, Channel, Priority};
use domain_coupon::StoreError;
use domain_ids::{MessageId, ProviderName};
use domain_notification::{
    AcceptError, Added, CancelError, DeliveryReport, DigestHour, Dispatched, Failure, Fate, Health, LEASE,
    MAX_DELAY, Message, MessageStore, NewNotification, ParamValue, Params, Preferences, QuietHours, Receiver,
    Recorded, Reported, Status, Taken, TemplateRef, Unwanted, Verdict, accept, cancel, cancel_ahead, check,
    message_id, record,
};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use world::{Answer, Plain, Texts, World, at, dispatch, reachable};

fn world() -> Arc<World> {
    let world = Arc::new(World::default());
    world.set(at(0));
    world.guests.lock().unwrap().insert("ann".parse().unwrap(), reachable());
    world
}

fn new(template: &str) -> NewNotification {
    let channel = template.split('-').next().unwrap().parse().unwrap_or(Channel::Sms);
    NewNotification {
        scope: "test".into(),
        key: "key".into(),
        channel,
        priority: Priority::Normal,
        template: template.parse().unwrap(),
        params: Params::default(),
        receivers: vec!["ann".parse().unwrap()],
        scheduled_at: None,
        expires_at: None,
        transaction: None,
        broadcast: None,
    }
}

async fn take(world: &World, new: NewNotification) -> Result<Vec<Taken>, AcceptError> {
    let checked = check(&Texts, &Plain, new, world.now()).await?;
    accept(world, &checked, world.now()).await
}

async fn accepted(world: &World, new: NewNotification) -> MessageId {
    take(world, new).await.unwrap()[0].id
}

fn fail(verdict: Verdict) -> Answer {
    Answer::Fail(Failure::new(verdict, "code"))
}

fn sent(by: &str) -> Dispatched {
    Dispatched::Sent { provider: by.parse().unwrap() }
}

fn buried(reason: &str) -> Dispatched {
    Dispatched::Dead { reason: reason.into(), priority: Priority::Normal }
}

fn again_at(at: Timestamp) -> Dispatched {
    Dispatched::Later { at, priority: Priority::Normal, is_retry: false }
}

fn lease() -> SignedDuration {
    SignedDuration::try_from(LEASE).unwrap()
}

#[tokio::test]
async fn a_message_is_sent_once_however_often_it_is_dispatched() {
    let (world, health) = (world(), Health::default());
    let id = accepted(&world, new("sms")).await;
    assert_eq!(dispatch(&world, &health, id).await.unwrap(), sent("a"));
    for _ in 0..3 {
        let again = dispatch(&world, &health, id).await.unwrap();
        assert_eq!(again, Dispatched::Done(Some(Status::Sent)));
    }
    assert_eq!((world.taken("a"), world.taken("b")), (1, 0));
    let message = world.get(id);
    assert_eq!((message.status(), message.attempts, message.revision), (Status::Sent, 1, 3));
}

#[tokio::test]
async fn a_provider_that_is_down_is_replaced_at_once_and_then_left_alone() {
    let (world, health) = (world(), Health::default());
    world.answer("a", std::iter::repeat_n(fail(Verdict::FailOver), 100));
    for n in 0..10 {
        let id = accepted(&world, NewNotification { key: n.to_string(), ..new("sms") }).await;
        assert_eq!(dispatch(&world, &health, id).await.unwrap(), sent("b"));
    }
    assert_eq!((world.calls("a"), world.taken("b")), (3, 10), "three failures, then the breaker is open");
}

#[tokio::test]
async fn after_three_attempts_it_is_a_dead_letter_with_its_reason() {
    let (world, health) = (world(), Health::default());
    let id = accepted(&world, new("email")).await;
    world.answer("m", std::iter::repeat_n(fail(Verdict::FailOver), 3));
    let mut pauses = Vec::new();
    for _ in 0..2 {
        let Dispatched::Later { at, is_retry: true, .. } = dispatch(&world, &health, id).await.unwrap()
        else {
            panic!("{:?}", world.get(id));
        };
        pauses.push(at.duration_since(world.now()).as_secs());
        world.set(at);
    }
    assert!(pauses[0] >= 11 && pauses[1] >= 3 * pauses[0], "{pauses:?}");
    for _ in 0..2 {
        let dead = dispatch(&world, &health, id).await.unwrap();
        assert_eq!(dead, buried("code"), "again, should the letter not have been written");
    }
    let message = world.get(id);
    assert_eq!((message.status(), message.attempts), (Status::Failed, 3));
    assert_eq!(world.calls("m"), 3);
}

#[tokio::test]
async fn a_message_at_fault_is_not_tried_elsewhere() {
    let (world, health) = (world(), Health::default());
    let id = accepted(&world, new("sms")).await;
    world.answer("a", [fail(Verdict::GiveUp)]);
    assert_eq!(dispatch(&world, &health, id).await.unwrap(), Dispatched::Refused("code".into()));
    assert_eq!((world.calls("b"), world.suppressed()), (0, 0));
}

#[tokio::test]
async fn a_dead_address_gets_nothing_any_more() {
    let (world, health) = (world(), Health::default());
    let id = accepted(&world, new("sms")).await;
    world.answer("a", [fail(Verdict::Suppress)]);
    dispatch(&world, &health, id).await.unwrap();
    let next = accepted(&world, NewNotification { key: "next".into(), ..new("sms") }).await;
    assert_eq!(dispatch(&world, &health, next).await.unwrap(), Dispatched::Refused("suppressed".into()));
    assert_eq!(world.calls("a"), 1);
}

/// What becomes of a message whose answer was lost, after its lease.
async fn unheard(world: &Arc<World>, template: &str, provider: &str) -> (MessageId, Dispatched) {
    let health = Health::default();
    let id = accepted(world, new(template)).await;
    world.answer(provider, [Answer::AcceptUnheard]);
    let Dispatched::Later { at, .. } = dispatch(world, &health, id).await.unwrap() else { panic!() };
    assert_eq!(at.duration_since(world.now()), lease());
    let early = dispatch(world, &health, id).await.unwrap();
    assert_eq!(early, again_at(at), "nobody touches it before");
    world.set(at);
    (id, dispatch(world, &health, id).await.unwrap())
}

#[tokio::test]
async fn an_unknown_outcome_is_never_a_second_text_message() {
    let world = world();
    let (id, mut became) = unheard(&world, "sms", "a").await;
    let mut questions = 1;
    while let Dispatched::Later { at, .. } = became {
        world.set(at);
        became = dispatch(&world, &Health::default(), id).await.unwrap();
        questions += 1;
    }
    assert_eq!((became, questions), (buried("outcome-unknown"), 4));
    assert_eq!((world.taken("a"), world.taken("b")), (1, 0));
    assert_eq!(world.get(id).status(), Status::Failed);
}

#[tokio::test]
async fn a_provider_that_cannot_tell_yet_is_asked_again() {
    let world = world();
    let (id, became) = unheard(&world, "sms", "a").await;
    let Dispatched::Later { at, .. } = became else { panic!("{became:?}") };
    world.tells("a");
    world.set(at);
    assert_eq!(dispatch(&world, &Health::default(), id).await.unwrap(), sent("a"));
    assert_eq!((world.taken("a"), world.taken("b")), (1, 0));
}

#[tokio::test]
async fn an_unknown_outcome_is_asked_for_where_that_can_be() {
    let world = world();
    world.tells("a");
    let (id, became) = unheard(&world, "sms", "a").await;
    assert_eq!((became, world.get(id).status()), (sent("a"), Status::Sent));
    assert_eq!(world.taken("a"), 1);
}

#[tokio::test]
async fn what_the_provider_never_got_is_sent_again() {
    let (world, health) = (world(), Health::default());
    world.tells("a");
    let id = accepted(&world, new("sms")).await;
    world.answer("a", [fail(Verdict::Unknown)]);
    let Dispatched::Later { at, .. } = dispatch(&world, &health, id).await.unwrap() else { panic!() };
    world.set(at);
    let Dispatched::Later { at, is_retry: true, .. } = dispatch(&world, &health, id).await.unwrap() else {
        panic!("{:?}", world.get(id))
    };
    world.set(at);
    assert_eq!(dispatch(&world, &health, id).await.unwrap(), sent("a"));
    assert_eq!(world.taken("a"), 1);
}

#[tokio::test]
async fn an_unknown_outcome_is_rather_a_second_mail_than_none() {
    let world = world();
    let (_, became) = unheard(&world, "email", "m").await;
    assert_eq!((became, world.taken("m")), (sent("m"), 2));
}

#[tokio::test]
async fn a_provider_that_recognises_repeats_is_asked_again() {
    let world = world();
    world.recognises("w");
    let (_, became) = unheard(&world, "wechat", "w").await;
    assert_eq!((became, world.taken("w")), (sent("w"), 1));
}

#[tokio::test]
async fn nothing_is_sent_early_or_after_its_use() {
    let (world, health) = (world(), Health::default());
    let scheduled_at = Some(at(3_600));
    let later = accepted(&world, NewNotification { scheduled_at, ..new("sms") }).await;
    let became = dispatch(&world, &health, later).await.unwrap();
    assert_eq!(became, again_at(at(0) + MAX_DELAY));
    let expires_at = Some(at(60));
    let code = accepted(&world, NewNotification { expires_at, key: "code".into(), ..new("sms") }).await;
    world.set(at(60));
    assert_eq!(dispatch(&world, &health, code).await.unwrap(), Dispatched::Refused("expired".into()));
    world.set(at(3_600));
    assert_eq!(dispatch(&world, &health, later).await.unwrap(), sent("a"));
    assert_eq!(world.taken("a"), 1);
}

#[tokio::test]
async fn guests_are_left_in_peace() {
    let (world, health) = (world(), Health::default());
    let quiet: QuietHours = serde_json::from_str(r#"{"from": "17:00", "to": "19:00"}"#).unwrap();
    let opted_out = [(Channel::Email, Category::Order)].into();
    let preferences = Preferences { opted_out, quiet_hours: Some(quiet), ..Preferences::default() };
    world.guests.lock().unwrap().get_mut(&"ann".parse().unwrap()).unwrap().preferences = preferences;
    let mail = accepted(&world, new("email")).await;
    assert_eq!(dispatch(&world, &health, mail).await.unwrap(), Dispatched::Refused("opted-out".into()));
    let text = accepted(&world, NewNotification { key: "text".into(), ..new("sms") }).await;
    assert_eq!(dispatch(&world, &health, text).await.unwrap(), Dispatched::Waits);
    let waiting = world.get(text);
    assert_eq!((waiting.due_at(), waiting.waits), (at(3_600), true), "until 19:00");
    world.set(at(3_600));
    assert_eq!(dispatch(&world, &health, text).await.unwrap(), sent("a"));
    let code = NewNotification { key: "code".into(), ..new("sms-account") };
    let code = accepted(&world, code).await;
    world.set(at(0));
    assert_eq!(dispatch(&world, &health, code).await.unwrap(), sent("a"), "a code cannot wait");
}

#[tokio::test]
async fn marketing_is_capped() {
    let (world, health) = (world(), Health::default());
    let mut became = Vec::new();
    for n in 0..3 {
        let it = NewNotification { key: n.to_string(), ..new("email-marketing") };
        let id = accepted(&world, it).await;
        became.push(dispatch(&world, &health, id).await.unwrap());
    }
    assert_eq!(became, [sent("m"), sent("m"), Dispatched::Refused("frequency-capped".into())]);
}

#[tokio::test]
async fn a_digest_bundles_what_its_guest_does_not_want_at_once() {
    let (world, health) = (world(), Health::default());
    let hour: DigestHour = 20.try_into().unwrap();
    let digests = [(Category::Order, hour)].into();
    let preferences = Preferences { digests, ..Preferences::default() };
    world.guests.lock().unwrap().get_mut(&"ann".parse().unwrap()).unwrap().preferences = preferences;
    let mut members = Vec::new();
    for n in 0..3_i64 {
        let params = Params([("n".to_owned(), ParamValue::Integer(n))].into());
        let it = NewNotification { key: n.to_string(), params, ..new("email") };
        let id = accepted(&world, it).await;
        for _ in 0..2 {
            assert_eq!(dispatch(&world, &health, id).await.unwrap(), Dispatched::Waits);
        }
        members.push(id);
    }
    cancel(&*world, members[1], world.now()).await.unwrap();
    let digest = world.get(members[0]).digest.unwrap();
    assert_eq!(world.get(digest).due_at(), at(7_200), "20:00");
    world.set(at(7_200));
    // The first try dies after the mail was taken and before anything was noted.
    world.fail_after.store(u32::MAX, Ordering::Relaxed);
    assert_eq!(dispatch(&world, &health, digest).await.unwrap(), sent("m"));
    assert_eq!(world.contents("m"), ["digest: count=2, items=email: n=0|email: n=2"]);
    let states: Vec<Status> = members.iter().map(|&id| world.get(id).status()).collect();
    assert_eq!(states, [Status::Sent, Status::Cancelled, Status::Sent]);
    let late = accepted(&world, NewNotification { key: "late".into(), ..new("email") }).await;
    assert_eq!(dispatch(&world, &health, late).await.unwrap(), Dispatched::Waits);
    let next = world.get(late).digest.unwrap();
    assert_eq!(world.get(next).due_at(), at(7_200 + 86_400), "it is in tomorrow's");
}

#[tokio::test]
async fn where_nobody_may_be_called_the_message_waits_and_no_attempt_is_lost() {
    let (world, health) = (world(), Health::default());
    let id = accepted(&world, new("sms")).await;
    for provider in ["a", "b"] {
        world.refuses_for(provider, Some(Duration::from_millis(400)));
    }
    for _ in 0..10 {
        let became = dispatch(&world, &health, id).await.unwrap();
        let at = world.now() + SignedDuration::from_millis(400);
        assert_eq!(became, again_at(at));
    }
    assert_eq!((world.get(id).attempts, world.calls("a")), (0, 0));
    world.refuses_for("b", None);
    assert_eq!(dispatch(&world, &health, id).await.unwrap(), sent("b"), "the other one has room");
}

#[tokio::test]
async fn a_request_is_refused_for_all_that_is_wrong_with_it() {
    let world = world();
    let faults = async |new: NewNotification| match take(&world, new).await.unwrap_err() {
        AcceptError::Invalid(faults) => faults.into_iter().map(|fault| fault.field).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    let phone: Receiver = "tel:+8613800138000".parse().unwrap();
    let wrong = NewNotification {
        receivers: vec!["ann".parse().unwrap(), phone],
        params: Params([("bad".to_owned(), ParamValue::Flag(true))].into()),
        scheduled_at: Some(at(367 * 86_400)),
        expires_at: Some(at(0)),
        ..new("email")
    };
    assert_eq!(faults(wrong).await, ["to/1", "scheduledAt", "expiresAt", "params/bad"]);
    let other_way = NewNotification { channel: Channel::Push, ..new("email") };
    assert_eq!(faults(other_way).await, ["type"]);
    assert_eq!(faults(NewNotification { receivers: Vec::new(), ..new("sms") }).await, ["to"]);
    let long = ParamValue::Text("x".repeat(5_000));
    let long = NewNotification { params: Params([("p".to_owned(), long)].into()), ..new("sms") };
    assert_eq!(faults(long).await, ["params"]);
    assert!(matches!(take(&world, new("fax")).await, Err(AcceptError::NoTemplate)));
    assert!(matches!(take(&world, new("disabled")).await, Err(AcceptError::Disabled)));
    assert!(world.messages().is_empty(), "nothing was taken");
}

#[tokio::test]
async fn a_request_that_is_repeated_takes_what_is_missing() {
    let world = world();
    let receivers: Vec<Receiver> = (0..50).map(|n| format!("guest-{n}").parse().unwrap()).collect();
    let it = NewNotification { receivers, ..new("sms") };
    world.fail_after.store(20, Ordering::Relaxed);
    assert!(matches!(take(&world, it.clone()).await, Err(AcceptError::Store(_))));
    let begun = world.messages().len();
    assert!(begun < 50);
    let taken = take(&world, it.clone()).await.unwrap();
    assert_eq!((taken.len(), world.messages().len()), (50, 50));
    assert_eq!(taken.iter().filter(|it| it.is_repeat).count(), begun);
    let other = NewNotification { priority: Priority::High, ..it };
    assert!(matches!(take(&world, other).await, Err(AcceptError::KeyReused)));
}

/// What [`new`] asks for, not wanted.
fn unwanted() -> Unwanted {
    Unwanted {
        scope: "test".into(),
        key: "key".into(),
        receiver: "ann".parse().unwrap(),
        channel: Channel::Sms,
        priority: Priority::Normal,
        category: Category::Order,
        template: TemplateRef { code: "sms".parse().unwrap(), version: 1 },
    }
}

#[tokio::test]
async fn what_is_cancelled_before_anybody_asks_for_it_is_not_sent() {
    let (world, health) = (world(), Health::default());
    let ahead = cancel_ahead(&*world, &unwanted(), world.now()).await.unwrap();
    for priority in [Priority::Normal, Priority::Urgent] {
        let taken = take(&world, NewNotification { priority, ..new("sms") }).await.unwrap();
        assert_eq!((taken[0].id, taken[0].is_repeat), (ahead.id, true));
    }
    assert_eq!(cancel_ahead(&*world, &unwanted(), world.now()).await.unwrap(), ahead, "a repeat");
    assert_eq!(world.messages().len(), 1);
    assert_eq!(world.get(ahead.id), ahead);
    let became = dispatch(&world, &health, ahead.id).await.unwrap();
    assert_eq!((became, world.calls("a")), (Dispatched::Done(Some(Status::Cancelled)), 0));
    accepted(&world, NewNotification { key: "other".into(), ..new("sms") }).await;
    assert_eq!(world.messages().len(), 2);
}

#[tokio::test]
async fn what_was_sent_is_not_cancelled_any_more() {
    let (world, health) = (world(), Health::default());
    let id = accepted(&world, new("sms")).await;
    dispatch(&world, &health, id).await.unwrap();
    let late = cancel_ahead(&*world, &unwanted(), world.now()).await;
    assert!(matches!(late, Err(CancelError::TooLate(Status::Sent))), "{late:?}");
}

/// A store in which there is a message as soon as somebody has not found it.
struct Meanwhile<'a>(&'a World, Message);

impl MessageStore for Meanwhile<'_> {
    async fn add(&self, message: &Message) -> Result<Added, StoreError> {
        self.0.add(message).await
    }

    async fn message(&self, id: MessageId) -> Result<Option<Message>, StoreError> {
        let found = self.0.message(id).await?;
        if found.is_none() {
            self.0.add(&self.1).await?;
        }
        Ok(found)
    }

    async fn replace(&self, next: &Message) -> Result<bool, StoreError> {
        self.0.replace(next).await
    }
}

#[tokio::test]
async fn what_is_asked_for_while_it_is_cancelled_is_cancelled() {
    let (world, other) = (world(), world());
    let asked_for = other.get(accepted(&other, new("sms")).await);
    let store = Meanwhile(&world, asked_for);
    let cancelled = cancel_ahead(&store, &unwanted(), world.now()).await.unwrap();
    assert_eq!((cancelled.status(), cancelled.revision), (Status::Cancelled, 2));
    assert_eq!(world.get(cancelled.id), cancelled);
}

proptest! {
    #[test]
    fn a_message_that_was_asked_for_and_cancelled_is_cancelled_in_whatever_order(
        steps in proptest::collection::vec((any::<bool>(), 0..4_u32, any::<bool>()), 0..12),
        ends_with_the_request: bool,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let world = world();
            let last = [(!ends_with_the_request, 0, false), (ends_with_the_request, 0, false)];
            for (asks, fail_after, is_reply_lost) in steps.into_iter().chain(last) {
                world.fail_after.store(fail_after, Ordering::Relaxed);
                world.is_reply_lost.store(is_reply_lost, Ordering::Relaxed);
                if asks {
                    let taken = take(&world, new("sms")).await;
                    prop_assert!(matches!(taken, Ok(_) | Err(AcceptError::Store(_))), "{taken:?}");
                } else {
                    let ended = cancel_ahead(&*world, &unwanted(), world.now()).await;
                    prop_assert!(matches!(ended, Ok(_) | Err(CancelError::Store(_))), "{ended:?}");
                }
            }
            let id = message_id("test", "key", &"ann".parse().unwrap());
            prop_assert_eq!(world.messages().len(), 1);
            prop_assert_eq!(world.get(id).status(), Status::Cancelled);
            Ok(())
        })?;
    }
}

/// What happens to one message, step by step.
#[derive(Debug, Clone)]
enum Step {
    /// Somebody dispatches it, in one of two environments; after so many store calls one fails or its reply is lost.
    Dispatch { environment: usize, fail_after: u32, is_reply_lost: bool },
    /// What a provider does next.
    Provider { name: &'static str, answer: u8 },
    /// So many seconds pass.
    Wait(i64),
    /// Somebody cancels.
    Cancel,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..2_usize, 0..12_u32, any::<bool>()).prop_map(|(environment, fail_after, is_reply_lost)| {
            Step::Dispatch { environment, fail_after, is_reply_lost }
        }),
        2 => (prop::sample::select(vec!["a", "b"]), 0..6_u8)
            .prop_map(|(name, answer)| Step::Provider { name, answer }),
        2 => (1..200_i64).prop_map(Step::Wait),
        1 => Just(Step::Cancel),
    ];
    proptest::collection::vec(step, 1..40)
}

proptest! {
    #[test]
    fn no_text_message_is_ever_accepted_twice_and_none_is_forgotten(steps in steps(), tells: bool) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (world, environments) = (world(), [Health::default(), Health::default()]);
            if tells {
                world.tells("a");
                world.tells("b");
            }
            let id = accepted(&world, new("sms")).await;
            let mut now = 0;
            for step in steps {
                match step {
                    Step::Dispatch { environment, fail_after, is_reply_lost } => {
                        world.fail_after.store(fail_after, Ordering::Relaxed);
                        world.is_reply_lost.store(is_reply_lost, Ordering::Relaxed);
                        let _ = dispatch(&world, &environments[environment], id).await;
                        world.fail_after.store(0, Ordering::Relaxed);
                    }
                    Step::Provider { name, answer } => world.answer(name, [match answer {
                        0 => Answer::Accept,
                        1 => Answer::AcceptUnheard,
                        2 => fail(Verdict::Retry),
                        3 => fail(Verdict::FailOver),
                        4 => fail(Verdict::Unknown),
                        _ => fail(Verdict::GiveUp),
                    }]),
                    Step::Wait(seconds) => {
                        now += seconds;
                        world.set(at(now));
                    }
                    Step::Cancel => {
                        let _ = cancel(&*world, id, world.now()).await;
                    }
                }
            }
            // However it was left, it comes to an end within a few more tries.
            for _ in 0..12 {
                if let Ok(Dispatched::Later { at, .. }) = dispatch(&world, &environments[0], id).await {
                    world.set(at);
                } else {
                    break;
                }
            }
            let (message, taken) = (world.get(id), world.taken("a") + world.taken("b"));
            prop_assert!(taken <= 1, "{message:?}");
            match message.status() {
                Status::Sent | Status::Delivered => prop_assert_eq!(taken, 1),
                Status::Failed if message.error.as_deref() == Some("outcome-unknown") => {}
                Status::Failed | Status::Cancelled => prop_assert_eq!(taken, 0, "{:?}", message),
                Status::Pending | Status::Sending => prop_assert!(false, "not ended: {message:?}"),
            }
            Ok(())
        })?;
    }
}

fn report(id: MessageId, fate: Fate) -> DeliveryReport {
    DeliveryReport { of: Reported::Message(id), fate, at: at(9), address: None }
}

#[tokio::test]
async fn a_report_changes_a_message_once_and_only_of_the_provider_that_has_it() {
    let (world, health) = (world(), Health::default());
    let [a, b] = ["a", "b"].map(|name| name.parse::<ProviderName>().unwrap());
    world.answer("a", [fail(Verdict::FailOver)]);
    let id = accepted(&world, new("sms")).await;
    assert_eq!(dispatch(&world, &health, id).await.unwrap(), sent("b"));
    let late = report(id, Fate::Failed("LATE".into()));
    assert_eq!(record(&*world, &a, &late).await.unwrap(), Recorded::Nothing, "the other one has it");
    let delivered = report(id, Fate::Delivered);
    assert_eq!(record(&*world, &b, &delivered).await.unwrap(), Recorded::Changed);
    for fate in [Fate::Delivered, Fate::Failed("X".into())] {
        assert_eq!(record(&*world, &b, &report(id, fate)).await.unwrap(), Recorded::Nothing);
    }
    assert_eq!((world.get(id).status(), world.suppressed()), (Status::Delivered, 0));
}

#[tokio::test]
async fn a_bounce_fails_the_message_and_ends_the_address() {
    let (world, health) = (world(), Health::default());
    let m: ProviderName = "m".parse().unwrap();
    let id = accepted(&world, new("email")).await;
    dispatch(&world, &health, id).await.unwrap();
    for expected in [Recorded::Changed, Recorded::Nothing] {
        let bounced = report(id, Fate::Bounced("Permanent".into()));
        assert_eq!(record(&*world, &m, &bounced).await.unwrap(), expected);
    }
    let message = world.get(id);
    assert_eq!((message.status(), message.error.as_deref()), (Status::Failed, Some("Permanent")));
    let next = accepted(&world, NewNotification { key: "next".into(), ..new("email") }).await;
    assert_eq!(dispatch(&world, &health, next).await.unwrap(), Dispatched::Refused("suppressed".into()));
}
