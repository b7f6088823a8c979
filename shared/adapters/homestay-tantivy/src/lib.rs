//! The index of homestays embedded in the function, in a folder: EFS in AWS.
//!
//! ```text
//! state.json           which generations there are, replaced atomically under locks/state.lock
//! generations/<id>/    a generation: an index of the engine, and schema.json
//! locks/<id>.lock      who has it writes to the generation
//! trash/               removed files that others may still read, see `trash.rs`
//! ```
//!
//! One writes to a generation at a time, others wait for a while ([`IndexError::Busy`]); a writer lives for one batch, since
//! a function is frozen between two. A batch is durable when it was committed, and what was not is as if it had never been.
//! Readers are many, write nothing and see a batch within a second ([`TantivyIndex::search`] looks for a new state every
//! 300 ms at most).
//!
//! Reading is done on the caller's thread: it takes a few milliseconds, and a function serves one request at a time.
//! Writing (analysis, commits, merges: seconds) is given to threads of its own.
//!
//! What cannot be read is [`IndexError::Corrupt`] and is made anew from the table: build a generation, switch to it. A
//! snapshot is a quicker way back.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use std::{fmt, fs, io};

use domain_homestay::{
    Applied, Change, Found, GenerationId, Generations, Held, IndexAdmin, IndexError, IndexQuery, IndexWriter,
    SearchIndex, TitleFound, Version,
};
use domain_ids::HomestayId;
use domain_text::{Analyzer, Prefix};
use tokio::time::Instant;

mod columns;
mod directory;
mod error;
mod facets;
mod filter;
mod generation;
mod lock;
mod schema;
mod search;
mod state;
mod suggest;
mod text;
mod trash;
mod view;

#[cfg(test)]
mod tests;

use generation::{Entry, Generation};
use lock::FileLock;
use schema::Fields;
use trash::Trash;
use view::View;

/// How long a search goes on with the state that the one before it saw. What is written is to be found within a second;
/// looking for it costs two opened files, which over NFS are milliseconds.
const FRESH: Duration = Duration::from_millis(300);

/// The most homestays that are looked up or listed in one call.
const MAX_LISTED: usize = 10_000;

/// The index in a folder. Cheap to clone; several values on one folder, in whatever processes, get along.
#[derive(Clone)]
pub struct TantivyIndex {
    inner: Arc<Inner>,
}

struct Inner {
    root: PathBuf,
    analyzer: Analyzer,
    fields: Fields,
    trash: Trash,
    opened: Mutex<HashMap<GenerationId, Arc<Generation>>>,
    searched: Mutex<Option<Searched>>,
}

/// What searches see for the time being.
struct Searched {
    since: Instant,
    view: Arc<View>,
}

impl fmt::Debug for TantivyIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TantivyIndex").field("root", &self.inner.root).finish_non_exhaustive()
    }
}

impl TantivyIndex {
    /// The index in `root`, which need not be there yet: who only reads makes nothing. Opens nothing before it must.
    pub fn new(root: impl Into<PathBuf>, analyzer: Analyzer) -> Self {
        let root = root.into();
        let trash = Trash::new(root.join("trash"));
        Self {
            inner: Arc::new(Inner {
                root,
                analyzer,
                fields: Fields::new(),
                trash,
                opened: Mutex::default(),
                searched: Mutex::default(),
            }),
        }
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.inner.root
    }

    /// Opens the live generation, so that the first search need not.
    pub fn warm(&self) -> Result<(), IndexError> {
        let view = self.inner.searched()?;
        for segment in &view.segments {
            segment.columns().map_err(error::engine)?;
        }
        Ok(())
    }

    /// Shows the next search what was written up to now, by whomever.
    pub fn refresh(&self) {
        self.inner.forget_searched();
    }

    /// Writes what `generation` holds to the folder `to`, which must not be there or be empty: links where it is on the same
    /// file system, so that it takes no time and little space.
    pub async fn snapshot(&self, generation: &GenerationId, to: &Path) -> Result<(), IndexError> {
        let (name, to) = (generation.clone(), to.to_owned());
        self.locked(generation, move |inner| {
            if fs::read_dir(&to).is_ok_and(|mut files| files.next().is_some()) {
                return Err(error::corrupt(error::Cause::NotEmpty));
            }
            inner.generation(&name)?.snapshot(&to)
        })
        .await
    }

