//! What people searched for: their own history, what is popular, what it tells about the search.
