//! Takes note of which result somebody opened.
