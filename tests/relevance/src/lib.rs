//! Judged queries over real listings: how well they are found.
