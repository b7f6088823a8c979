//! What hosts and operators do with homestays, one at a time.

use std::str::FromStr;

use domain_coupon::{Page, StoreError, Violation, Violations, crockford};
use domain_ids::{HomestayId, HostId, InvalidId};
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::{Homestay, HomestayChange, NewHomestay, Rating, State, Version};

/// Where homestays are kept.
pub trait HomestayStore: Sync {
    /// The homestay as it is now (not an older copy), also where it is deleted.
    fn homestay(&self, id: &HomestayId) -> impl Future<Output = Result<Option<Homestay>, StoreError>> + Send;

    /// Writes a homestay unless there is one with this id, deleted or not; says whether it did.
    fn insert(&self, homestay: &Homestay) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Writes a homestay over the one of version `before`; says whether there was one.
    fn replace(
        &self,
        homestay: &Homestay,
        before: Version,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;
}

/// A place in the list of a host's homestays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HomestayPosition {
    /// When it was created, in whole milliseconds.
    pub created_at: Timestamp,
    /// The homestay.
    pub id: HomestayId,
}

/// Where the homestays of a host are listed.
pub trait HomestayShelf: Sync {
    /// Up to `limit` homestays of `host` that are not deleted, the newest first, from behind `after` on. A change may take a
    /// moment to show.
    fn of_host(
        &self,
        host: &HostId,
        after: Option<HomestayPosition>,
        limit: u16,
    ) -> impl Future<Output = Result<Page<Homestay, HomestayPosition>, StoreError>> + Send;
}

/// Who changes a homestay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Editor {
    /// A host, who has only the own ones.
    Host(HostId),
    /// An operator, who has all of them, and says what guests and orders would.
    Operator,
}

impl Editor {
    /// Whether `homestay` is there for them at all.
    pub fn has(&self, homestay: &Homestay) -> bool {
        let own = match self {
            Self::Host(host) => homestay.host == *host,
            Self::Operator => true,
        };
        own && homestay.state == State::Present
    }

    /// Stars and sales are what guests and orders say, not the host.
    fn may_say(&self, rating: bool, sales: bool) -> Result<(), Violations> {
        let operator = *self == Self::Operator;
        let must = "must be left out: only an operator or an import sets it";
        let mut violations = Violations::default();
        violations.check(operator || !rating, Violation::new("rating", must));
        violations.check(operator || !sales, Violation::new("sales", must));
        violations.into_result()
    }
}

/// The id of a homestay that is created with an idempotency key: a digest of who creates it and of the key, so that a repeat
/// means the same homestay. It looks like any other id that we make: 26 characters of Crockford's base 32.
pub fn id_of_request(caller: &str, idempotency_key: &str) -> Result<HomestayId, InvalidId> {
    let digest = Sha256::new().chain_update(caller).chain_update("#homestay#").chain_update(idempotency_key);
    let digest = digest.finalize();
    spelled(digest.iter().take(16).fold(0_u128, |bits, &byte| bits << 8 | u128::from(byte)))
}

/// The id of a homestay that is created now, of 80 random bits (higher ones are ignored). Ids sort by creation time.
pub fn id_from_parts(created_ms: u64, random: u128) -> Result<HomestayId, InvalidId> {
    const RANDOM_BITS: u32 = 80;
    spelled(u128::from(created_ms) << RANDOM_BITS | random & ((1 << RANDOM_BITS) - 1))
}

fn spelled(bits: u128) -> Result<HomestayId, InvalidId> {
    let symbol = |place: u32| crockford::symbol(bits >> (place * crockford::BITS));
    HomestayId::from_str(&(0..26).rev().map(symbol).collect::<String>())
}

/// A homestay to be created.
#[derive(Debug, Clone)]
pub struct CreateHomestay {
    /// Its identity; see [`id_of_request`].
    pub id: HomestayId,
    /// Who will have it.
    pub host: HostId,
    /// Who creates it.
    pub editor: Editor,
    /// What is said of it.
    pub new: NewHomestay,
    /// Now, in whole milliseconds.
    pub at: Timestamp,
}

/// A homestay that was created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    /// The homestay as it is now.
    pub homestay: Homestay,
    /// An earlier request with the same id created it.
    pub replayed: bool,
}

