//! Money as an integer number of fen (0.01 CNY), never a float.

use serde::{Deserialize, Serialize};

/// An amount of money in fen. Never negative; no arithmetic that could wrap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fen(u64);

impl Fen {
    /// `amount` in fen.
    pub const fn new(amount: u64) -> Self {
        Self(amount)
    }

    /// The amount in fen.
    pub const fn get(self) -> u64 {
        self.0
    }
}
