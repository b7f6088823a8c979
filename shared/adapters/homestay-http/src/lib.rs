//! Homestays and searches as the API spells them: requests, views, problems.
