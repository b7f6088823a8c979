use domain_homestay::{Found, IndexError, IndexQuery, Position, SearchIndex, Start, TitleFound};
use domain_ids::HomestayId;
use domain_text::Prefix;
use serde::Deserialize;

use crate::{
    OpenSearchIndex,
    answer::{Answer, Stored, WordsAnswer},
    client::{Call, Failure},
    mark::Mark,
    request,
};

/// How long a snapshot is kept from each page on: as long as somebody may read one. A domain has 300 of them at most.
const SNAPSHOT_LIVES: &str = "60s";

/// Words at most: a domain makes 65,535 buckets at most, and these are far more than people use.
const MAX_WORDS: usize = 20_000;

/// Titles that are looked at for each one asked for, as keys say only how their words begin, and at most.
const TITLES_FOR_ONE: usize = 10;
const MAX_TITLES: usize = 200;

/// An answer is whole, or there is none.
const WHOLE: &[(&str, &str)] = &[("allow_partial_search_results", "false")];

#[derive(Deserialize)]
struct Snapshot {
    pit_id: String,
}

#[derive(Deserialize)]
struct Titled {
    doc: Title,
}

#[derive(Deserialize)]
struct Title {
    id: HomestayId,
    title: String,
}

impl OpenSearchIndex {
    /// The page behind a position, in the snapshot that the position is of, in a new one if there is none or it is gone, and in
    /// what is live if no more snapshots can be made.
    ///
    /// The first page has none: nearly all guests look at no other, and a snapshot for each of them would use up what there is
    /// within seconds. What changes between the first page and the second may be seen twice, or not.
    async fn page(&self, query: &IndexQuery, position: &Position) -> Result<Found, Failure> {
        let Mark { key, snapshot } = Mark::of(position);
        let query =
            &IndexQuery { start: Start::After(Position { key, ..position.clone() }), ..query.clone() };
        if let Some(id) = &snapshot {
            match self.within(query, id).await {
                Err(Failure::Refused { status: 400..=499, .. }) => {}
                answer => return answer,
            }
        }
        match self.snapshot().await {
            Ok(Snapshot { pit_id }) => match self.within(query, &pit_id).await {
                Err(Failure::Refused { status: 400..=499, .. }) => self.live(query).await,
                answer => answer,
            },
            Err(Failure::Refused { .. }) => self.live(query).await,
            Err(failure) => Err(failure),
        }
    }

    async fn snapshot(&self) -> Result<Snapshot, Failure> {
        let path = format!("/{}/_search/point_in_time", self.names.live);
        let query = [("keep_alive", SNAPSHOT_LIVES)];
        let call = Call { body: None, ..Call::post(path, &query, &serde_json::Value::Null) };
        self.client.ask(&call).await
    }

    async fn within(&self, query: &IndexQuery, snapshot: &str) -> Result<Found, Failure> {
        let body = request::search(query, Some((snapshot, SNAPSHOT_LIVES)));
        let call = Call::post("/_search".to_owned(), WHOLE, &body);
        let answer: Answer<Stored> = self.client.ask(&call).await?;
        Ok(answer.found(query))
    }

    async fn live(&self, query: &IndexQuery) -> Result<Found, Failure> {
        let answer: Answer<Stored> =
            self.client.ask(&self.asking_live(&request::search(query, None))).await?;
        Ok(answer.found(query))
    }

    fn asking_live(&self, body: &serde_json::Value) -> Call<'static> {
        Call::post(format!("/{}/_search", self.names.live), WHOLE, body)
    }
}

impl SearchIndex for OpenSearchIndex {
    async fn search(&self, query: &IndexQuery) -> Result<Found, IndexError> {
        let found = match &query.start {
            Start::Offset(_) => self.live(query).await,
            Start::After(position) => self.page(query, position).await,
        };
        Ok(found?)
    }

    async fn titles(&self, typed: &Prefix, limit: usize) -> Result<Vec<TitleFound>, IndexError> {
        if typed.keys().is_empty() || limit == 0 {
            return Ok(Vec::new());
        }
        let size = limit.saturating_mul(TITLES_FOR_ONE).min(MAX_TITLES);
        let answer: Answer<Titled> =
            self.client.ask(&self.asking_live(&request::titles(typed.keys(), size))).await?;
        let titles = answer.hits.hits.into_iter().map(|hit| hit.source.doc);
        let titles = titles.filter(|doc| typed.matches(&doc.title)).take(limit);
        Ok(titles.map(|Title { id, title }| TitleFound { id, title }).collect())
    }

    async fn words(&self, limit: usize) -> Result<Vec<(String, u32)>, IndexError> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let body = request::words(limit.min(MAX_WORDS));
        let answer: WordsAnswer = self.client.ask(&self.asking_live(&body)).await?;
        Ok(answer.read())
    }
}
