use std::str::FromStr;

use domain_text::{InvalidSynonyms, Synonyms};
use serde::Deserialize;

use crate::{InvalidRanking, Ranking};

/// Queries that are kept out of the popular ones, at most: each is compared with each popular query.
pub const MAX_BLOCKED: usize = 1_000;

/// What operators change while searches go on: a JSON document of `AppConfig`, or a file.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchRules {
    /// Words that mean the same: those of the house, and what operators have added.
    pub synonyms: Synonyms,
    /// What counts in the composite order.
    pub ranking: Ranking,
    /// What is never shown as a popular query: anything that contains one of these, folded.
    pub blocked: Vec<String>,
}

/// The document cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InvalidRules {
    /// It is not the JSON it should be.
    #[error("not a document of search rules")]
    Json(#[from] serde_json::Error),
    /// Its synonyms cannot be read.
    #[error("synonyms: {0}")]
    Synonyms(#[from] InvalidSynonyms),
    /// Its weights cannot be used.
    #[error("ranking: {0}")]
    Ranking(#[from] InvalidRanking),
    /// It blocks too much.
    #[error("blocked: at most 1,000 entries, none of them empty")]
    Blocked,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RulesDocument {
    #[serde(default)]
    synonyms: Option<Vec<String>>,
    #[serde(default)]
    ranking: Ranking,
    #[serde(default)]
    blocked: Vec<String>,
}

impl Default for SearchRules {
    /// Those of the house.
    fn default() -> Self {
        Self { synonyms: Synonyms::house(), ranking: Ranking::default(), blocked: Vec::new() }
    }
}

impl FromStr for SearchRules {
    type Err = InvalidRules;

    fn from_str(json: &str) -> Result<Self, InvalidRules> {
        Self::parse(json.as_bytes())
    }
}

impl SearchRules {
    /// Reads the document. Its synonyms are in addition to those of the house.
    pub fn parse(json: &[u8]) -> Result<Self, InvalidRules> {
        // By way of an object: serde takes an array for a document whose fields are all optional.
        let object: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(json)?;
        let document = RulesDocument::deserialize(serde_json::Value::Object(object))?;
        document.ranking.check()?;
        let blocked_well = document.blocked.len() <= MAX_BLOCKED
            && document.blocked.iter().all(|text| !text.trim().is_empty());
        if !blocked_well {
            return Err(InvalidRules::Blocked);
        }
        let synonyms = document.synonyms.unwrap_or_default();
        Ok(Self {
            synonyms: Synonyms::house().and(Synonyms::parse(synonyms.iter().map(String::as_str))?),
            ranking: document.ranking,
            blocked: document.blocked,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_document_is_the_rules_of_the_house() {
        assert_eq!(SearchRules::parse(b"{}").unwrap(), SearchRules::default());
    }

    #[test]
    fn synonyms_of_the_document_are_added_to_those_of_the_house() {
        let rules: SearchRules = r#"{"synonyms": ["帐篷, 露营"]}"#.parse().unwrap();
        let added = Synonyms::parse(["帐篷, 露营"]).unwrap();
        assert_eq!(rules.synonyms, Synonyms::house().and(added));
    }

    #[test]
    fn what_cannot_be_used_is_refused_whole() {
        for json in [
            "[]",
            r#"{"ranking": {"rating": -1}}"#,
            r#"{"ranking": {"stars": 1}}"#,
            r#"{"blocked": [" "]}"#,
            r#"{"weights": {}}"#,
        ] {
            assert!(SearchRules::parse(json.as_bytes()).is_err(), "{json}");
        }
    }
}
