use jiff::Timestamp;

/// The time, in the whole milliseconds that stores keep.
///
/// For `main` alone: what is behind it takes the time as an argument.
#[expect(clippy::disallowed_methods, reason = "the one place where functions read the clock")]
pub fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
}

/// Random bytes from the operating system, good enough for what must not be guessed.
///
/// For `main` alone: what is behind it takes randomness as an argument.
///
/// # Panics
///
/// Where there is no source of randomness at all: such an environment must not issue coupons.
#[expect(clippy::expect_used, reason = "an environment without randomness must not serve")]
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system has random bytes");
    bytes
}
