use domain_homestay::{Applied, Change, GenerationId, Generations, Held, IndexAdmin, IndexError, Version};
use domain_ids::HomestayId;
use opensearch::http::Method;
use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Value, json};

use crate::{
    OpenSearchIndex,
    answer::Answer,
    client::{Call, Exception, Failure},
    request,
};

/// Documents that are looked up or listed by one request.
const MAX_DOCUMENTS: usize = 1_000;

#[derive(Deserialize)]
struct Documents {
    docs: Vec<RawDocument>,
}

/// What an index says of a document by id: it knows the very last change.
#[derive(Deserialize)]
struct RawDocument {
    #[serde(default)]
    found: bool,
    #[serde(rename = "_version", default)]
    version: u64,
    #[serde(rename = "_seq_no", default)]
    sequence: i64,
    #[serde(rename = "_primary_term", default)]
    term: i64,
    #[serde(rename = "_source")]
    source: Option<Visible>,
    error: Option<Exception>,
}

#[derive(Deserialize)]
struct Visible {
    visible: bool,
}

#[derive(Deserialize)]
struct Scanned {
    version: u64,
    visible: bool,
}

/// A document says nothing of whether it can be found, or has an id that no homestay has.
#[derive(Debug, thiserror::Error)]
#[error("a document is none of ours")]
struct Foreign;

impl RawDocument {
    fn held(&self) -> Result<Option<Held>, IndexError> {
        match (&self.error, self.found, &self.source) {
            (Some(error), _, _) if error.kind == "index_not_found_exception" => Err(IndexError::Missing),
            (None, false, _) => Ok(None),
            (None, true, Some(Visible { visible })) => {
                Ok(Some(Held { version: Version::from_stored(self.version), visible: *visible }))
            }
            (Some(_), _, _) | (None, true, None) => Err(IndexError::Corrupt(Foreign.into())),
        }
    }
}

impl OpenSearchIndex {
    /// Shows searches, from now on, all that was applied up to now; it takes a second by itself.
    pub async fn refresh(&self) -> Result<(), IndexError> {
        match self.refreshed(&self.names.sync).await {
            Err(failure) if failure.is_missing() => Ok(()),
            answer => Ok(answer?),
        }
    }

    async fn refreshed(&self, index: &str) -> Result<(), Failure> {
        let call = Call { body: None, ..Call::post(format!("/{index}/_refresh"), &[], &Value::Null) };
        self.client.ask::<IgnoredAny>(&call.writing()).await.map(drop)
    }

    /// Makes an index with these aliases, in place of a leftover of that name, which no alias makes known.
    async fn create(&self, generation: &GenerationId, aliases: &[&str]) -> Result<(), IndexError> {
        let index = self.index(generation)?;
        let writer = self.names.writer(generation);
        let aliases = [aliases, &[writer.as_str()]].concat();
        let body = self.settings.body(&aliases).map_err(|error| IndexError::Corrupt(error.into()))?;
        let call = Call {
            method: Method::Put,
            body: Some(body.to_string().into()),
            ..Call::get(format!("/{index}"), &[]).writing()
        };
        match self.client.ask::<IgnoredAny>(&call).await {
            // An attempt before made it and its answer was lost, or somebody else did.
            Err(failure) if failure.is("resource_already_exists_exception") => Ok(()),
            answer => Ok(answer.map(drop)?),
        }
    }

    async fn drop_index(&self, generation: &GenerationId) -> Result<(), IndexError> {
        let index = self.index(generation)?;
        let call = Call { method: Method::Delete, ..Call::get(format!("/{index}"), &[]).writing() };
        match self.client.ask::<IgnoredAny>(&call).await {
            Err(failure) if failure.is_missing() => Ok(()),
            answer => Ok(answer.map(drop)?),
        }
    }

    /// Changes aliases, all at once, so that `done` is so afterwards.
    async fn change(
        &self,
        actions: Vec<Value>,
        done: impl Fn(&Generations) -> bool,
    ) -> Result<(), IndexError> {
        let call = Call::post("/_aliases".to_owned(), &[], &json!({ "actions": actions })).writing();
        match self.client.ask::<IgnoredAny>(&call).await {
            Ok(_) => Ok(()),
            // An attempt before may have done it, and its answer been lost.
            Err(Failure::Refused { .. }) if done(&self.known().await?) => Ok(()),
            Err(failure) => Err(failure.into()),
        }
    }

    async fn documents(
        &self,
        generation: &GenerationId,
        ids: &[&HomestayId],
    ) -> Result<Vec<RawDocument>, IndexError> {
        let path = format!("/{}/_mget", self.index(generation)?);
        let mut all = Vec::with_capacity(ids.len());
        for ids in ids.chunks(MAX_DOCUMENTS) {
            let call = Call::post(path.clone(), &[("_source_includes", "visible")], &json!({ "ids": ids }));
            let documents: Documents = self.client.ask(&call).await?;
            if documents.docs.len() != ids.len() {
                return Err(IndexError::Corrupt(Foreign.into()));
            }
            all.extend(documents.docs);
        }
        Ok(all)
    }
}

fn add(index: &str, alias: &str) -> Value {
    json!({ "add": { "index": index, "alias": alias } })
}

