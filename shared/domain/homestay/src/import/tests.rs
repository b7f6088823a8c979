//! Whatever is repeated, cut off or done twice at once: the table and the figures are those of an undisturbed import.

use std::{
    collections::{BTreeMap, VecDeque},
    ops::Range,
    sync::{Mutex, MutexGuard, PoisonError},
};

use domain_coupon::Page;
use proptest::prelude::*;

use super::{
    step::{Extent, step_of},
    *,
};
use crate::{State, fixtures::NOW};

const HEADER: &str = "externalId,title,lat,lon,city,priceFen,roomType,capacity,sales\n";

/// Everything that an import touches, in memory.
#[derive(Default)]
struct World {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    file: Vec<u8>,
    homestays: BTreeMap<HomestayId, StoredHomestay>,
    imports: BTreeMap<ImportId, Import>,
    keys: Vec<([u8; 16], ImportId)>,
    parts: BTreeMap<(ImportId, u64, u64), Vec<RefusedRow>>,
    queue: VecDeque<(ImportId, u64)>,
    /// Calls that go well before one fails, before or after it does its work.
    fuel: Option<(u32, bool)>,
    /// Answers to conditional writes are lost, and the client tries again by itself: what it hears is that the condition no
    /// longer holds.
    is_deaf: bool,
}

impl World {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One call: others may be served first, and it may fail.
    async fn call<T>(&self, work: impl FnOnce(&mut Inner) -> T) -> Result<T, StoreError> {
        tokio::task::yield_now().await;
        let mut inner = self.lock();
        let outage = || StoreError::Unavailable("injected".into());
        match inner.fuel.take() {
            Some((0, false)) => return Err(outage()),
            Some((0, true)) => {
                work(&mut inner);
                return Err(outage());
            }
            Some((left, after)) => inner.fuel = Some((left - 1, after)),
            None => {}
        }
        Ok(work(&mut inner))
    }

    fn import(&self) -> Import {
        self.lock().imports.values().next().unwrap().clone()
    }

    /// The table without what depends on when a row was written.
    fn table(&self) -> Vec<Homestay> {
        self.lock().homestays.values().map(|stored| stored.homestay.clone()).collect()
    }

    fn report(&self) -> Vec<RefusedRow> {
        let (import, inner) = (self.import(), self.lock());
        let rows = import.parts.iter().flat_map(|part| inner.parts[&(import.id, part.from, part.to)].clone());
        rows.collect()
    }
}

impl ImportStore for World {
    async fn stored(&self, ids: &[HomestayId]) -> Result<Vec<Option<StoredHomestay>>, StoreError> {
        self.call(|inner| ids.iter().map(|id| inner.homestays.get(id).cloned()).collect()).await
    }

    async fn write(
        &self,
        homestay: &Homestay,
        before: Option<Version>,
        mark: &ImportMark,
    ) -> Result<bool, StoreError> {
        self.call(|inner| {
            let held = inner.homestays.get(&homestay.id).map(|stored| stored.homestay.version);
            if held == before {
                let stored = StoredHomestay { homestay: homestay.clone(), mark: Some(*mark) };
                inner.homestays.insert(homestay.id.clone(), stored);
            }
            held == before && !inner.is_deaf
        })
        .await
    }
}

impl ImportShelf for World {
    async fn import(&self, id: ImportId) -> Result<Option<Import>, StoreError> {
        self.call(|inner| inner.imports.get(&id).cloned()).await
    }
}

impl ImportBook for World {
    async fn checkpoint(
        &self,
        id: ImportId,
        from: u64,
        checkpoint: &Checkpoint,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        self.call(|inner| {
            let Some(import) = inner.imports.get_mut(&id) else { return false };
            if import.position != from
                || !matches!(import.status, ImportStatus::Running | ImportStatus::Cancelled)
            {
                return false;
            }
            (import.position, import.lines, import.updated_at) = (checkpoint.to, checkpoint.lines, at);
            import.figures.created += checkpoint.figures.created;
            import.figures.changed += checkpoint.figures.changed;
            import.figures.unchanged += checkpoint.figures.unchanged;
            import.figures.refused += checkpoint.figures.refused;
            import.parts.extend(checkpoint.part);
            match &checkpoint.end {
                None => {}
                Some(ImportEnd::Done) => import.status = ImportStatus::Done,
                Some(ImportEnd::Failed(failure)) => {
                    import.status = ImportStatus::Failed;
                    import.failure = Some(failure.clone());
                }
            }
            !inner.is_deaf
        })
        .await
    }
}