    /// Puts a snapshot in the place of `generation`, which is known or, if none is live, becomes so. A damaged one changes
    /// nothing. What was written since the snapshot is lost until the table's changes are applied again: reconcile, or play
    /// the stream back.
    pub async fn restore(&self, from: &Path, generation: &GenerationId) -> Result<(), IndexError> {
        let known = self.inner.state()?;
        if known.live.is_some() && !known.all().any(|known| known == generation) {
            return Err(IndexError::Missing);
        }
        let (name, from) = (generation.clone(), from.to_owned());
        self.locked(generation, move |inner| {
            generation::restore(&inner.fields, &from, &inner.folder(&name), &inner.trash)?;
            inner.close(&name);
            Ok(())
        })
        .await?;
        self.prepare(generation).await
    }

    /// Compares every file of `generation` with the checksum that was written; [`IndexError::Corrupt`] names those that differ.
    pub async fn verify(&self, generation: &GenerationId) -> Result<(), IndexError> {
        let name = generation.clone();
        self.locked(generation, move |inner| inner.generation(&name)?.verify(&inner.fields)).await
    }

    /// Does `work`, which takes a while, on a thread of its own with the lock of `generation`.
    async fn locked<T: Send + 'static>(
        &self,
        generation: &GenerationId,
        work: impl FnOnce(&Inner) -> Result<T, IndexError> + Send + 'static,
    ) -> Result<T, IndexError> {
        let lock = self.inner.lock(generation.as_str()).await?;
        let inner = Arc::clone(&self.inner);
        blocking(move || {
            // The lock goes with the work, not with the caller: who gives up leaves the work going on.
            let _lock = lock;
            work(&inner)
        })
        .await
    }

    /// Changes which generations there are. `change` says what is dropped, too.
    async fn change_state(
        &self,
        change: impl FnOnce(&Inner, &mut Generations) -> Result<Option<GenerationId>, IndexError>,
    ) -> Result<(), IndexError> {
        let dropped = {
            let _lock = self.inner.lock("state").await?;
            let before = self.inner.state()?;
            let mut after = before.clone();
            let dropped = change(&self.inner, &mut after)?;
            if after != before {
                state::write(&self.inner.root, &after)?;
            }
            dropped
        };
        self.inner.forget_searched();
        if let Some(dropped) = dropped {
            self.remove(&dropped).await?;
        }
        Ok(())
    }

    /// Throws a generation away that no state names any more.
    async fn remove(&self, generation: &GenerationId) -> Result<(), IndexError> {
        let name = generation.clone();
        self.locked(generation, move |inner| {
            if inner.state()?.all().any(|known| *known == name) {
                return Ok(());
            }
            inner.close(&name);
            generation::remove(&inner.folder(&name), &inner.trash).map_err(error::file)
        })
        .await
    }

    /// Applies entries to one generation.
    async fn write(
        &self,
        generation: &GenerationId,
        entries: Arc<Vec<Entry>>,
    ) -> Result<Applied, IndexError> {
        let name = generation.clone();
        let applied = self.locked(generation, move |inner| {
            let generation = inner.generation(&name)?;
            generation.apply(&inner.fields, &entries)
        });
        let applied = applied.await?;
        self.inner.forget_searched();
        Ok(applied)
    }

    /// The greatest version of each homestay among `changes`, analysed, on as many threads as are worth it.
    async fn entries(&self, changes: &[Change]) -> Result<Arc<Vec<Entry>>, IndexError> {
        let mut greatest: HashMap<&HomestayId, &Change> = HashMap::with_capacity(changes.len());
        for change in changes {
            let known = greatest.entry(&change.id).or_insert(change);
            if known.version < change.version {
                *known = change;
            }
        }
        // In the order given, so that a batch is written alike each time.
        let is_greatest =
            |change: &&Change| greatest.get(&change.id).is_some_and(|it| std::ptr::eq(*it, *change));
        let greatest: Vec<Change> = changes.iter().filter(is_greatest).cloned().collect();
        let inner = Arc::clone(&self.inner);
        blocking(move || inner.analyse(&greatest)).await.map(Arc::new)
    }
}

impl Inner {
    fn folder(&self, generation: &GenerationId) -> PathBuf {
        self.root.join("generations").join(generation.as_str())
    }

