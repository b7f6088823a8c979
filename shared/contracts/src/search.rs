use domain_ids::{HomestayId, ImportId, RebuildId, SearchId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What somebody did in the search, for `count-searches`.
///
/// `client` tells one searcher from another while popular queries are counted. It is an address, so it is never stored or
/// logged: it is digested with the salt of the day, which nobody keeps.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum SearchEvent {
    /// They searched for a keyword and saw the first page.
    #[serde(rename_all = "camelCase")]
    Searched {
        /// Which search.
        search_id: SearchId,
        /// When.
        at: Timestamp,
        /// The keyword, folded, as popular queries show it; empty if there was none.
        keyword: String,
        /// How many homestays were found.
        total: u64,
        /// Who, to tell apart.
        client: String,
    },
    /// They opened one of the results.
    #[serde(rename_all = "camelCase")]
    Clicked {
        /// Of which search.
        search_id: SearchId,
        /// When.
        at: Timestamp,
        /// The keyword, folded; empty if there was none.
        keyword: String,
        /// What they opened.
        homestay_id: HomestayId,
        /// Where it stood, from 1.
        position: u32,
        /// Who, to tell apart.
        client: String,
    },
}

/// A step of importing a file of homestays, for `import-homestays`: from this byte on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImportStep {
    /// The job.
    pub import: ImportId,
    /// Where the step begins in the file, in bytes.
    pub from: u64,
}

/// A step of rebuilding the index, for `reindex-homestays`: it goes on where the last one stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RebuildStep {
    /// The rebuild.
    pub rebuild: RebuildId,
    /// Which step, from 0: a repeated one is recognised by it.
    pub step: u32,
}

impl std::fmt::Debug for SearchEvent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (kind, search_id) = match self {
            Self::Searched { search_id, .. } => ("Searched", search_id),
            Self::Clicked { search_id, .. } => ("Clicked", search_id),
        };
        f.debug_struct(kind).field("search_id", search_id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    const SEARCH: &str = "01KA3Z5QJ8M4T2R7V9X1C6B0NG";

    #[test]
    fn the_samples_are_read_and_written() {
        // The moment that the id of the search tells, too.
        let at = "2025-11-15T14:37:12.136Z".parse().unwrap();
        let search_id = SEARCH.parse().unwrap();
        let (keyword, client) = ("三里屯".to_owned(), "203.0.113.7".to_owned());
        let searched = SearchEvent::Searched {
            search_id,
            at,
            keyword: keyword.clone(),
            total: 128,
            client: client.clone(),
        };
        samples::assert_is("searched.json", &searched);
        let homestay_id = "h-1643534".parse().unwrap();
        samples::assert_is(
            "search-clicked.json",
            &SearchEvent::Clicked { search_id, at, keyword, homestay_id, position: 3, client },
        );
        samples::assert_is(
            "import-step.json",
            &ImportStep { import: SEARCH.parse().unwrap(), from: 1_048_576 },
        );
        samples::assert_is("rebuild-step.json", &RebuildStep { rebuild: SEARCH.parse().unwrap(), step: 4 });
    }

    #[test]
    fn an_event_says_nothing_of_who_searched_for_what() {
        let event = SearchEvent::Searched {
            search_id: SEARCH.parse().unwrap(),
            at: Timestamp::UNIX_EPOCH,
            keyword: "secret".to_owned(),
            total: 1,
            client: "203.0.113.7".to_owned(),
        };
        let text = format!("{event:?}");
        assert!(!text.contains("secret") && !text.contains("203"), "{text}");
    }
}
