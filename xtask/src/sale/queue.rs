//! Guests who put their claims into the queue, and ask what became of them.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Result;
use futures_util::future::join_all;
use reqwest::{Method, StatusCode};
use tokio::sync::Semaphore;

use super::{
    Guest, Options,
    crowd::{
        self, MAX_TRIES, Outcome, RETRY_AFTER, Tally, judge_refusal, kind_of, pause, promise, retry_after,
    },
    invariants::Waits,
};
use crate::{
    Answer, Api,
    step::{Progress, Step},
};

/// After so long a guest gives up: a claim that fails is delivered again every minute and a half, five times.
const PATIENCE: Duration = Duration::from_mins(10);

/// Every guest puts a claim into the queue, some of them twice, and asks until there is an outcome. All of them wait at
/// once; as many requests as the options say are under way.
pub(super) async fn storm(
    api: &Api,
    template: &str,
    guests: &[Guest],
    options: &Options,
    progress: &Progress,
) -> Result<(Tally, Waits)> {
    let claims = crowd::line_up(guests.len(), options.repeat_share);
    let crowd = Crowd {
        api,
        template,
        permits: Semaphore::new(options.concurrency as usize),
        seen: Mutex::new((Tally::new()?, Waits::default())),
        outside: AtomicUsize::new(claims.len()),
        queue: Mutex::new(Some(progress.counted("put claims into the queue", claims.len() as u64))),
        settle: progress.counted("wait for the outcomes", claims.len() as u64),
    };
    join_all(claims.iter().filter_map(|&at| guests.get(at)).map(|guest| crowd.claim(guest))).await;
    let Crowd { seen, settle, .. } = crowd;
    settle.done();
    Ok(seen.into_inner().unwrap_or_else(PoisonError::into_inner))
}

struct Crowd<'a> {
    api: &'a Api,
    template: &'a str,
    permits: Semaphore,
    seen: Mutex<(Tally, Waits)>,
    /// How many are not in the queue yet.
    outside: AtomicUsize,
    queue: Mutex<Option<Step>>,
    settle: Step,
}

/// What a guest was told who asked.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    /// What became of the claim.
    Settled(Outcome),
    /// Nothing yet.
    Pending { place: Option<u64>, ticket: Option<String>, after: Duration },
    /// Nothing of the claim.
    Else(Outcome),
}

impl Crowd<'_> {
    async fn claim(&self, guest: &Guest) {
        let location = self.queue_up(guest).await;
        self.one_more_is_queued();
        if let Some(location) = location {
            self.wait_for_outcome(guest, &location).await;
        }
        self.settle.advance();
        self.settle.say(self.seen().0.brief());
    }

    fn one_more_is_queued(&self) {
        let mut step = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(step) = &*step {
            step.advance();
        }
        if self.outside.fetch_sub(1, Ordering::Relaxed) == 1
            && let Some(step) = step.take()
        {
            step.done();
        }
    }

    /// Where to ask for the outcome, unless the claim was refused.
    async fn queue_up(&self, guest: &Guest) -> Option<String> {
        let key = crowd::key(self.template, guest);
        for _ in 0..MAX_TRIES {
            let request = self.api.queue_claim(self.template, &guest.token.access_token, &key);
            let (answer, took) = self.send(request).await;
            let outcome = match answer {
                Ok(answer) if answer.status == StatusCode::ACCEPTED => match answer.header("Location") {
                    Some(location) => {
                        let (tally, waits) = &mut *self.seen();
                        tally.add_answer(took);
                        waits.queued += 1;
                        return Some(location.to_owned());
                    }
                    None => Outcome::Failed("202 without a location".to_owned()),
                },
                Ok(answer) => judge_refusal(&answer),
                Err(error) => Outcome::Failed(kind_of(&error)),
            };
            let wait = pause_after(&outcome);
            self.seen().0.add(outcome, took);
            pause(wait?).await;
        }
        self.seen().0.gave_up += 1;
        None
    }

    async fn wait_for_outcome(&self, guest: &Guest, location: &str) {
        let since = Instant::now();
        let mut path = location.to_owned();
        let mut places: Option<(u64, u64)> = None;
        while since.elapsed() < PATIENCE {
            let request = self.api.send(Method::GET, &path, Some(&guest.token.access_token), None);
            let (answer, took) = self.send(request).await;
            let wait = match judge(guest, answer) {
                Told::Settled(outcome) => {
                    let (tally, waits) = &mut *self.seen();
                    tally.add(outcome, took);
                    tally.add_wait(since.elapsed());
                    waits.settled += 1;
                    waits.placed += u64::from(places.is_some());
                    waits.fell_back += u64::from(places.is_some_and(|(first, last)| last > first));
                    return;
                }
                Told::Pending { place, ticket, after } => {
                    self.seen().0.add_answer(took);
                    places = place.map(|place| (places.map_or(place, |(first, _)| first), place)).or(places);
                    if let Some(ticket) = ticket {
                        path = format!("{location}?ticket={ticket}");
                    }
                    Some(after)
                }
                Told::Else(outcome) => {
                    let wait = pause_after(&outcome);
                    self.seen().0.add(outcome, took);
                    wait
                }
            };
            let Some(wait) = wait else { return };
            pause(wait).await;
        }
        self.seen().0.gave_up += 1;
    }

    /// The answer, and how long it took.
    async fn send(
        &self,
        request: impl Future<Output = reqwest::Result<Answer>>,
    ) -> (reqwest::Result<Answer>, Duration) {
        let _permit = self.permits.acquire().await;
        let sent_at = Instant::now();
        (request.await, sent_at.elapsed())
    }

    fn seen(&self) -> MutexGuard<'_, (Tally, Waits)> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether to try again, and after how long.
