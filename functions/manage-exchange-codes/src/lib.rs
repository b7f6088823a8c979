//! Lets operators order exchange codes, download them, and revoke them.

pub mod handler;
mod view;

pub use view::{CodeBatchList, CodeBatchView, CreateCodeBatchRequest, PatchCodeBatchRequest};
