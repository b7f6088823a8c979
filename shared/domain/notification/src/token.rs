//! Access tokens that all execution environments share, because asking for a new one ends the old one.

use std::fmt;

use domain_coupon::StoreError;
use jiff::Timestamp;

/// A token as it is kept. `Debug` hides the token.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SharedToken {
    /// The token; none before the first.
    pub token: Option<String>,
    /// Until when it is good.
    pub expires_at: Timestamp,
    /// Until when somebody is fetching the next one, who may have died.
    pub refreshing_until: Timestamp,
    /// Changes with every write, from 1; 0 where nothing is kept.
    pub revision: u64,
}

impl fmt::Debug for SharedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedToken")
            .field("is_known", &self.token.is_some())
            .field("expires_at", &self.expires_at)
            .field("refreshing_until", &self.refreshing_until)
            .field("revision", &self.revision)
            .finish()
    }
}

/// Where shared tokens are kept.
pub trait SharedTokens: Send + Sync {
    /// The token `name` as it is now (not an older copy); [`SharedToken::default`] where there is none.
    fn read(&self, name: &str) -> impl Future<Output = Result<SharedToken, StoreError>> + Send;

    /// Replaces the token, if its revision is still one less than `next`'s; says whether it was.
    fn replace(
        &self,
        name: &str,
        next: &SharedToken,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;
}
