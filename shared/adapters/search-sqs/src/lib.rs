//! The queue of what people do in the search.
