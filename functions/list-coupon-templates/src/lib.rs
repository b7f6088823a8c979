//! list-coupon-templates.
