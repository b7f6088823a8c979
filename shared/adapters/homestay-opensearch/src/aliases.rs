//! Which generations there are is written in the aliases of their indices, and nowhere else.

use std::collections::BTreeMap;

use domain_homestay::{GenerationId, Generations, IndexError};
use serde::Deserialize;
use serde_json::Value;

use crate::{OpenSearchIndex, client::Call, endpoint::Names};

#[derive(Debug, Deserialize)]
struct Index {
    aliases: BTreeMap<String, Value>,
}

impl OpenSearchIndex {
    /// Which generations there are; none if there is no index.
    pub(crate) async fn known(&self) -> Result<Generations, IndexError> {
        let call = Call::get(format!("/{}/_alias", self.names.sync), &[]);
        match self.client.ask::<BTreeMap<String, Index>>(&call).await {
            Ok(indices) => Ok(read(&self.names, &indices)),
            Err(failure) if failure.is_missing() => Ok(Generations::default()),
            Err(failure) => Err(failure.into()),
        }
    }

    /// The index of a generation.
    pub(crate) fn index(&self, generation: &GenerationId) -> Result<String, IndexError> {
        self.names.index(generation).map_err(|error| IndexError::Corrupt(error.into()))
    }
}

/// Of two that are said to be the same, which nothing here does, the one whose name is greater.
fn read(names: &Names, indices: &BTreeMap<String, Index>) -> Generations {
    let with = |alias: &String| {
        let has = indices.iter().filter(|(_, index)| index.aliases.contains_key(alias));
        has.filter_map(|(name, _)| names.generation(name)).next_back()
    };
    Generations { live: with(&names.live), building: with(&names.building), previous: with(&names.previous) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::IndexName;

    #[test]
    fn generations_are_read_from_aliases() {
        let json = r#"{
            "homestays-a": {"aliases": {"homestays-sync": {}, "homestays-previous": {}}},
            "homestays-b": {"aliases": {"homestays": {"is_hidden": true}, "homestays-sync": {}}},
            "homestays-c": {"aliases": {"homestays-sync": {}, "homestays-building": {}}}
        }"#;
        let generations = read(&Names::new(&IndexName::default()), &serde_json::from_str(json).unwrap());
        let named = |name: &str| Some(name.parse().unwrap());
        assert_eq!(generations, Generations { live: named("b"), building: named("c"), previous: named("a") });
    }
}
