//! The queue of what people do in the search: counts it, once.
