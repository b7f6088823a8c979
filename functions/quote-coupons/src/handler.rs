//! `POST /v1/me/coupon-quotes`.

use std::convert::Infallible;

use coupon_http::{JsonBody, SignedIn, guest, store_problem};
use domain_coupon::{CouponShelf, TemplateShelf};
use domain_quote::{UsageMemory, quote_coupons};
use jiff::Timestamp;
use platform_http::{Body, Problem, Request, Response, StatusCode, json, json_body};

pub use crate::view::{QuoteRequest, QuoteView, QuotedCouponView};

/// 200 with what the coupons of the guest who asks do for an order. Nothing is written.
#[utoipa::path(
    post, path = "/v1/me/coupon-quotes", operation_id = "quoteCoupons", tag = "coupons",
    summary = "See what my coupons do for an order",
    description = "Says of each coupon whether it applies and what it saves alone, and which coupons together save most. Holds \
        nothing: lock the coupons for that. The price of an order is its `payableFen`, never a sum of single savings.",
    request_body = QuoteRequest,
    responses(
        (status = 200, description = "What the coupons do", body = QuoteView),
        SignedIn, JsonBody,
    ),
    security(("jwt" = [])),
)]
pub async fn handle(
    store: &(impl CouponShelf + TemplateShelf),
    memory: &UsageMemory,
    now: Timestamp,
    request: Request,
) -> Result<Response<Body>, Infallible> {
    Ok(quote(store, memory, now, &request).await.unwrap_or_else(Problem::into_response))
}

async fn quote(
    store: &(impl CouponShelf + TemplateShelf),
    memory: &UsageMemory,
    now: Timestamp,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let guest = guest(request)?;
    let draft = json_body::<QuoteRequest>(request)?.parse()?;
    let quote =
        quote_coupons(store, memory, &guest, &draft, now).await.map_err(|error| store_problem(&error))?;
    if !quote.best.is_exact {
        metrics::counter!("QuotesBrokenOff").increment(1);
    }
    tracing::info!(
        coupons.count = quote.coupons.len(),
        quote.exact = quote.best.is_exact,
        quote.truncated = quote.is_truncated,
        "quoted coupons"
    );
    Ok(json(StatusCode::OK, &QuoteView::new(&quote, &draft)))
}
