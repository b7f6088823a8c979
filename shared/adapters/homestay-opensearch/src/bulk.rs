use std::collections::BTreeSet;

use backon::BackoffBuilder;
use domain_homestay::{Applied, Change, GenerationId, IndexError, IndexWriter};
use domain_ids::HomestayId;
use opensearch::http::Method;
use serde::Deserialize;
use serde_json::json;

use crate::{
    OpenSearchIndex,
    client::{Call, Exception},
    fields::Indexed,
};

/// Bytes of a bulk request at most: 5 to 15 MB is what `OpenSearch` advises, and domains of small instances take 10 MB.
const MAX_BYTES: usize = 5_000_000;

/// Documents of a bulk request at most, so that one takes well below its time-out.
const MAX_ITEMS: usize = 1_000;

/// What is to be done with one document of one generation.
struct Item {
    /// Its generation, by its place among those that are written to.
    generation: usize,
    /// Lines of the request.
    lines: String,
}

/// What became of the items of a generation.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tally {
    pub(crate) applied: Applied,
    /// There is no such generation.
    pub(crate) is_missing: bool,
}

#[derive(Deserialize)]
struct BulkAnswer {
    items: Vec<Done>,
}

#[derive(Deserialize)]
struct Done {
    #[serde(alias = "index", alias = "delete")]
    done: Outcome,
}

#[derive(Deserialize)]
struct Outcome {
    status: u16,
    #[serde(default)]
    error: Option<Exception>,
}

/// A document was not taken.
#[derive(Debug, thiserror::Error)]
#[error("a document was answered {status} {kind}")]
struct NotTaken {
    status: u16,
    kind: String,
}

/// There are not as many answers as documents.
#[derive(Debug, thiserror::Error)]
#[error("not every document was answered")]
struct Miscounted;

impl OpenSearchIndex {
    /// Applies `changes` to each of `generations`.
    pub(crate) async fn write(
        &self,
        generations: &[GenerationId],
        changes: &[Change],
    ) -> Result<Vec<Tally>, IndexError> {
        let mut tallies = vec![Tally::default(); generations.len()];
        let mut items = Items::default();
        for change in changes {
            let document = serde_json::to_string(&Indexed::of(change, self.analyzer))
                .map_err(|error| IndexError::Corrupt(error.into()))?;
            for (place, generation) in generations.iter().enumerate() {
                let action = json!({ "index": {
                    "_index": self.names.writer(generation),
                    "_id": change.id.as_str(),
                    "version": change.version.get(),
                    "version_type": "external",
                    "require_alias": true,
                } });
                let item = Item { generation: place, lines: format!("{action}\n{document}\n") };
                if let Some(full) = items.push(item) {
                    self.send(full, &mut tallies).await?;
                }
            }
        }
        self.send(items.list, &mut tallies).await?;
        Ok(tallies)
    }

    /// Deletes documents that are still at these sequence numbers and primary terms.
    pub(crate) async fn delete(
        &self,
        generation: &GenerationId,
        documents: &[(&HomestayId, i64, i64)],
    ) -> Result<Tally, IndexError> {
        let mut tallies = [Tally::default()];
        let mut items = Items::default();
        for (id, sequence, term) in documents {
            let action = json!({ "delete": {
                "_index": self.names.writer(generation),
                "_id": id.as_str(),
                "if_seq_no": sequence,
                "if_primary_term": term,
            } });
            if let Some(full) = items.push(Item { generation: 0, lines: format!("{action}\n") }) {
                self.send(full, &mut tallies).await?;
            }
        }
        self.send(items.list, &mut tallies).await?;
        let [tally] = tallies;
        Ok(tally)
    }

