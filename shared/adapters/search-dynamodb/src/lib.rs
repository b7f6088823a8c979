//! What people searched for, on one table: history, popular queries, clicks, counters.
