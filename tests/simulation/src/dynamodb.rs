//! What DynamoDB does to the claims of one template, as far as its documentation says.
//!
//! | Limit | Modelled as |
//! |---|---|
//! | 1,000 write units and 3,000 read units a second for each partition | a token bucket each, one second deep |
//! | a partition key lives in one partition; one item cannot be split | items are spread by the hash of their key |
//! | a transactional write costs 2 units an item, failed or not | taken when the item is prepared |
//! | transactions that meet at one item are cancelled | an item is held from prepare to commit |
//! | a plain write to an item held by a transaction is refused | the same |
//! | `BatchGetItem` leaves keys unprocessed when a partition is short of read units | the same |
//!
//! Burst capacity (unused units of the last minutes) and the splitting of busy partitions are left out: both help a
//! sale, neither can be relied on.

mod bucket;
mod table;

pub use bucket::{READ_UNITS_PER_SECOND, WRITE_UNITS_PER_SECOND};
pub use table::{Draw, End, Put, Raise, Table, Transaction, Work};
