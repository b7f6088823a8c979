//! Campaigns in the coupon table.
//!
//! | item | `pk` | `sk` |
//! |---|---|---|
//! | campaign | `CAMPAIGN#<campaign>` | `CAMPAIGN` |
//!
//! A campaign carries the keys of the index `templates-by-end` in a partition of its own: `listPk` = `CAMPAIGNS`, `listSk`
//! = `<end in ms>#<campaign>`. Its `version` is what every change depends on.

mod item;
mod keys;
mod table;

pub use table::CampaignTable;