impl ImportDesk for World {
    async fn started(&self, key: ImportKey) -> Result<Option<ImportId>, StoreError> {
        self.call(|inner| inner.keys.iter().find(|(held, _)| *held == key.to_bytes()).map(|(_, id)| *id))
            .await
    }

    async fn start(&self, import: &Import, key: Option<ImportKey>) -> Result<bool, StoreError> {
        self.call(|inner| {
            inner.imports.insert(import.id, import.clone());
            inner.keys.extend(key.map(|key| (key.to_bytes(), import.id)));
            !inner.is_deaf
        })
        .await
    }

    async fn newest(&self, _: Option<ImportId>, _: u16) -> Result<Page<Import, ImportId>, StoreError> {
        unreachable!("nobody lists")
    }

    async fn cancel(&self, id: ImportId, _: Timestamp) -> Result<Option<Import>, StoreError> {
        self.call(|inner| {
            let import =
                inner.imports.get_mut(&id).filter(|import| import.status == ImportStatus::Running)?;
            import.status = ImportStatus::Cancelled;
            Some(import.clone())
        })
        .await
    }
}

impl ImportUploads for World {
    async fn prepare(&self, _: ImportUploadId, _: u64, _: Timestamp) -> Result<String, StoreError> {
        unreachable!("nobody uploads")
    }

    async fn uploaded(&self, _: ImportUploadId) -> Result<ImportFile, FileError> {
        let bytes = self.call(|inner| inner.file.len() as u64).await?;
        Ok(ImportFile { key: "file".into(), bytes, tag: "tag".into() })
    }
}

impl ImportFiles for World {
    async fn read(&self, file: &ImportFile, range: Range<u64>) -> Result<Vec<u8>, FileError> {
        assert_eq!(file.tag, "tag");
        let range = usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
        Ok(self.call(|inner| inner.file[range.start..range.end.min(inner.file.len())].to_vec()).await?)
    }

    async fn write_part(
        &self,
        id: ImportId,
        part: ReportPart,
        rows: &[RefusedRow],
    ) -> Result<(), StoreError> {
        self.call(|inner| inner.parts.insert((id, part.from, part.to), rows.to_vec())).await?;
        Ok(())
    }

    async fn read_part(&self, id: ImportId, part: ReportPart) -> Result<Vec<RefusedRow>, FileError> {
        let part = (id, part.from, part.to);
        self.call(|inner| inner.parts.get(&part).cloned()).await?.ok_or(FileError::Missing)
    }
}