    /// Sends items, again those that the domain has no room for now.
    async fn send(&self, mut items: Vec<Item>, tallies: &mut [Tally]) -> Result<(), IndexError> {
        let mut pauses = self.client.policy().pauses().build();
        while !items.is_empty() {
            let body: String = items.iter().map(|item| item.lines.as_str()).collect();
            let call = Call {
                method: Method::Post,
                path: "/_bulk".to_owned(),
                query: &[],
                body: Some(body.into()),
                is_write: true,
            };
            let answer: BulkAnswer = self.client.ask(&call).await?;
            if answer.items.len() != items.len() {
                return Err(IndexError::Corrupt(Miscounted.into()));
            }
            let (mut again, mut refused) = (Vec::new(), None);
            for (item, Done { done }) in items.into_iter().zip(answer.items) {
                let Some(tally) = tallies.get_mut(item.generation) else { continue };
                match (done.status, &done.error) {
                    // 404: it is deleted already.
                    (200..=299, _) | (404, None) => tally.applied.applied += 1,
                    (409, _) => tally.applied.outdated += 1,
                    (404, Some(error)) if error.kind == "index_not_found_exception" => {
                        tally.is_missing = true;
                    }
                    (429 | 503, _) => again.push((item, NotTaken::of(done))),
                    _ => refused = refused.or(Some(NotTaken::of(done))),
                }
            }
            if let Some(refused) = refused {
                // The others are in: what comes again finds them outdated.
                return Err(refused.into());
            }
            items = match (again.is_empty(), pauses.next()) {
                (true, _) => Vec::new(),
                (false, Some(pause)) => {
                    tokio::time::sleep(pause).await;
                    again.into_iter().map(|(item, _)| item).collect()
                }
                (false, None) => {
                    let busy = again.into_iter().next().map(|(_, busy)| busy.into());
                    return Err(IndexError::Busy(busy.unwrap_or_else(|| Miscounted.into())));
                }
            };
        }
        Ok(())
    }
}

impl NotTaken {
    fn of(outcome: Outcome) -> Self {
        let kind = outcome.error.map_or_else(|| "for an unknown reason".to_owned(), |error| error.kind);
        Self { status: outcome.status, kind }
    }
}

impl From<NotTaken> for IndexError {
    fn from(refused: NotTaken) -> Self {
        if refused.status >= 500 || matches!(refused.status, 401 | 403) {
            Self::Unavailable(refused.into())
        } else {
            Self::Corrupt(refused.into())
        }
    }
}

#[derive(Default)]
struct Items {
    list: Vec<Item>,
    bytes: usize,
}

impl Items {
    /// Adds an item; returns those before it if there is no room for it with them.
    fn push(&mut self, item: Item) -> Option<Vec<Item>> {
        let is_full = self.list.len() >= MAX_ITEMS || self.bytes.saturating_add(item.lines.len()) > MAX_BYTES;
        let full = (is_full && !self.list.is_empty()).then(|| std::mem::take(self).list);
        self.bytes = self.bytes.saturating_add(item.lines.len());
        self.list.push(item);
        full
    }
}

impl IndexWriter for OpenSearchIndex {
    async fn apply(&self, changes: &[Change]) -> Result<Applied, IndexError> {
        let known = self.known().await?;
        let live = known.live.as_ref().ok_or(IndexError::Missing)?;
        let generations: Vec<GenerationId> = known.all().cloned().collect();
        let tallies = self.write(&generations, changes).await?;
        let gone: BTreeSet<&GenerationId> =
            generations.iter().zip(&tallies).filter(|(_, tally)| tally.is_missing).map(|it| it.0).collect();
        if !gone.is_empty() {
            // One may be dropped meanwhile. If it was not, nobody knows what happened.
            let still = self.known().await?;
            if still.all().any(|generation| gone.contains(generation)) || gone.contains(live) {
                return Err(IndexError::Missing);
            }
        }
        let of_live = generations.iter().position(|generation| generation == live);
        Ok(of_live.and_then(|place| tallies.get(place)).map(|tally| tally.applied).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_has_its_limits() {
        let item = |length: usize| Item { generation: 0, lines: "x".repeat(length) };
        let mut items = Items::default();
        assert!((0..MAX_ITEMS).all(|_| items.push(item(1)).is_none()));
        assert_eq!(items.push(item(1)).map(|full| full.len()), Some(MAX_ITEMS));
        assert!(items.push(item(MAX_BYTES - 1)).is_none());
        assert_eq!(items.push(item(2)).map(|full| full.len()), Some(2));
        assert_eq!(items.push(item(MAX_BYTES + 1)).map(|full| full.len()), Some(1), "alone, however large");
        assert_eq!(items.list.len(), 1);
    }
}
