use std::collections::BTreeSet;

use domain_homestay::{
    Document, Facilities, Filters, GeoPoint, Match, Ranking, Rating, RoomType, Sort, Start,
};
use domain_money::Fen;
use domain_text::TextQuery;
use jiff::Timestamp;
use tempfile::TempDir;

use super::*;

const NOW: Timestamp = Timestamp::constant(1_700_000_000, 0);

fn generation(name: &str) -> GenerationId {
    name.parse().unwrap()
}

fn put(name: &str, version: u64) -> Change {
    let document = Document {
        id: name.parse().unwrap(),
        host: "host".parse().unwrap(),
        title: format!("loft {name}"),
        subtitle: String::new(),
        info: String::new(),
        location: GeoPoint::new(39.9, 116.4).unwrap(),
        city: "北京".to_owned(),
        district: "东城区".to_owned(),
        price: Fen::new(version),
        rating: Rating::default(),
        sales: 0,
        room_type: RoomType::Entire,
        capacity: 2,
        facilities: Facilities::new(),
        cover: String::new(),
        created_at: NOW,
    };
    Change { id: document.id.clone(), version: Version::from_stored(version), document: Some(document) }
}

fn everything() -> IndexQuery {
    IndexQuery {
        text: TextQuery::default(),
        matching: Match::All,
        filters: Filters::default(),
        near: None,
        sort: Sort::PriceAsc,
        ranking: Ranking::default(),
        start: Start::Offset(0),
        limit: 100,
        facets: false,
        now: NOW,
    }
}

fn ids(found: &Found) -> Vec<&str> {
    found.hits.iter().map(|hit| hit.document.id.as_str()).collect()
}

fn index(folder: &TempDir) -> TantivyIndex {
    TantivyIndex::new(folder.path().join("search"), Analyzer::new())
}

async fn prepared() -> (TempDir, TantivyIndex) {
    let folder = tempfile::tempdir().unwrap();
    let index = index(&folder);
    index.prepare(&generation("one")).await.unwrap();
    (folder, index)
}

/// Every file below `folder`, with the time of its last change.
fn files(folder: &Path) -> BTreeSet<(PathBuf, std::time::SystemTime)> {
    let mut all = BTreeSet::new();
    for file in fs::read_dir(folder).unwrap().flatten() {
        if file.file_type().unwrap().is_dir() {
            all.extend(files(&file.path()));
        }
        all.insert((file.path(), file.metadata().unwrap().modified().unwrap()));
    }
    all
}

