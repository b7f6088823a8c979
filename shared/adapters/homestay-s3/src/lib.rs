//! Files of homestays to import, and the report of refused rows, in a bucket.
