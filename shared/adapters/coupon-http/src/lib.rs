//! coupon-http.
