//! What SendGrid pushes is read or refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use notification_sendgrid::delivery_reports;

fuzz_target!(|body: &[u8]| fuzz::check(body, delivery_reports(&fuzz::PROVIDER, body)));