/// Why a homestay was not created.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// Fields are not well-formed, or not for the caller to say.
    #[error("the homestay is not valid")]
    Invalid(#[from] Violations),
    /// The one that an earlier request with the same id created has been deleted since.
    #[error("the homestay was created and deleted")]
    Deleted,
    /// The store failed. The homestay may have been created; a repeat with the same id finds it.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

/// Creates a homestay, or finds the one that an earlier request with the same id created.
pub async fn create_homestay(
    store: &impl HomestayStore,
    CreateHomestay { id, host, editor, new, at }: CreateHomestay,
) -> Result<Created, CreateError> {
    editor.may_say(new.rating != Rating::default(), new.sales != 0)?;
    let homestay = Homestay::create(id, host, new, at)?;
    if store.insert(&homestay).await? {
        return Ok(Created { homestay, replayed: false });
    }
    match store.homestay(&homestay.id).await? {
        Some(earlier) if editor.has(&earlier) => Ok(Created { homestay: earlier, replayed: true }),
        // Nobody gets to see another's, whose id nobody can guess.
        Some(_) | None => Err(CreateError::Deleted),
    }
}

/// Why a homestay was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// There is none for whoever asks.
    #[error("no such homestay")]
    NotFound,
    /// It is not of the version that the change is based on.
    #[error("somebody else has changed the homestay")]
    Outdated,
    /// Fields are not well-formed, or not for the caller to say.
    #[error("the homestay is not valid")]
    Invalid(#[from] Violations),
    /// The store failed. The change may have been made; reading shows it.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

/// The homestay as it is now, whether guests find it or not, if `editor` has it.
pub async fn editable_homestay(
    store: &impl HomestayStore,
    editor: &Editor,
    id: &HomestayId,
) -> Result<Homestay, ChangeError> {
    store.homestay(id).await?.filter(|homestay| editor.has(homestay)).ok_or(ChangeError::NotFound)
}

/// The homestay as it is now, if guests find it.
pub async fn visible_homestay(
    store: &impl HomestayStore,
    id: &HomestayId,
) -> Result<Option<Homestay>, StoreError> {
    Ok(store.homestay(id).await?.filter(Homestay::is_visible))
}

/// Changes a homestay of version `expected`.
pub async fn change_homestay(
    store: &impl HomestayStore,
    editor: &Editor,
    (id, expected): (&HomestayId, Version),
    change: HomestayChange,
    at: Timestamp,
) -> Result<Homestay, ChangeError> {
    let before = at_version(store, editor, id, expected).await?;
    editor.may_say(change.rating.is_some(), change.sales.is_some())?;
    let after = before.changed(change, at)?;
    replace(store, &after, expected).await?;
    Ok(after)
}

/// Deletes a homestay of version `expected`. Its version is kept for a while, see [`State::Deleted`].
pub async fn delete_homestay(
    store: &impl HomestayStore,
    editor: &Editor,
    (id, expected): (&HomestayId, Version),
    at: Timestamp,
) -> Result<(), ChangeError> {
    let before = at_version(store, editor, id, expected).await?;
    replace(store, &before.deleted(at), expected).await
}

/// Where an answer is lost, the table's client tries again by itself, and then finds the version gone: who finds there what they
/// have written must not be told that it was somebody else.
async fn replace(store: &impl HomestayStore, after: &Homestay, before: Version) -> Result<(), ChangeError> {
    let is_own = |now: &Homestay| match after.state {
        State::Present => now == after,
        // Of a deleted one nothing else is kept.
        State::Deleted(_) => (now.version, now.state) == (after.version, after.state),
    };
    if store.replace(after, before).await? || store.homestay(&after.id).await?.as_ref().is_some_and(is_own) {
        return Ok(());
    }
    Err(ChangeError::Outdated)
}

async fn at_version(
    store: &impl HomestayStore,
    editor: &Editor,
    id: &HomestayId,
    expected: Version,
) -> Result<Homestay, ChangeError> {
    let homestay = editable_homestay(store, editor, id).await?;
    if homestay.version == expected { Ok(homestay) } else { Err(ChangeError::Outdated) }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeMap,
        sync::{Mutex, PoisonError},
    };

    use proptest::prelude::*;

    use super::*;
    use crate::{
        RowState,
        fixtures::{NOW, homestay, new_homestay},
    };

    /// A table in memory.
    #[derive(Default)]
    struct Memory(Mutex<BTreeMap<HomestayId, Homestay>>);

    /// The same, whose first answers are all lost: what is heard is the answer to the second attempt.
    #[derive(Default)]
    struct Deaf(Memory);

    impl HomestayStore for Deaf {
        async fn homestay(&self, id: &HomestayId) -> Result<Option<Homestay>, StoreError> {
            self.0.homestay(id).await
        }

        async fn insert(&self, homestay: &Homestay) -> Result<bool, StoreError> {
            self.0.insert(homestay).await?;
            self.0.insert(homestay).await
        }

        async fn replace(&self, homestay: &Homestay, before: Version) -> Result<bool, StoreError> {
            self.0.replace(homestay, before).await?;
            self.0.replace(homestay, before).await
        }
    }

    impl HomestayStore for Memory {
        async fn homestay(&self, id: &HomestayId) -> Result<Option<Homestay>, StoreError> {
            Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned())
        }

        async fn insert(&self, homestay: &Homestay) -> Result<bool, StoreError> {
            let mut homestays = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let free = !homestays.contains_key(&homestay.id);
            if free {
                homestays.insert(homestay.id.clone(), homestay.clone());
            }
            Ok(free)
        }

        async fn replace(&self, homestay: &Homestay, before: Version) -> Result<bool, StoreError> {
            let mut homestays = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let found = homestays.get_mut(&homestay.id).filter(|held| held.version == before);
            // As a table does: of a deleted one it keeps little.
            let title = if homestay.state == State::Present { homestay.title.clone() } else { String::new() };
            let kept = Homestay { title, ..homestay.clone() };
            Ok(found.map(|held| *held = kept).is_some())
        }
    }

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    fn host(name: &str) -> Editor {
        Editor::Host(name.parse().unwrap())
    }

    fn order(id: &str, editor: Editor) -> CreateHomestay {
        let new = NewHomestay { rating: Rating::default(), sales: 0, ..new_homestay() };
        CreateHomestay { id: id.parse().unwrap(), host: "host".parse().unwrap(), editor, new, at: NOW }
    }

    fn fields(violations: &Violations) -> Vec<&str> {
        violations.iter().map(|violation| violation.field).collect()
    }

    #[test]
    fn a_repeat_of_a_creation_finds_the_first_one_as_it_is_now() {
        let store = Memory::default();
        let created = run(create_homestay(&store, order("h-1", host("host")))).unwrap();
        assert!(!created.replayed);
        let renamed = HomestayChange { title: Some("新名".to_owned()), ..HomestayChange::default() };
        let at = (&created.homestay.id, Version::FIRST);
        let changed = run(change_homestay(&store, &host("host"), at, renamed, NOW)).unwrap();
        let again = run(create_homestay(&store, order("h-1", host("host")))).unwrap();
        assert_eq!(again, Created { homestay: changed, replayed: true });
        run(delete_homestay(&store, &host("host"), (&created.homestay.id, Version::FIRST.next()), NOW))
            .unwrap();
        let again = run(create_homestay(&store, order("h-1", host("host"))));
        assert!(matches!(again, Err(CreateError::Deleted)));
    }

    #[test]
    fn stars_and_sales_are_for_operators_to_say() {
        let store = Memory::default();
        let mut boasting = order("h-1", host("host"));
        boasting.new = new_homestay();
        let Err(CreateError::Invalid(violations)) = run(create_homestay(&store, boasting.clone())) else {
            panic!("a host said how good it is")
        };
        assert_eq!(fields(&violations), ["rating", "sales"]);
        boasting.editor = Editor::Operator;
        run(create_homestay(&store, boasting)).unwrap();
        let id = "h-1".parse().unwrap();
        let at = (&id, Version::FIRST);
        let change = HomestayChange { sales: Some(1), ..HomestayChange::default() };
        let refused = run(change_homestay(&store, &host("host"), at, change.clone(), NOW));
        assert!(matches!(refused, Err(ChangeError::Invalid(_))));
        assert_eq!(run(change_homestay(&store, &Editor::Operator, at, change, NOW)).unwrap().sales, 1);
    }

    #[test]
    fn a_host_has_no_homestay_but_the_own_ones() {
        let store = Memory::default();
        run(store.insert(&homestay("h-1"))).unwrap();
        let id = "h-1".parse().unwrap();
        let at = (&id, Version::FIRST);
        let other = host("other");
        let nothing = HomestayChange::default();
        assert!(matches!(run(editable_homestay(&store, &other, &id)), Err(ChangeError::NotFound)));
        assert!(matches!(run(change_homestay(&store, &other, at, nothing, NOW)), Err(ChangeError::NotFound)));
        assert!(matches!(run(delete_homestay(&store, &other, at, NOW)), Err(ChangeError::NotFound)));
        assert!(run(delete_homestay(&store, &Editor::Operator, at, NOW)).is_ok());
        assert!(matches!(run(editable_homestay(&store, &Editor::Operator, &id)), Err(ChangeError::NotFound)));
    }

    #[test]
    fn guests_see_what_is_published_and_not_deleted() {
        let store = Memory::default();
        run(store.insert(&homestay("h-1"))).unwrap();
        let id = "h-1".parse().unwrap();
        assert!(run(visible_homestay(&store, &id)).unwrap().is_some());
        let hide = HomestayChange { row_state: Some(RowState::Unpublished), ..HomestayChange::default() };
        run(change_homestay(&store, &host("host"), (&id, Version::FIRST), hide, NOW)).unwrap();
        assert!(run(visible_homestay(&store, &id)).unwrap().is_none());
        assert!(run(editable_homestay(&store, &host("host"), &id)).is_ok());
    }

    #[test]
    fn a_change_is_based_on_the_version_it_names() {
        let store = Memory::default();
        run(store.insert(&homestay("h-1"))).unwrap();
        let id = "h-1".parse().unwrap();
        for expected in [0, 2] {
            let at = (&id, Version::from_stored(expected));
            let changed = run(change_homestay(&store, &Editor::Operator, at, HomestayChange::default(), NOW));
            assert!(matches!(changed, Err(ChangeError::Outdated)), "{expected}");
            assert!(matches!(
                run(delete_homestay(&store, &Editor::Operator, at, NOW)),
                Err(ChangeError::Outdated)
            ));
        }
    }

    #[test]
    fn who_did_not_hear_the_first_answer_is_not_told_that_it_was_somebody_else() {
        let store = Deaf::default();
        let id = run(create_homestay(&store, order("h-1", host("host")))).unwrap().homestay.id;
        let at = (&id, Version::FIRST);
        let renamed = HomestayChange { title: Some("新名".to_owned()), ..HomestayChange::default() };
        let changed = run(change_homestay(&store, &host("host"), at, renamed, NOW)).unwrap();
        assert_eq!((changed.title.as_str(), changed.version), ("新名", Version::FIRST.next()));
        let other = HomestayChange { title: Some("别名".to_owned()), ..HomestayChange::default() };
        let outdated = run(change_homestay(&store, &host("host"), at, other, NOW));
        assert!(matches!(outdated, Err(ChangeError::Outdated)));
        run(delete_homestay(&store, &host("host"), (&id, changed.version), NOW)).unwrap();
        assert!(matches!(run(editable_homestay(&store, &host("host"), &id)), Err(ChangeError::NotFound)));
    }

    #[test]
    fn a_new_id_is_a_ulid() {
        let id = id_from_parts(1_700_000_000_000, u128::MAX).unwrap();
        assert_eq!(id.as_str(), domain_ids::ImportId::from_parts(1_700_000_000_000, u128::MAX).to_string());
    }

    proptest! {
        #[test]
        fn a_key_names_one_homestay_of_one_caller(caller in "[a-z]{1,8}", key in "[!-~]{1,40}", other in "[!-~]{1,40}") {
            let id = id_of_request(&caller, &key).unwrap();
            prop_assert_eq!(id.as_str().len(), 26);
            prop_assert_eq!(&id, &id_of_request(&caller, &key).unwrap());
            prop_assert_eq!(id == id_of_request(&caller, &other).unwrap(), key == other);
            prop_assert_ne!(id, id_of_request(&format!("{caller}x"), &key).unwrap());
        }
    }
}
