use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{Endpoints, Identity, Token, step::Progress};

/// Calls to Cognito under way at once.
const CONCURRENCY: usize = 16;

/// A token that ends sooner might end during the sale.
const MARGIN: SignedDuration = SignedDuration::from_mins(15);

/// A guest who is signed in.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Guest {
    /// What the guest signs in with.
    pub name: String,
    /// The access token.
    pub token: Token,
}

/// Guests of earlier sales: making one costs three calls to Cognito.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Cache {
    user_pool_id: String,
    /// The same for all; made up for this pool.
    password: String,
    guests: Vec<Guest>,
}

/// `count` guests with valid tokens; those of `cache` are used again.
pub(super) async fn invite(
    endpoints: &Endpoints,
    identity: &Identity,
    count: u32,
    cache: Option<PathBuf>,
    progress: &Progress,
) -> Result<Vec<Guest>> {
    let known = cache.as_deref().and_then(|path| Cache::read(path, &endpoints.user_pool_id));
    let mut known = known.unwrap_or_else(|| Cache::empty(&endpoints.user_pool_id));
    let sale_is_over = Timestamp::now() + MARGIN;

    let step = progress.counted("invite the guests", count.into());
    let guests = stream::iter(0..count)
        .map(async |number| match known.guests.get(number as usize) {
            Some(guest) if guest.token.is_valid_at(sale_is_over) => Ok(guest.clone()),
            guest => sign_in(identity, number, &known.password, guest).await,
        })
        .buffered(CONCURRENCY)
        .inspect_ok(|_| step.advance())
        .try_collect::<Vec<_>>()
        .await?;
    step.done_as(&count.to_string());

    if let Some(path) = cache {
        let more = known.guests.into_iter().skip(guests.len());
        known.guests = guests.iter().cloned().chain(more).collect();
        known.write(&path)?;
    }
    Ok(guests)
}

async fn sign_in(identity: &Identity, number: u32, password: &str, known: Option<&Guest>) -> Result<Guest> {
    let name = format!("sale-guest-{number:06}@example.com");
    let username = match known {
        Some(guest) => guest.token.subject.clone(),
        None => identity.ensure_user(&name, password).await?,
    };
    let token = identity.token(&username, password).await?;
    Ok(Guest { name, token })
}

impl Cache {
    fn empty(user_pool_id: &str) -> Self {
        let random: String = std::iter::repeat_with(fastrand::alphanumeric).take(20).collect();
        // One of each kind, whatever the random part holds.
        let password = format!("{random}aA1!");
        Self { user_pool_id: user_pool_id.to_owned(), password, guests: Vec::new() }
    }

    /// Nothing if it is of another pool.
    fn read(path: &Path, user_pool_id: &str) -> Option<Self> {
        let cache: Self = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
        (cache.user_pool_id == user_pool_id).then_some(cache)
    }

    fn write(&self, path: &Path) -> Result<()> {
        fs::write(path, serde_json::to_vec(self)?).with_context(|| format!("cannot write {}", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guests_of_another_pool_are_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("guests.json");
        let cache = Cache::empty("pool-1");
        cache.write(&path).unwrap();
        assert_eq!(Cache::read(&path, "pool-1").unwrap().password, cache.password);
        assert!(Cache::read(&path, "pool-2").is_none());
    }

    #[test]
    fn a_password_fulfils_the_policy_of_the_pool() {
        let Cache { password, .. } = Cache::empty("pool");
        assert!(password.len() >= 12);
        for kind in [char::is_lowercase, char::is_uppercase, char::is_numeric, |c: char| !c.is_alphanumeric()]
        {
            assert!(password.chars().any(kind), "{password}");
        }
    }
}
