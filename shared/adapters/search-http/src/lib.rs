//! What people searched for, as the API spells it: requests, views, problems.
