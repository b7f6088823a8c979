//! platform-http.
