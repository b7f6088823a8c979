//! list-my-coupons.
