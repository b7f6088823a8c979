//! Changes of a table, from a `DynamoDB` stream with new and old images.
//!
//! They come in the order in which each item changed, at least once. Lambda goes on behind the first that is reported
//! to have failed, so that a change may come again that has been dealt with; it never skips one, except for those that
//! outlast the mapping's retries. [`each`] stops at the first failure; [`records`] hands the changes over, to functions
//! for whom the order does not matter.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize, Serializer, de::DeserializeOwned};
use serde_json::Value;

use crate::{Failure, failure::serialize};

/// What Lambda passes on from a stream, its images not parsed.
#[derive(Debug, Deserialize)]
pub struct StreamEvent {
    #[serde(rename = "Records")]
    records: Vec<RawRecord>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawRecord {
    event_name: String,
    dynamodb: RawChange,
}

/// An image is not for the log.
impl std::fmt::Debug for RawRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RawRecord")
            .field("event_name", &self.event_name)
            .field("sequence_number", &self.dynamodb.sequence_number)
            .finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawChange {
    sequence_number: String,
    #[serde(default, rename = "ApproximateCreationDateTime")]
    created_s: Option<f64>,
    #[serde(default)]
    old_image: Option<Value>,
    #[serde(default)]
    new_image: Option<Value>,
}

impl RawChange {
    /// Lambda writes whole seconds, other consumers of the stream fractions of them.
    fn created_at(&self) -> Option<Timestamp> {
        let since = SignedDuration::try_from_secs_f64(self.created_s?).ok()?;
        Timestamp::from_duration(since).ok()
    }
}

/// A change that could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamRecord<I> {
    /// Names it in the response.
    pub position: Position,
    /// About when it was written, where the stream says so: to the second.
    pub created_at: Option<Timestamp>,
    /// What has changed.
    pub change: Change<I>,
}

/// What has become of an item, in images of type `I`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change<I> {
    /// It is new.
    Insert(I),
    /// It is another.
    Modify {
        /// Before.
        old: I,
        /// After.
        new: I,
    },
    /// It is gone: deleted, or at the end of its time to live.
    Remove(I),
}

/// Where in its batch a change stands, and its sequence number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    // First, as sequence numbers are numbers of any length, which do not sort as text.
    index: usize,
    sequence_number: String,
}

/// Where Lambda must go on: at the first change that has failed, if any.
///
/// <https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html>
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StreamResponse {
    first: Option<Position>,
}

impl StreamResponse {
    /// One without failures.
    pub fn new() -> Self {
        Self::default()
    }

    /// The change at `position` has failed: reports it, unless an earlier one has failed, and logs it.
    pub fn fail(&mut self, position: &Position, failure: &Failure) {
        failure.log(&position.sequence_number);
        self.first = Some(match self.first.take() {
            Some(first) => first.min(position.clone()),
            None => position.clone(),
        });
    }

    /// The sequence number reported, if any.
    pub fn failed(&self) -> Option<&str> {
        self.first.as_ref().map(|first| first.sequence_number.as_str())
    }
}

/// `{"batchItemFailures":[{"itemIdentifier":"<sequence number>"}]}`, with at most one.
impl Serialize for StreamResponse {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize(self.failed().into_iter(), serializer)
    }
}

/// The changes of a batch whose images are an `I`, in their order, and the response, in which those whose images are
/// not have failed already. `I` reads `DynamoDB`'s JSON: `serde_dynamo::Item`, for example.
///
/// After a failure the changes behind it come again.
pub fn records<I: DeserializeOwned>(event: StreamEvent) -> (Vec<StreamRecord<I>>, StreamResponse) {
    let mut response = StreamResponse::new();
    let mut records = Vec::with_capacity(event.records.len());
    for (index, raw) in event.records.into_iter().enumerate() {
        let created_at = raw.dynamodb.created_at();
        let (position, change) = read(index, raw);
        match change {
            Ok(change) => records.push(StreamRecord { position, created_at, change }),
            Err(failure) => response.fail(&position, &failure),
        }
    }
    (records, response)
}

/// Has `handle` deal with each change in order, until one fails.
pub async fn each<I, F>(event: StreamEvent, handle: impl Fn(Change<I>) -> F) -> StreamResponse
where
    I: DeserializeOwned,
    F: Future<Output = Result<(), Failure>>,
{
    let mut response = StreamResponse::new();
    for (index, raw) in event.records.into_iter().enumerate() {
        let (position, change) = read(index, raw);
        let handled = match change {
            Ok(change) => handle(change).await,
            Err(failure) => Err(failure),
        };
        if let Err(failure) = handled {
            response.fail(&position, &failure);
            break;
        }
    }
    response
}

fn read<I: DeserializeOwned>(index: usize, raw: RawRecord) -> (Position, Result<Change<I>, Failure>) {
    let RawRecord { event_name, dynamodb } = raw;
    let position = Position { index, sequence_number: dynamodb.sequence_number };
    let change = match (event_name.as_str(), dynamodb.old_image, dynamodb.new_image) {
        ("INSERT", _, Some(new)) => image(new).map(Change::Insert),
        ("MODIFY", Some(old), Some(new)) => {
            image(old).and_then(|old| Ok(Change::Modify { old, new: image(new)? }))
        }
        ("REMOVE", Some(old), _) => image(old).map(Change::Remove),
        _ => Err(Failure::never("no change with new and old images")),
    };
    (position, change)
}

