//! Ranks popular queries every few minutes.
