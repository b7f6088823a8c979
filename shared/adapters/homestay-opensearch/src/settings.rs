use std::num::NonZeroU16;

use serde_json::{Value, json};

use crate::{IndexName, Policy};

/// How an index is set up. What is versioned is mapping and analysis: an index is never changed, a new generation is built.
const V1: &str = include_str!("../settings/v1.json");

/// The version of the settings that new generations get; an index has its own in `_meta.settingsVersion` of its mapping.
pub const SETTINGS_VERSION: u32 = 1;

/// What an index is called and how large it is.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// What its aliases begin with; `homestays` by default.
    pub name: IndexName,
    /// Over how many shards a new generation is spread.
    pub shards: Shards,
    /// How it is asked.
    pub policy: Policy,
}

/// One shard is the default: see the crate's documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shards(pub NonZeroU16);

impl Default for Shards {
    fn default() -> Self {
        Self(NonZeroU16::MIN)
    }
}

impl Settings {
    /// The body of a request that creates an index with these aliases.
    pub(crate) fn body(&self, aliases: &[&str]) -> Result<Value, serde_json::Error> {
        let mut body: Value = serde_json::from_str(V1)?;
        if let Some(shards) = body.pointer_mut("/settings/index/number_of_shards") {
            *shards = self.shards.0.get().into();
        }
        if let Some(body) = body.as_object_mut() {
            body.insert(
                "aliases".to_owned(),
                aliases.iter().map(|&alias| (alias.to_owned(), json!({}))).collect(),
            );
        }
        Ok(body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_knows_its_settings_version_and_has_the_shards_asked_for() {
        let settings = Settings { shards: Shards(NonZeroU16::new(3).unwrap()), ..Settings::default() };
        let body = settings.body(&["homestays"]).unwrap();
        assert_eq!(body["mappings"]["_meta"]["settingsVersion"], SETTINGS_VERSION);
        assert_eq!(body["settings"]["index"]["number_of_shards"], 3);
        assert_eq!(body["aliases"], json!({ "homestays": {} }));
    }
}
