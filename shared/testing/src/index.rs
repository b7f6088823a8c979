use std::{
    collections::{BTreeMap, VecDeque},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll},
};

use domain_homestay::{
    Applied, Change, Document, Found, GenerationId, Generations, Held, Hit, IndexAdmin, IndexError,
    IndexQuery, IndexWriter, Position, SearchIndex, Sort, Start, TitleFound, Version,
};
use domain_ids::HomestayId;
use domain_text::Prefix;

/// An index of homestays in memory, faithful to what its ports say of versions, of what is gone and of generations; a keyword
/// finds everything.
///
/// Every call gives way to others where one over a network would: before it begins, after it has ended, and between one
/// generation and the next. A call that is dropped there has done what it had done by then. A clone is the same index.
#[derive(Debug, Clone, Default)]
pub struct MemoryIndex {
    state: Arc<Mutex<State>>,
    faults: Arc<Mutex<VecDeque<Option<IndexFault>>>>,
}

/// A way in which a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IndexFault {
    /// It was not reached: nothing happened.
    Unreachable,
    /// It takes no more for now: nothing happened.
    Busy,
    /// It did what was asked, and the answer is lost.
    LosesAnswer,
    /// It cannot be understood: nothing happened.
    Corrupt,
}

#[derive(Debug, Default)]
struct State {
    generations: Generations,
    contents: BTreeMap<GenerationId, Contents>,
    calls: u64,
}

type Contents = BTreeMap<HomestayId, (Version, Option<Document>)>;

impl MemoryIndex {
    /// One with a live generation that holds nothing.
    pub fn with_live(generation: &str) -> Self {
        let index = Self::default();
        let generation: GenerationId = generation.parse().expect("a generation's name");
        {
            let mut state = index.state();
            state.generations.live = Some(generation.clone());
            state.contents.insert(generation, Contents::new());
        }
        index
    }

    /// The next calls fail like this, one after the other; `None` lets one pass.
    pub fn fail_next(&self, faults: impl IntoIterator<Item = Option<IndexFault>>) {
        self.faults.lock().expect("not poisoned").extend(faults);
    }

    /// No call fails any more.
    pub fn heal(&self) {
        self.faults.lock().expect("not poisoned").clear();
    }

    /// What a generation holds: the version of each homestay and, if it can be found, the document.
    pub fn contents(&self, generation: &GenerationId) -> BTreeMap<HomestayId, (Version, Option<Document>)> {
        self.state().contents.get(generation).cloned().unwrap_or_default()
    }

    /// Which generations there are.
    pub fn known(&self) -> Generations {
        self.state().generations.clone()
    }

    /// How many calls there were.
    pub fn calls(&self) -> u64 {
        self.state().calls
    }

    /// Puts something into a generation that no change has put there, or takes it out: what a defect would do.
    pub fn corrupt(
        &self,
        generation: &GenerationId,
        id: &HomestayId,
        held: Option<(Version, Option<Document>)>,
    ) {
        let mut state = self.state();
        let contents = state.contents.get_mut(generation).expect("a generation that is there");
        match held {
            Some(held) => contents.insert(id.clone(), held),
            None => contents.remove(id),
        };
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("not poisoned")
    }

    /// A call: gives way, does it unless it is to fail, gives way.
    async fn call<T>(
        &self,
        work: impl FnOnce(&mut State) -> Result<T, IndexError> + Send,
    ) -> Result<T, IndexError> {
        let fault = self.faults.lock().expect("not poisoned").pop_front().flatten();
        GiveWay::default().await;
        let done = {
            let mut state = self.state();
            state.calls += 1;
            match fault {
                Some(IndexFault::Unreachable) => Err(IndexError::Unavailable("injected".into())),
                Some(IndexFault::Busy) => Err(IndexError::Busy("injected".into())),
                Some(IndexFault::Corrupt) => Err(IndexError::Corrupt("injected".into())),
                Some(IndexFault::LosesAnswer) => {
                    work(&mut state).and_then(|_| Err(IndexError::Unavailable("injected".into())))
                }
                None => work(&mut state),
            }
        };
        GiveWay::default().await;
        done
    }

    fn live(state: &State) -> Result<&Contents, IndexError> {
        let live = state.generations.live.as_ref().ok_or(IndexError::Missing)?;
        state.contents.get(live).ok_or(IndexError::Missing)
    }
}

impl State {
    fn contents(&mut self, generation: &GenerationId) -> Result<&mut Contents, IndexError> {
        self.contents.get_mut(generation).ok_or(IndexError::Missing)
    }

    fn apply(&mut self, generation: &GenerationId, changes: &[Change]) -> Result<Applied, IndexError> {
        let contents = self.contents(generation)?;
        let mut applied = Applied::default();
        for change in changes {
            if contents.get(&change.id).is_some_and(|(held, _)| *held >= change.version) {
                applied.outdated += 1;
            } else {
                contents.insert(change.id.clone(), (change.version, change.document.clone()));
                applied.applied += 1;
            }
        }
        Ok(applied)
    }