/// Fails the whole change if the alias is not there: somebody else has changed it meanwhile.
fn remove(index: &str, alias: &str) -> Value {
    json!({ "remove": { "index": index, "alias": alias, "must_exist": true } })
}

impl IndexAdmin for OpenSearchIndex {
    async fn generations(&self) -> Result<Generations, IndexError> {
        self.known().await
    }

    async fn prepare(&self, generation: &GenerationId) -> Result<(), IndexError> {
        if self.known().await?.live.is_some() {
            return Ok(());
        }
        self.create(generation, &[&self.names.live, &self.names.sync]).await
    }

    async fn build(&self, generation: &GenerationId) -> Result<(), IndexError> {
        let known = self.known().await?;
        if known.all().any(|known| known == generation) {
            return Ok(());
        }
        // A leftover of that name is not empty perhaps; another one goes first, so that there are never two.
        self.drop_index(generation).await?;
        if let Some(other) = &known.building {
            self.drop_index(other).await?;
        }
        self.create(generation, &[&self.names.sync, &self.names.building]).await
    }

    async fn apply_to(&self, generation: &GenerationId, changes: &[Change]) -> Result<Applied, IndexError> {
        let tallies = self.write(std::slice::from_ref(generation), changes).await?;
        let tally = tallies.into_iter().next().unwrap_or_default();
        if tally.is_missing { Err(IndexError::Missing) } else { Ok(tally.applied) }
    }

    async fn switch(&self, generation: &GenerationId) -> Result<(), IndexError> {
        let known = self.known().await?;
        if known.live.as_ref() == Some(generation) {
            return Ok(());
        }
        if known.building.as_ref() != Some(generation) {
            return Err(IndexError::Missing);
        }
        let index = self.index(generation)?;
        self.refreshed(&index).await?;
        let mut actions = vec![remove(&index, &self.names.building), add(&index, &self.names.live)];
        if let Some(live) = &known.live {
            let live = self.index(live)?;
            actions.extend([remove(&live, &self.names.live), add(&live, &self.names.previous)]);
        }
        if let Some(previous) = &known.previous {
            actions.push(json!({ "remove_index": { "index": self.index(previous)? } }));
        }
        self.change(actions, |known| known.live.as_ref() == Some(generation)).await
    }

    async fn roll_back(&self, to: &GenerationId) -> Result<(), IndexError> {
        let known = self.known().await?;
        if known.live.as_ref() == Some(to) {
            return Ok(());
        }
        let (Some(live), true) = (&known.live, known.previous.as_ref() == Some(to)) else {
            return Err(IndexError::Missing);
        };
        let (live, index) = (self.index(live)?, self.index(to)?);
        let actions = vec![
            remove(&live, &self.names.live),
            add(&live, &self.names.previous),
            remove(&index, &self.names.previous),
            add(&index, &self.names.live),
        ];
        self.change(actions, |known| known.live.as_ref() == Some(to)).await
    }

    async fn discard(&self, generation: &GenerationId) -> Result<(), IndexError> {
        if self.known().await?.live.as_ref() == Some(generation) {
            return Ok(());
        }
        self.drop_index(generation).await
    }

    async fn held(
        &self,
        generation: &GenerationId,
        ids: &[HomestayId],
    ) -> Result<Vec<Option<Held>>, IndexError> {
        let documents = self.documents(generation, &ids.iter().collect::<Vec<_>>()).await?;
        documents.iter().map(RawDocument::held).collect()
    }

    async fn scan(
        &self,
        generation: &GenerationId,
        after: Option<&HomestayId>,
        limit: usize,
    ) -> Result<Vec<(HomestayId, Held)>, IndexError> {
        let index = self.index(generation)?;
        if after.is_none() {
            // Who compares it with the table is not to be told of what was repaired a moment ago.
            self.refreshed(&index).await?;
        }
        if limit == 0 {
            return Ok(Vec::new());
        }
        let body = request::scan(after.map(HomestayId::as_str), limit.min(MAX_DOCUMENTS));
        let call =
            Call::post(format!("/{index}/_search"), &[("allow_partial_search_results", "false")], &body);
        let answer: Answer<Scanned> = self.client.ask(&call).await?;
        let hits = answer.hits.hits.into_iter().map(|hit| {
            let Scanned { version, visible } = hit.source;
            let id = hit.id.parse().map_err(|_| IndexError::Corrupt(Foreign.into()))?;
            Ok((id, Held { version: Version::from_stored(version), visible }))
        });
        hits.collect()
    }

    async fn forget(
        &self,
        generation: &GenerationId,
        gone: &[(HomestayId, Version)],
    ) -> Result<(), IndexError> {
        if gone.is_empty() {
            return Ok(());
        }
        let documents =
            self.documents(generation, &gone.iter().map(|(id, _)| id).collect::<Vec<_>>()).await?;
        let mut forgotten = Vec::new();
        for ((id, version), document) in gone.iter().zip(&documents) {
            if document.held()?.is_some_and(|held| !held.visible && held.version <= *version) {
                forgotten.push((id, document.sequence, document.term));
            }
        }
        let tally = self.delete(generation, &forgotten).await?;
        if tally.is_missing {
            return Err(IndexError::Missing);
        }
        // With `gc_deletes` at 0 a refresh also forgets that there was something to delete.
        Ok(self.refreshed(&self.index(generation)?).await?)
    }
}