fn image<I: DeserializeOwned>(image: Value) -> Result<I, Failure> {
    // The error would repeat what is in the image.
    serde_json::from_value(image).map_err(|_| Failure::never("an image is not what was expected"))
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Clone, PartialEq, Deserialize)]
    struct Thing {
        n: Number,
    }

    #[derive(Debug, Clone, PartialEq, Deserialize)]
    #[serde(rename_all = "UPPERCASE")]
    struct Number {
        n: String,
    }

    fn image_of(n: u32) -> Value {
        json!({ "n": { "N": n.to_string() } })
    }

    fn thing(n: u32) -> Thing {
        Thing { n: Number { n: n.to_string() } }
    }

    /// Sequence numbers grow, and become longer on the way.
    fn sequence_number(index: usize) -> String {
        (96 + index).to_string()
    }

    fn event(changes: &[Value]) -> StreamEvent {
        let records = changes.iter().enumerate().map(|(index, change)| {
            let mut dynamodb = change.clone();
            dynamodb["SequenceNumber"] = sequence_number(index).into();
            dynamodb["Keys"] = json!({ "pk": { "S": "a" } });
            let event_name = match (change.get("OldImage"), change.get("NewImage")) {
                (None, _) => "INSERT",
                (Some(_), Some(_)) => "MODIFY",
                (Some(_), None) => "REMOVE",
            };
            json!({ "eventID": "x", "eventName": event_name, "dynamodb": dynamodb })
        });
        serde_json::from_value(json!({ "Records": records.collect::<Vec<_>>() })).unwrap()
    }

    #[test]
    fn a_change_says_when_it_was_written_if_that_is_known() {
        let at = |when: Value| {
            let change = json!({ "NewImage": image_of(1), "ApproximateCreationDateTime": when });
            records::<Thing>(event(&[change])).0[0].created_at
        };
        assert_eq!(at(json!(1_794_326_400)), Some(Timestamp::constant(1_794_326_400, 0)));
        assert_eq!(at(json!(1_794_326_400.5)), Some(Timestamp::constant(1_794_326_400, 500_000_000)));
        assert_eq!((at(json!(null)), at(json!(1e300))), (None, None));
    }

    #[test]
    fn changes_are_read_in_their_order() {
        let (records, response) = records::<Thing>(event(&[
            json!({ "NewImage": image_of(1) }),
            json!({ "OldImage": image_of(1), "NewImage": image_of(2) }),
            json!({ "OldImage": image_of(2) }),
        ]));
        let changes: Vec<_> = records.into_iter().map(|record| record.change).collect();
        let expected = [
            Change::Insert(thing(1)),
            Change::Modify { old: thing(1), new: thing(2) },
            Change::Remove(thing(2)),
        ];
        assert_eq!(changes, expected);
        assert_eq!(json!(response), json!({ "batchItemFailures": [] }));
    }

    #[test]
    fn what_cannot_be_read_fails_and_the_rest_is_read() {
        let (records, response) = records::<Thing>(event(&[
            json!({ "NewImage": image_of(1) }),
            json!({ "NewImage": { "n": { "S": "secret" } } }),
            json!({}),
            json!({ "NewImage": image_of(4) }),
        ]));
        assert_eq!(records.len(), 2);
        assert_eq!(json!(response), json!({ "batchItemFailures": [{ "itemIdentifier": "97" }] }));
    }

    #[test]
    fn an_image_is_not_shown() {
        let shown = format!("{:?}", event(&[json!({ "NewImage": { "name": { "S": "secret" } } })]));
        assert!(shown.contains("INSERT") && !shown.contains("secret"), "{shown}");
    }

    proptest! {
        #[test]
        fn the_first_failure_is_reported_in_whatever_order_they_are_found(
            found in proptest::collection::vec(0..20_usize, 0..20),
        ) {
            let (records, mut response) = records::<Thing>(event(&vec![json!({ "NewImage": image_of(1) }); 20]));
            for index in &found {
                response.fail(&records[*index].position, &Failure::again("not now"));
            }
            prop_assert_eq!(response.failed().map(str::to_owned), found.into_iter().min().map(sequence_number));
        }

        #[test]
        fn nothing_behind_the_first_failure_is_dealt_with(fates in proptest::collection::vec(0..8_u32, 0..20)) {
            let changes: Vec<Value> = fates
                .iter()
                .map(|fate| if *fate == 0 { json!({}) } else { json!({ "NewImage": image_of(*fate) }) })
                .collect();
            let seen = RefCell::new(Vec::new());
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let response = runtime.block_on(each(event(&changes), |change: Change<Thing>| {
                seen.borrow_mut().push(change.clone());
                async move {
                    if change == Change::Insert(thing(1)) { Err(Failure::again("not now")) } else { Ok(()) }
                }
            }));
            let first = fates.iter().position(|fate| *fate < 2);
            prop_assert_eq!(response.failed().map(str::to_owned), first.map(sequence_number));
            let read = fates.iter().take(first.map_or(fates.len(), |first| first + 1)).filter(|fate| **fate > 0);
            prop_assert_eq!(seen.into_inner(), read.map(|fate| Change::Insert(thing(*fate))).collect::<Vec<_>>());
        }
    }
}
