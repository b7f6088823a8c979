//! Lets operators write what messages say, look at it and send it to themselves.

pub mod handler;