/// A file of the generation that holds documents.
fn segment_file(folder: &TempDir, extension: &str) -> PathBuf {
    let files = files(&folder.path().join("search/generations/one"));
    files
        .into_iter()
        .map(|(path, _)| path)
        .find(|path| path.extension().is_some_and(|it| it == extension))
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_that_write_at_once_take_turns() {
    let (folder, one) = prepared().await;
    let other = index(&folder);
    let batches = |index: TantivyIndex, from: usize| async move {
        for number in 0..8 {
            let changes = [put(&format!("h-{}", from + number), 1), put("both", (from + number + 1) as u64)];
            index.apply(&changes).await.unwrap();
        }
    };
    let tasks = [tokio::spawn(batches(one.clone(), 0)), tokio::spawn(batches(other.clone(), 100))];
    for task in tasks {
        task.await.unwrap();
    }
    for index in [one, other] {
        index.refresh();
        let found = index.search(&everything()).await.unwrap();
        assert_eq!(found.total, 17);
        let held = index.held(&generation("one"), &["both".parse().unwrap()]).await.unwrap();
        assert_eq!(held[0].unwrap().version.get(), 108);
        index.verify(&generation("one")).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_too_long_for_another_writer_is_told_that_it_is_busy() {
    let (folder, index) = prepared().await;
    let lock = FileLock::acquire(&folder.path().join("search/locks/one.lock")).await.unwrap();
    let error = index.apply(&[put("a", 1)]).await.unwrap_err();
    assert!(matches!(error, IndexError::Busy(_)) && error.is_retryable());
    drop(lock);
    index.apply(&[put("a", 1)]).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_searcher_sees_what_another_wrote_after_a_while_and_writes_nothing() {
    let (folder, writer) = prepared().await;
    let reader = index(&folder);
    writer.apply(&[put("a", 1)]).await.unwrap();
    assert_eq!(ids(&reader.search(&everything()).await.unwrap()), ["a"]);
    writer.apply(&[put("b", 2)]).await.unwrap();
    let before = files(folder.path());
    assert_eq!(ids(&reader.search(&everything()).await.unwrap()), ["a"]);
    tokio::time::advance(FRESH).await;
    assert_eq!(ids(&reader.search(&everything()).await.unwrap()), ["a", "b"]);
    // The writer itself sees it at once.
    assert_eq!(ids(&writer.search(&everything()).await.unwrap()), ["a", "b"]);
    assert_eq!(files(folder.path()), before);
}

#[tokio::test]
async fn a_reader_goes_on_through_merges() {
    let (folder, writer) = prepared().await;
    writer.apply(&[put("a", 1)]).await.unwrap();
    let reader = index(&folder);
    let view = reader.inner.searched().unwrap();
    let segment = segment_file(&folder, "store");
    for version in 2..20 {
        writer.apply(&[put("a", version), put(&format!("h-{version}"), 1)]).await.unwrap();
    }
    assert!(!segment.exists(), "the first segment was merged away");
    // Not in the page cache of an open file only: the file is still there, under another name.
    let kept = files(&folder.path().join("search/trash"));
    assert!(kept.iter().any(|(path, _)| path.file_name() == segment.file_name()));
    let found = search::search(&reader.inner.fields, &view, &everything()).unwrap();
    assert_eq!((ids(&found), found.hits[0].document.price), (vec!["a"], Fen::new(1)));
    reader.refresh();
    let found = reader.search(&everything()).await.unwrap();
    assert_eq!(found.total, 19);
    let segments = reader.inner.searched().unwrap().segments.len();
    assert!(segments < 8, "{segments} segments of one homestay each");
}

#[tokio::test]
async fn what_a_writer_left_half_done_is_as_if_it_had_never_been() {
    let (folder, index) = prepared().await;
    index.apply(&[put("a", 1)]).await.unwrap();
    let generations = folder.path().join("search/generations");
    // Died with documents in memory and a segment on disk that no list names.
    {
        let inner = &index.inner;
        let opened = tantivy::Index::open(
            directory::KeepingDirectory::open(&generations.join("one"), inner.trash.clone()).unwrap(),
        )
        .unwrap();
        let writer: tantivy::IndexWriter = opened.writer_with_num_threads(1, 15_000_000).unwrap();
        let entry = Entry::of(&inner.fields, inner.analyzer, &put("lost", 1)).unwrap();
        writer.add_document(entry.document).unwrap();
    }
    fs::write(generations.join("one/0123456789abcdef0123456789abcdef.store"), "half").unwrap();
    // Died while it made a generation, and while it replaced the state.
    fs::create_dir_all(generations.join("two.new")).unwrap();
    fs::write(generations.join("two.new/meta.json"), "{").unwrap();
    fs::write(folder.path().join("search/state.new"), "{").unwrap();

    let index = self::index(&folder);
    index.apply(&[put("b", 2)]).await.unwrap();
    assert_eq!(ids(&index.search(&everything()).await.unwrap()), ["a", "b"]);
    index.build(&generation("two")).await.unwrap();
    index.apply_to(&generation("two"), &[put("c", 3)]).await.unwrap();
    index.switch(&generation("two")).await.unwrap();
    assert_eq!(ids(&index.search(&everything()).await.unwrap()), ["c"]);
}

#[tokio::test]
async fn a_generation_of_another_schema_is_corrupt_and_can_be_replaced() {
    let (folder, index) = prepared().await;
    index.apply(&[put("a", 1)]).await.unwrap();
    let marker = folder.path().join("search/generations/one/schema.json");
    let mut other: serde_json::Value = serde_json::from_slice(&fs::read(&marker).unwrap()).unwrap();
    other["version"] = 0.into();
    fs::write(&marker, other.to_string()).unwrap();

    let index = self::index(&folder);
    let error = index.search(&everything()).await.unwrap_err();
    assert!(
        matches!(&error, IndexError::Corrupt(cause) if cause.to_string().contains("rebuild")),
        "{error:?}"
    );
    index.build(&generation("two")).await.unwrap();
    // What cannot be written to does not keep changes from what can.
    assert!(matches!(index.apply(&[put("b", 1)]).await, Err(IndexError::Corrupt(_))));
    index.apply_to(&generation("two"), &[put("a", 1)]).await.unwrap();
    index.switch(&generation("two")).await.unwrap();
    assert_eq!(ids(&index.search(&everything()).await.unwrap()), ["a", "b"]);
    index.discard(&generation("one")).await.unwrap();
    index.apply(&[put("c", 2)]).await.unwrap();
    assert!(!folder.path().join("search/generations/one").exists());
}

#[tokio::test]
async fn a_lost_state_is_taken_up_from_what_is_there() {
    let (folder, index) = prepared().await;
    index.apply(&[put("a", 1)]).await.unwrap();
    fs::remove_file(folder.path().join("search/state.json")).unwrap();
    let index = self::index(&folder);
    assert!(matches!(index.search(&everything()).await, Err(IndexError::Missing)));
    index.prepare(&generation("one")).await.unwrap();
    assert_eq!(ids(&index.search(&everything()).await.unwrap()), ["a"]);
}

#[tokio::test]
async fn a_snapshot_brings_back_what_was() {
    let (folder, index) = prepared().await;
    let one = generation("one");
    let snapshot = folder.path().join("snapshot");
    index.apply(&[put("a", 1)]).await.unwrap();
    index.apply(&[put("b", 2)]).await.unwrap();
    index.snapshot(&one, &snapshot).await.unwrap();
    assert!(
        matches!(index.snapshot(&one, &snapshot).await, Err(IndexError::Corrupt(_))),
        "it is not overwritten"
    );
    for version in 3..20 {
        index.apply(&[put("a", version)]).await.unwrap();
    }
    index.restore(&snapshot, &one).await.unwrap();
    assert_eq!(ids(&index.search(&everything()).await.unwrap()), ["a", "b"]);
    index.verify(&one).await.unwrap();
    // Late changes apply, and so do snapshots to a folder that has nothing yet.
    index.apply(&[put("a", 5)]).await.unwrap();
    assert_eq!(ids(&index.search(&everything()).await.unwrap()), ["b", "a"]);
    let elsewhere = tempfile::tempdir().unwrap();
    let other = self::index(&elsewhere);
    other.restore(&snapshot, &one).await.unwrap();
    assert_eq!(ids(&other.search(&everything()).await.unwrap()), ["a", "b"]);
    assert!(matches!(other.restore(&snapshot, &generation("two")).await, Err(IndexError::Missing)));
}

#[tokio::test]
async fn damage_is_found_and_a_damaged_snapshot_is_not_restored() {
    let (folder, index) = prepared().await;
    let one = generation("one");
    index.apply(&[put("a", 1)]).await.unwrap();
    index.snapshot(&one, &folder.path().join("good")).await.unwrap();
    let file = segment_file(&folder, "store");
    let mut bytes = fs::read(&file).unwrap();
    bytes[3] ^= 0xff;
    // Not through the link: the snapshot shares the file.
    fs::remove_file(&file).unwrap();
    fs::write(&file, bytes).unwrap();
    let error = index.verify(&one).await.unwrap_err();
    assert!(
        matches!(&error, IndexError::Corrupt(cause) if cause.to_string().contains(".store")),
        "{error:?}"
    );
    index.snapshot(&one, &folder.path().join("bad")).await.unwrap();
    assert!(matches!(index.restore(&folder.path().join("bad"), &one).await, Err(IndexError::Corrupt(_))));
    index.restore(&folder.path().join("good"), &one).await.unwrap();
    index.verify(&one).await.unwrap();
    let file = segment_file(&folder, "idx");
    fs::remove_file(&file).unwrap();
    assert!(matches!(index.verify(&one).await, Err(IndexError::Corrupt(_))));
}

#[tokio::test]
async fn a_cut_off_file_is_an_error_and_no_panic() {
    let (folder, index) = prepared().await;
    index.apply(&[put("a", 1)]).await.unwrap();
    for extension in ["idx", "fast", "store", "term"] {
        let file = segment_file(&folder, extension);
        let whole = fs::read(&file).unwrap();
        fs::write(&file, &whole[..whole.len() / 2]).unwrap();
        let error = self::index(&folder).search(&everything()).await.unwrap_err();
        assert!(matches!(error, IndexError::Corrupt(_)), "{extension}: {error:?}");
        fs::write(&file, whole).unwrap();
    }
}
