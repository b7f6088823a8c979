//! The page for a person: what was received, newest first.
//!
//! Everything received reaches the page as text, mails as HTML in a frame without rights.

use axum::{Router, http::header, response::IntoResponse, routing::get};

pub(crate) fn router() -> Router {
    Router::new().route("/", get(page)).route("/_stub/page.js", get(script))
}

async fn page() -> impl IntoResponse {
    let policy = "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; connect-src 'self'; frame-src 'self'";
    (
        [(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CONTENT_SECURITY_POLICY, policy)],
        include_str!("page.html"),
    )
}

async fn script() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8")], include_str!("page.js"))
}