    fn state(&self) -> Result<Generations, IndexError> {
        state::read(&self.root)
    }

    async fn lock(&self, name: &str) -> Result<FileLock, IndexError> {
        let folder = self.root.join("locks");
        fs::create_dir_all(&folder).map_err(error::file)?;
        FileLock::acquire(&folder.join(format!("{name}.lock"))).await
    }

    /// `generation`, opened once.
    fn generation(&self, generation: &GenerationId) -> Result<Arc<Generation>, IndexError> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(opened) = opened.get(generation) {
            return Ok(Arc::clone(opened));
        }
        let new = Generation::open(&self.fields, &self.folder(generation), &self.trash)?;
        let new = Arc::new(new);
        opened.insert(generation.clone(), Arc::clone(&new));
        Ok(new)
    }

    fn close(&self, generation: &GenerationId) {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner).remove(generation);
    }

    /// The present state of `generation`, which must be known.
    fn view(&self, generation: &GenerationId) -> Result<Arc<View>, IndexError> {
        if !self.state()?.all().any(|known| known == generation) {
            return Err(IndexError::Missing);
        }
        self.generation(generation)?.view()
    }

    /// The state of the live generation, a little old at most.
    fn searched(&self) -> Result<Arc<View>, IndexError> {
        let mut searched = self.searched.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if let Some(known) = &*searched
            && now.duration_since(known.since) < FRESH
        {
            return Ok(Arc::clone(&known.view));
        }
        let state = self.state()?;
        // What was dropped is closed, or its files would stay mapped.
        self.opened
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|opened, _| state.all().any(|known| known == opened));
        let live = state.live.ok_or(IndexError::Missing)?;
        let view = self.generation(&live)?.view()?;
        *searched = Some(Searched { since: now, view: Arc::clone(&view) });
        Ok(view)
    }

    fn forget_searched(&self) {
        *self.searched.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn analyse(&self, changes: &[Change]) -> Result<Vec<Entry>, IndexError> {
        let entry = |change| Entry::of(&self.fields, self.analyzer, change);
        let share = changes.len().div_ceil(generation::threads()).max(100);
        if changes.len() <= share {
            return changes.iter().map(entry).collect();
        }
        std::thread::scope(|scope| {
            let shares = changes.chunks(share);
            let shares: Vec<_> = shares
                .map(|share| scope.spawn(move || share.iter().map(entry).collect::<Result<Vec<_>, _>>()))
                .collect();
            let mut all = Vec::with_capacity(changes.len());
            for share in shares {
                all.extend(share.join().map_err(|_| panicked())??);
            }
            Ok(all)
        })
    }

    /// Makes `generation` unless it is there and can be read; one that cannot is thrown away.
    fn make(&self, generation: &GenerationId, empty: bool) -> Result<(), IndexError> {
        if !empty {
            match self.generation(generation) {
                Ok(_) => return Ok(()),
                Err(IndexError::Missing | IndexError::Corrupt(_)) => {}
                Err(error) => return Err(error),
            }
        }
        self.close(generation);
        generation::create(&self.fields, &self.folder(generation), &self.trash)
    }
}

fn panicked() -> IndexError {
    IndexError::Unavailable(Box::new(io::Error::other("a thread of the index panicked")))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, IndexError> + Send + 'static,
) -> Result<T, IndexError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(IndexError::Unavailable(Box::new(error))),
    }
}

impl SearchIndex for TantivyIndex {
    async fn search(&self, query: &IndexQuery) -> Result<Found, IndexError> {
        search::search(&self.inner.fields, &*self.inner.searched()?, query)
    }

    async fn titles(&self, typed: &Prefix, limit: usize) -> Result<Vec<TitleFound>, IndexError> {
        suggest::titles(&self.inner.fields, &*self.inner.searched()?, typed, limit)
    }

    async fn words(&self, limit: usize) -> Result<Vec<(String, u32)>, IndexError> {
        suggest::words(&self.inner.fields, &*self.inner.searched()?, limit)
    }
}

