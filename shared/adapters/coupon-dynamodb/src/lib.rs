//! coupon-dynamodb.
