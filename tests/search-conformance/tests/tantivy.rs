//! The suite on the embedded index.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::sync::Mutex;

use homestay_tantivy::TantivyIndex;
use proptest::prelude::*;
use search_conformance::Backend;
use tempfile::TempDir;

#[derive(Default)]
struct Embedded {
    folders: Mutex<Vec<TempDir>>,
}

impl Backend for Embedded {
    type Index = TantivyIndex;

    async fn fresh(&self) -> TantivyIndex {
        let folder = tempfile::tempdir().unwrap();
        let index = TantivyIndex::new(folder.path().join("search"), search_conformance::analyzer());
        self.folders.lock().unwrap().push(folder);
        index
    }

    async fn reopen(&self, index: TantivyIndex) -> TantivyIndex {
        TantivyIndex::new(index.folder(), search_conformance::analyzer())
    }

    async fn refresh(&self, index: &TantivyIndex) {
        index.refresh();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_does_what_every_index_must() {
    search_conformance::run(&Embedded::default()).await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn index_and_table_agree_after_any_history(seed: u64) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let replayed = runtime.block_on(search_conformance::replay(&Embedded::default(), seed));
        prop_assert!(replayed.is_ok(), "{replayed:?}");
    }
}
