//! claim-coupon.