    /// Drops what is no generation any more.
    fn tidy(&mut self) {
        let known: Vec<GenerationId> = self.generations.all().cloned().collect();
        self.contents.retain(|generation, _| known.contains(generation));
    }
}

impl IndexWriter for MemoryIndex {
    async fn apply(&self, changes: &[Change]) -> Result<Applied, IndexError> {
        let generations = self.generations().await?;
        let live = generations.live.clone().ok_or(IndexError::Missing)?;
        let mut in_live = Applied::default();
        for generation in generations.all() {
            let applied = self
                .call(|state| {
                    // One that has been dropped meanwhile needs nothing any more, unless it was the live one.
                    if *generation != live && !state.contents.contains_key(generation) {
                        return Ok(Applied::default());
                    }
                    state.apply(generation, changes)
                })
                .await?;
            if *generation == live {
                in_live = applied;
            }
        }
        Ok(in_live)
    }
}

impl IndexAdmin for MemoryIndex {
    async fn generations(&self) -> Result<Generations, IndexError> {
        self.call(|state| Ok(state.generations.clone())).await
    }

    async fn prepare(&self, generation: &GenerationId) -> Result<(), IndexError> {
        self.call(|state| {
            if state.generations.live.is_none() {
                state.generations.live = Some(generation.clone());
            }
            if state.generations.all().any(|known| known == generation) {
                state.contents.entry(generation.clone()).or_default();
            }
            Ok(())
        })
        .await
    }

    async fn build(&self, generation: &GenerationId) -> Result<(), IndexError> {
        self.call(|state| {
            if !state.generations.all().any(|known| known == generation) {
                state.generations.building = Some(generation.clone());
                state.tidy();
                state.contents.insert(generation.clone(), Contents::new());
            }
            Ok(())
        })
        .await
    }

    async fn apply_to(&self, generation: &GenerationId, changes: &[Change]) -> Result<Applied, IndexError> {
        self.call(|state| state.apply(generation, changes)).await
    }

    async fn switch(&self, generation: &GenerationId) -> Result<(), IndexError> {
        self.call(|state| {
            if state.generations.live.as_ref() == Some(generation) {
                return Ok(());
            }
            if state.generations.building.as_ref() != Some(generation) {
                return Err(IndexError::Missing);
            }
            state.generations = Generations {
                live: state.generations.building.take(),
                building: None,
                previous: state.generations.live.take(),
            };
            state.tidy();
            Ok(())
        })
        .await
    }

    async fn roll_back(&self, to: &GenerationId) -> Result<(), IndexError> {
        self.call(|state| {
            let Generations { live, previous, .. } = &mut state.generations;
            if live.as_ref() == Some(to) {
                return Ok(());
            }
            if previous.as_ref() != Some(to) {
                return Err(IndexError::Missing);
            }
            std::mem::swap(live, previous);
            Ok(())
        })
        .await
    }

    async fn discard(&self, generation: &GenerationId) -> Result<(), IndexError> {
        self.call(|state| {
            let Generations { building, previous, .. } = &mut state.generations;
            for place in [building, previous] {
                if place.as_ref() == Some(generation) {
                    *place = None;
                }
            }
            state.tidy();
            Ok(())
        })
        .await
    }

    async fn held(
        &self,
        generation: &GenerationId,
        ids: &[HomestayId],
    ) -> Result<Vec<Option<Held>>, IndexError> {
        self.call(|state| {
            let contents = state.contents(generation)?;
            Ok(ids.iter().map(|id| contents.get(id).map(held)).collect())
        })
        .await
    }

    async fn scan(
        &self,
        generation: &GenerationId,
        after: Option<&HomestayId>,
        limit: usize,
    ) -> Result<Vec<(HomestayId, Held)>, IndexError> {
        self.call(|state| {
            let behind =
                state.contents(generation)?.iter().filter(|(id, _)| after.is_none_or(|after| *id > after));
            Ok(behind.take(limit).map(|(id, entry)| (id.clone(), held(entry))).collect())
        })
        .await
    }

    async fn forget(
        &self,
        generation: &GenerationId,
        gone: &[(HomestayId, Version)],
    ) -> Result<(), IndexError> {
        self.call(|state| {
            let contents = state.contents(generation)?;
            for (id, version) in gone {
                if contents.get(id).is_some_and(|(held, document)| held <= version && document.is_none()) {
                    contents.remove(id);
                }
            }
            Ok(())
        })
        .await
    }
}

