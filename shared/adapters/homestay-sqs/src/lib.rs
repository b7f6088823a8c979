//! The queues of imports and rebuilds.