impl IndexWriter for TantivyIndex {
    /// One that cannot be written to keeps none of the others from it; its error is told at the end.
    async fn apply(&self, changes: &[Change]) -> Result<Applied, IndexError> {
        let generations = self.inner.state()?;
        let live = generations.live.as_ref().ok_or(IndexError::Missing)?;
        let entries = self.entries(changes).await?;
        let mut applied = Applied::default();
        let mut failed = None;
        for generation in generations.all() {
            match self.write(generation, Arc::clone(&entries)).await {
                Ok(here) if generation == live => {
                    let superseded = changes.len() - entries.len();
                    applied = Applied { applied: here.applied, outdated: here.outdated + superseded };
                }
                Ok(_) => {}
                // It was dropped meanwhile.
                Err(IndexError::Missing) if !self.inner.state()?.all().any(|known| known == generation) => {}
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok(applied), Err)
    }
}

impl IndexAdmin for TantivyIndex {
    async fn generations(&self) -> Result<Generations, IndexError> {
        self.inner.state()
    }

    /// If the state file was lost, this takes up what is in the generation's folder.
    async fn prepare(&self, generation: &GenerationId) -> Result<(), IndexError> {
        self.change_state(|inner, state| {
            if state.live.is_none() {
                inner.make(generation, false)?;
                if state.building.as_ref() == Some(generation) {
                    state.building = None;
                }
                state.live = Some(generation.clone());
            }
            Ok(None)
        })
        .await
    }

    /// One that is live, or was, stays as it is.
    async fn build(&self, generation: &GenerationId) -> Result<(), IndexError> {
        self.change_state(|inner, state| {
            if state.all().any(|known| known == generation) {
                return Ok(None);
            }
            inner.make(generation, true)?;
            Ok(state.building.replace(generation.clone()))
        })
        .await
    }

    async fn apply_to(&self, generation: &GenerationId, changes: &[Change]) -> Result<Applied, IndexError> {
        if !self.inner.state()?.all().any(|known| known == generation) {
            return Err(IndexError::Missing);
        }
        let entries = self.entries(changes).await?;
        let superseded = changes.len() - entries.len();
        let applied = self.write(generation, entries).await?;
        Ok(Applied { applied: applied.applied, outdated: applied.outdated + superseded })
    }

    async fn switch(&self, generation: &GenerationId) -> Result<(), IndexError> {
        self.change_state(|_, state| {
            if state.live.as_ref() == Some(generation) {
                return Ok(None);
            }
            if state.building.as_ref() != Some(generation) {
                return Err(IndexError::Missing);
            }
            let dropped = state.previous.take();
            state.previous = state.live.take();
            state.live = state.building.take();
            Ok(dropped)
        })
        .await
    }

    async fn roll_back(&self, to: &GenerationId) -> Result<(), IndexError> {
        self.change_state(|_, state| {
            if state.live.as_ref() == Some(to) {
                return Ok(None);
            }
            if state.previous.as_ref() != Some(to) {
                return Err(IndexError::Missing);
            }
            std::mem::swap(&mut state.live, &mut state.previous);
            Ok(None)
        })
        .await
    }

    /// Also removes what a crash left of it.
    async fn discard(&self, generation: &GenerationId) -> Result<(), IndexError> {
        self.change_state(|_, state| {
            if state.live.as_ref() == Some(generation) {
                return Ok(None);
            }
            for other in [&mut state.building, &mut state.previous] {
                if other.as_ref() == Some(generation) {
                    *other = None;
                }
            }
            Ok(Some(generation.clone()))
        })
        .await
    }

    async fn held(
        &self,
        generation: &GenerationId,
        ids: &[HomestayId],
    ) -> Result<Vec<Option<Held>>, IndexError> {
        self.inner.view(generation)?.held(self.inner.fields.id, ids)
    }

    async fn scan(
        &self,
        generation: &GenerationId,
        after: Option<&HomestayId>,
        limit: usize,
    ) -> Result<Vec<(HomestayId, Held)>, IndexError> {
        self.inner.view(generation)?.scan(self.inner.fields.id, after, limit.min(MAX_LISTED))
    }

    async fn forget(
        &self,
        generation: &GenerationId,
        gone: &[(HomestayId, Version)],
    ) -> Result<(), IndexError> {
        if !self.inner.state()?.all().any(|known| known == generation) {
            return Err(IndexError::Missing);
        }
        let (name, gone) = (generation.clone(), gone.to_vec());
        self.locked(generation, move |inner| inner.generation(&name)?.forget(&inner.fields, &gone)).await
    }
}
