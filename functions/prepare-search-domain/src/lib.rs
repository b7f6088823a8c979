//! Makes the place of the search index ready while it is deployed: see the README.

pub mod domains;
pub mod event;
pub mod handler;
