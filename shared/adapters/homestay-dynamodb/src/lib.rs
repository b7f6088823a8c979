//! Homestays, the jobs that import them and the rebuilds of their index, on one table.
