//! manage-coupon-templates.