impl ImportQueue for World {
    async fn send(&self, id: ImportId, from: u64) -> Result<(), StoreError> {
        self.call(|inner| inner.queue.push_back((id, from))).await
    }
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn order(n: u128, dry_run: bool) -> NewImport {
    NewImport {
        id: ImportId::from_parts(1_700_000_000_000, n),
        upload: ImportUploadId::from_parts(1, 1),
        format: ImportFormat::Csv,
        source: "demo".parse().unwrap(),
        host: Some("host".parse().unwrap()),
        datum: Datum::Gcj02,
        dry_run,
        key: Some(ImportKey::new("eve", &n.to_string())),
        at: NOW,
    }
}

/// What a step takes in these tests: little.
const EXTENT: Extent = Extent { bytes: 700, rows: 12, chunk: 5 };

async fn step(
    world: &World,
    message: (ImportId, u64, bool),
    has_time: bool,
) -> Result<ImportStepDone, ImportStepError> {
    step_of(EXTENT, (world, world, world, world), message, NOW, || has_time).await
}

/// A world in which these homestays were there before, one of them deleted, and the import is started.
fn started(rows: &[String]) -> World {
    let world = World::default();
    let file = |rows: &[String]| format!("{HEADER}{}", rows.concat()).into_bytes();
    world.lock().file =
        file(&["a,old,39.9,116.4,c,1,double,1,7\n".into(), "b,old,39.9,116.4,c,1,double,1,7\n".into()]);
    run(start_import(&world, &world, &world, order(1, false))).unwrap();
    undisturbed(&world);
    {
        let mut inner = world.lock();
        let gone = inner.homestays.values_mut().next_back().unwrap();
        gone.homestay = gone.homestay.deleted(NOW);
        inner.imports.clear();
        inner.file = file(rows);
    }
    run(start_import(&world, &world, &world, order(2, false))).unwrap();
    world
}

fn undisturbed(world: &World) {
    while let Some((id, from)) = { world.lock().queue.pop_front() } {
        run(step(world, (id, from, false), true)).unwrap();
    }
}

/// Which message, whether it is delivered twice at once, when a call fails and whether after its work, whether there is time.
type Move = (u8, bool, Option<(u32, bool)>, bool);

/// Works through the queue as `moves` say: which message, whether it is delivered twice, when a call fails and how.
fn disturbed(world: &World, moves: &[Move]) {
    let mut moves = moves.iter().copied().chain(std::iter::repeat((0, false, None, true)));
    let mut messages: Vec<(ImportId, u64, bool)> = Vec::new();
    for round in 0.. {
        assert!(round < 3_000, "no end");
        messages.extend(world.lock().queue.drain(..).map(|(id, from)| (id, from, false)));
        let Some((which, twice, fuel, has_time)) = moves.next() else { return };
        if messages.is_empty() {
            return;
        }
        let message = messages.remove(usize::from(which) % messages.len());
        world.lock().fuel = fuel;
        let failed = if twice {
            let both = run(async {
                futures_util::future::join(step(world, message, has_time), step(world, message, true)).await
            });
            [both.0.is_err(), both.1.is_err()]
        } else {
            [run(step(world, message, has_time)).is_err(), false]
        };
        world.lock().fuel = None;
        // A queue delivers again what has failed, and says so.
        let again = failed.into_iter().filter(|failed| *failed).map(|_| (message.0, message.1, true));
        messages.extend(again);
    }
}

fn row() -> impl Strategy<Value = String> {
    let id = "[abcdefgh]";
    prop_oneof![
        6 => (id, prop::sample::select(vec!["old", "new", "\"q\n\"\"x\""]), 1..3_u8)
            .prop_map(|(id, title, price)| format!("{id},{title},39.9,116.4,c,{price},double,1,\n")),
        1 => id.prop_map(|id| format!("{id},,39.9,116.4,c,1,double,1,\n")),
        1 => Just("x\n".to_owned()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn disturbances_change_nothing(
        rows in prop::collection::vec(row(), 0..60),
        moves in prop::collection::vec((any::<u8>(), any::<bool>(), prop::option::of((0..30_u32, any::<bool>())), any::<bool>()), 0..40),
    ) {
        let (calm, wild) = (started(&rows), started(&rows));
        undisturbed(&calm);
        disturbed(&wild, &moves);
        let (expected, found) = (calm.import(), wild.import());
        prop_assert_eq!(found.status, ImportStatus::Done);
        prop_assert_eq!(found.figures, expected.figures);
        prop_assert_eq!(found.figures.rows(), rows.len() as u64);
        prop_assert_eq!(found.lines, expected.lines);
        prop_assert_eq!(wild.table(), calm.table());
        prop_assert_eq!(wild.report(), calm.report());
        prop_assert_eq!(wild.report().len() as u64, found.figures.refused);
        prop_assert!(wild.lock().queue.is_empty());
    }

    /// The same file again writes nothing, and says so; if it has no homestay twice.
    #[test]
    fn a_file_that_is_imported_again_changes_nothing(rows in prop::collection::vec(row(), 0..40)) {
        let mut ids = std::collections::BTreeSet::new();
        let rows: Vec<String> = rows.into_iter().filter(|row| ids.insert(row.split(',').next().map(str::to_owned))).collect();
        let world = started(&rows);
        undisturbed(&world);
        let (table, first) = (world.table(), world.import().figures);
        world.lock().imports.clear();
        run(start_import(&world, &world, &world, order(3, false))).unwrap();
        undisturbed(&world);
        let unchanged = first.created + first.changed + first.unchanged;
        let expected = ImportFigures { unchanged, refused: first.refused, ..ImportFigures::default() };
        prop_assert_eq!(world.import().figures, expected);
        prop_assert_eq!(world.table(), table);
    }

    #[test]
    fn a_dry_run_writes_nothing(rows in prop::collection::vec(row(), 0..40)) {
        let world = started(&rows);
        let before = world.table();
        {
            let mut inner = world.lock();
            inner.imports.values_mut().for_each(|import| import.dry_run = true);
        }
        undisturbed(&world);
        prop_assert_eq!(world.import().figures.rows(), rows.len() as u64);
        prop_assert_eq!(world.table(), before);
    }
}

#[test]
fn rows_create_change_and_leave_homestays_and_bring_deleted_ones_back() {
    let rows = [
        "a,old,39.9,116.4,c,1,double,1,\n",
        "b,old,39.9,116.4,c,1,double,1,\n",
        "c,new,39.9,116.4,c,1,double,1,5\n",
        "c,new,39.9,116.4,c,1,double,1,5\n",
        "d,,39.9,116.4,c,1,double,1,\n",
        "a,newer,39.9,116.4,c,1,double,1,\n",
    ];
    let world = started(&rows.map(str::to_owned));
    undisturbed(&world);
    let figures = world.import().figures;
    assert_eq!(figures, ImportFigures { created: 2, changed: 1, unchanged: 1, refused: 2 });
    let table = world.table();
    let told: Vec<_> = table
        .iter()
        .map(|homestay| {
            (homestay.id.as_str(), homestay.title.as_str(), homestay.version.get(), homestay.sales)
        })
        .collect();
    // The third version of b: created, deleted, back again, without what its row does not say.
    assert_eq!(told, [("demo-a", "newer", 2, 7), ("demo-b", "old", 3, 0), ("demo-c", "new", 1, 5)]);
    assert!(table.iter().all(|homestay| homestay.state == State::Present));
    let report = world.report();
    let lines: Vec<_> = report
        .iter()
        .map(|row| (row.line, row.external_id.as_deref(), row.errors[0].field.as_str()))
        .collect();
    assert_eq!(lines, [(5, Some("c"), "externalId"), (6, Some("d"), "title")]);
}

#[test]
fn a_repeated_order_starts_one_import_and_sends_a_lost_message_again() {
    let world = started(&[]);
    world.lock().queue.clear();
    let again = run(start_import(&world, &world, &world, order(2, false))).unwrap();
    assert!(again.replayed);
    assert_eq!(world.lock().queue.len(), 1);
    undisturbed(&world);
    assert_eq!(world.import().status, ImportStatus::Done);
    run(start_import(&world, &world, &world, order(2, false))).unwrap();
    assert!(world.lock().queue.is_empty());
}

#[test]
fn a_cancelled_import_stops_and_counts_the_step_that_was_under_way() {
    let rows: Vec<String> = (0..40).map(|n| format!("r{n},t,39.9,116.4,c,1,double,1,\n")).collect();
    let world = started(&rows);
    let (id, from) = world.lock().queue.pop_front().unwrap();
    let done = run(async {
        let (step, cancelled) = futures_util::future::join(step(&world, (id, from, false), true), async {
            tokio::task::yield_now().await;
            cancel_import(&world, id, NOW).await
        })
        .await;
        cancelled.unwrap();
        step.unwrap()
    });
    let ImportStepDone::Moved(checkpoint) = done else { panic!("{done:?}") };
    assert_eq!(world.import().status, ImportStatus::Cancelled);
    assert_eq!(world.import().figures, checkpoint.figures);
    undisturbed(&world);
    assert_eq!(world.import().figures, checkpoint.figures);
    assert_eq!(run(cancel_import(&world, id, NOW)).unwrap().status, ImportStatus::Cancelled);
    let other = ImportId::from_parts(1, 1);
    assert!(matches!(run(cancel_import(&world, other, NOW)), Err(CancelError::NotFound)));
}

#[test]
fn a_poisoned_file_fails_the_import_with_the_line_and_keeps_what_came_before() {
    let world = started(&["r1,t,39.9,116.4,c,1,double,1,\n".into(), "r2,t,39.9\n".into()]);
    world.lock().file.extend(b"r3,\xff,39.9,116.4,c,1,double,1,\n");
    let bytes = world.lock().file.len() as u64;
    world.lock().imports.values_mut().for_each(|import| import.file.bytes = bytes);
    undisturbed(&world);
    let import = world.import();
    assert_eq!(import.status, ImportStatus::Failed);
    let failure = ImportFailure { reason: ImportFailureReason::NotUtf8, line: Some(4), column: None };
    assert_eq!(import.failure, Some(failure));
    assert_eq!(import.figures, ImportFigures { created: 1, refused: 1, ..ImportFigures::default() });
    assert!(matches!(run(cancel_import(&world, import.id, NOW)), Err(CancelError::Over)));
}

#[test]
fn a_report_comes_in_pages() {
    let rows: Vec<String> = (0..150)
        .map(|n| if n % 3 == 0 { "x\n".into() } else { format!("r{n},t,39.9,116.4,c,1,double,1,\n") })
        .collect();
    let world = started(&rows);
    undisturbed(&world);
    let import = world.import();
    assert!(import.parts.len() > 8, "{}", import.parts.len());
    for limit in [1, 4, 7, 100] {
        let (mut after, mut seen) = (ImportReportPosition::default(), Vec::new());
        loop {
            let page = run(import_report(&world, &import, after, limit)).unwrap();
            assert!(page.items.len() <= usize::from(limit));
            seen.extend(page.items);
            match page.next {
                Some(next) => after = next,
                None => break,
            }
        }
        assert_eq!(seen, world.report(), "{limit}");
    }
    let gone = World::default();
    assert!(matches!(
        run(import_report(&gone, &import, ImportReportPosition::default(), 1)),
        Err(FileError::Missing)
    ));
}

#[test]
fn a_source_has_a_short_plain_name_and_names_homestays_one_way() {
    for name in ["", "A", "a-b", "a_b", "名", &"a".repeat(21)] {
        assert!(name.parse::<SourceName>().is_err(), "{name}");
    }
    let source: SourceName = "airbnb2".parse().unwrap();
    assert_eq!(source.homestay("1-2_x").unwrap().as_str(), "airbnb2-1-2_x");
    for id in ["", "a b", "#", &"1".repeat(57)] {
        assert!(source.homestay(id).is_err(), "{id}");
    }
}

#[test]
fn an_import_goes_on_whichever_answers_its_steps_did_not_hear() {
    let rows: Vec<String> = (0..40).map(|n| format!("r{n},t,39.9,116.4,c,1,double,1,\n")).collect();
    let world = started(&rows);
    world.lock().is_deaf = true;
    undisturbed(&world);
    let import = world.import();
    assert_eq!((import.status, import.figures.created), (ImportStatus::Done, 40));
}

#[test]
fn an_import_without_a_key_is_started_though_the_answer_was_lost() {
    let world = World::default();
    world.lock().file = HEADER.as_bytes().to_vec();
    world.lock().is_deaf = true;
    let started =
        run(start_import(&world, &world, &world, NewImport { key: None, ..order(1, false) })).unwrap();
    assert!(!started.replayed);
    assert_eq!(world.lock().queue.len(), 1);
}