impl SearchIndex for MemoryIndex {
    async fn search(&self, query: &IndexQuery) -> Result<Found, IndexError> {
        self.call(|state| {
            let mut documents: Vec<&Document> =
                Self::live(state)?.values().filter_map(|(_, document)| document.as_ref()).collect();
            match query.sort {
                Sort::PriceAsc => documents.sort_by_key(|document| document.price),
                Sort::PriceDesc => documents.sort_by_key(|document| std::cmp::Reverse(document.price)),
                Sort::Newest => documents.sort_by_key(|document| std::cmp::Reverse(document.created_at)),
                Sort::Composite | Sort::Distance | Sort::Rating => {}
            }
            let skipped = match query.start {
                Start::Offset(offset) => usize::try_from(offset).unwrap_or(usize::MAX),
                Start::After(_) => documents.len(),
            };
            let total = documents.len().try_into().unwrap_or(u64::MAX);
            let page = documents.into_iter().skip(skipped).take(usize::from(query.limit));
            let hit = |document: &Document| Hit {
                document: document.clone(),
                score: 0.0,
                distance_m: None,
                position: Position { key: 0.0, id: document.id.clone(), snapshot: None },
            };
            Ok(Found { total, hits: page.map(hit).collect(), facets: None })
        })
        .await
    }

    async fn titles(&self, typed: &Prefix, limit: usize) -> Result<Vec<TitleFound>, IndexError> {
        self.call(|state| {
            let documents = Self::live(state)?.values().filter_map(|(_, document)| document.as_ref());
            let found = documents.filter(|document| typed.matches(&document.title)).take(limit);
            Ok(found.map(|found| TitleFound { id: found.id.clone(), title: found.title.clone() }).collect())
        })
        .await
    }

    async fn words(&self, _: usize) -> Result<Vec<(String, u32)>, IndexError> {
        self.call(|_| Ok(Vec::new())).await
    }
}

fn held((version, document): &(Version, Option<Document>)) -> Held {
    Held { version: *version, visible: document.is_some() }
}

/// Lets others go first, once.
#[derive(Debug, Default)]
struct GiveWay {
    gave: bool,
}

impl Future for GiveWay {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.gave, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(id: &str, version: u64) -> Change {
        Change { id: id.parse().unwrap(), version: Version::from_stored(version), document: None }
    }

    fn generation(name: &str) -> GenerationId {
        name.parse().unwrap()
    }

    #[tokio::test]
    async fn the_greater_version_wins_in_every_generation() {
        let index = MemoryIndex::with_live("g-1");
        index.build(&generation("g-2")).await.unwrap();
        let applied = index.apply(&[change("h-1", 2), change("h-1", 1)]).await.unwrap();
        assert_eq!(applied, Applied { applied: 1, outdated: 1 });
        for name in ["g-1", "g-2"] {
            let held = index.held(&generation(name), &["h-1".parse().unwrap()]).await.unwrap();
            assert_eq!(held, [Some(Held { version: Version::from_stored(2), visible: false })], "{name}");
        }
    }

    #[tokio::test]
    async fn a_generation_is_switched_to_and_back() {
        let index = MemoryIndex::with_live("g-1");
        let (first, second) = (generation("g-1"), generation("g-2"));
        assert!(matches!(index.switch(&second).await, Err(IndexError::Missing)));
        index.build(&second).await.unwrap();
        index.switch(&second).await.unwrap();
        index.switch(&second).await.unwrap();
        let known = Generations { live: Some(second.clone()), building: None, previous: Some(first.clone()) };
        assert_eq!(index.known(), known);
        index.roll_back(&first).await.unwrap();
        index.roll_back(&first).await.unwrap();
        assert_eq!(index.known().live, Some(first.clone()));
        index.discard(&first).await.unwrap();
        index.discard(&second).await.unwrap();
        assert_eq!(index.known(), Generations { live: Some(first), ..Generations::default() });
    }

    #[tokio::test]
    async fn what_is_newer_is_not_forgotten() {
        let index = MemoryIndex::with_live("g-1");
        index.apply(&[change("h-1", 3), change("h-2", 1)]).await.unwrap();
        let gone = |id: &str, version| (id.parse().unwrap(), Version::from_stored(version));
        index.forget(&generation("g-1"), &[gone("h-1", 2), gone("h-2", 1)]).await.unwrap();
        assert_eq!(index.contents(&generation("g-1")).len(), 1);
    }

    #[tokio::test]
    async fn faults_come_in_their_order() {
        let index = MemoryIndex::with_live("g-1");
        index.fail_next([Some(IndexFault::Busy), None, Some(IndexFault::LosesAnswer)]);
        let one = [change("h-1", 1)];
        assert!(matches!(index.apply_to(&generation("g-1"), &one).await, Err(IndexError::Busy(_))));
        assert!(index.contents(&generation("g-1")).is_empty());
        assert!(matches!(index.apply(&one).await, Err(IndexError::Unavailable(_))));
        assert_eq!(index.contents(&generation("g-1")).len(), 1);
    }
}
