//! Claims coupons for the guests in the claim queue, several with one write to the stock.

pub mod handler;
mod line;
mod progress;

pub use progress::Progress;