fn pause_after(outcome: &Outcome) -> Option<Duration> {
    match outcome {
        Outcome::Promised { .. } | Outcome::Refused(_) => None,
        Outcome::Retry { after, .. } => Some(*after),
        Outcome::Failed(_) => Some(RETRY_AFTER),
    }
}

fn judge(guest: &Guest, answer: reqwest::Result<Answer>) -> Told {
    match answer {
        Ok(answer) if answer.status == StatusCode::OK => read(guest, &answer),
        Ok(answer) => Told::Else(judge_refusal(&answer)),
        Err(error) => Told::Else(Outcome::Failed(kind_of(&error))),
    }
}

fn read(guest: &Guest, answer: &Answer) -> Told {
    let member = |name: &str| answer.body.get(name);
    match answer.text("status") {
        Some("pending") => Told::Pending {
            place: member("place").and_then(serde_json::Value::as_u64),
            ticket: answer.text("ticket").map(str::to_owned),
            after: retry_after(answer),
        },
        Some("issued") => match member("coupon").and_then(|coupon| promise(guest, coupon)) {
            Some(promise) => Told::Settled(Outcome::Promised { promise, replayed: false }),
            None => Told::Else(Outcome::Failed("issued without a coupon".to_owned())),
        },
        Some("refused") => {
            // As if it had been answered by itself.
            let problem = Answer { body: member("problem").cloned().unwrap_or_default(), ..answer.clone() };
            let status = problem.body.get("status").and_then(serde_json::Value::as_u64);
            let named = [status.map(|status| status.to_string()), problem.problem().map(str::to_owned)];
            Told::Settled(Outcome::Refused(named.into_iter().flatten().collect::<Vec<_>>().join(" ")))
        }
        _ => Told::Else(Outcome::Failed("a claim without a status".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use reqwest::header::HeaderMap;
    use serde_json::{Value, json};

    use super::*;
    use crate::{Token, sale::invariants::Promise};

    fn guest() -> Guest {
        Guest {
            name: "ann@example.com".into(),
            token: Token {
                access_token: "token".into(),
                subject: "ann".into(),
                expires_at: Timestamp::UNIX_EPOCH,
            },
        }
    }

    fn told(status: u16, body: Value) -> Told {
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", "7".parse().unwrap());
        judge(&guest(), Ok(Answer { status: StatusCode::from_u16(status).unwrap(), headers, body }))
    }

    #[test]
    fn what_is_told_of_a_claim_is_read() {
        let pending = json!({ "status": "pending", "place": 12, "ticket": "MTI" });
        let after = Duration::from_secs(7);
        let expected = Told::Pending { place: Some(12), ticket: Some("MTI".into()), after };
        assert_eq!(told(200, pending), expected);
        let unknown = Told::Pending { place: None, ticket: None, after };
        assert_eq!(told(200, json!({ "status": "pending" })), unknown);

        let issued = json!({ "status": "issued", "coupon": { "id": "c-1", "code": "7K3M" } });
        let promise = Promise { guest: "ann".into(), id: "c-1".into(), code: "7K3M".into() };
        assert_eq!(told(200, issued), Told::Settled(Outcome::Promised { promise, replayed: false }));

        let problem = json!({ "type": "urn:flashsale:problem:coupon-sold-out", "status": 409 });
        let sold_out = Told::Settled(Outcome::Refused("409 coupon-sold-out".into()));
        assert_eq!(told(200, json!({ "status": "refused", "problem": problem })), sold_out);
    }

    #[test]
    fn an_answer_that_tells_nothing_of_the_claim_is_no_outcome_of_it() {
        let problem = |slug: &str| json!({ "type": format!("urn:flashsale:problem:{slug}") });
        let again = Outcome::Retry { reason: "503 try-again".into(), after: Duration::from_secs(7) };
        assert_eq!(told(503, problem("try-again")), Told::Else(again));
        let stranger = Outcome::Refused("404 claim-not-found".into());
        assert_eq!(told(404, problem("claim-not-found")), Told::Else(stranger));
        for (status, body) in [(200, json!({})), (200, json!({ "status": "issued" })), (500, Value::Null)] {
            let told = told(status, body);
            assert!(matches!(told, Told::Else(Outcome::Failed(_))), "{told:?}");
        }
    }
}
