//! Places in the queue, as at a counter: who comes draws a number, and a display shows which number is served.
//!
//! Nobody counts the claims as they come in: API Gateway puts them into the queue by itself. So a number is drawn when
//! a guest first asks: so many claims were taken from the queue until now, and so many wait in it. The guest keeps the
//! number and shows it with each question, which is why it is recorded nowhere.

use std::{fmt, str::FromStr};

use jiff::{SignedDuration, Timestamp};
use platform_http::cursor;

/// How far the queue has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueState {
    /// Claims ever taken from it.
    pub taken: u64,
    /// Claims that wait in it.
    pub waiting: u64,
}

/// A guest's number, and what the display showed when it was drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    number: u64,
    taken: u64,
    drawn_at: Timestamp,
}

impl Ticket {
    /// A number behind all who wait at `now`.
    pub fn draw(queue: QueueState, now: Timestamp) -> Self {
        Self { number: queue.taken.saturating_add(queue.waiting), taken: queue.taken, drawn_at: now }
    }

    /// When it was drawn.
    pub fn drawn_at(&self) -> Timestamp {
        self.drawn_at
    }

    /// About how many claims are served before this one. Never more than wait, whatever was not counted.
    pub fn place(&self, queue: QueueState) -> u64 {
        self.number.saturating_sub(queue.taken).min(queue.waiting)
    }

    /// How many seconds that takes if the queue goes on as it has since the number was drawn; `None` where it has not
    /// moved.
    pub fn wait_seconds(&self, queue: QueueState, now: Timestamp) -> Option<u64> {
        let served = queue.taken.checked_sub(self.taken).filter(|served| *served > 0)?;
        let elapsed_ms = u64::try_from(now.duration_since(self.drawn_at).as_millis()).ok()?;
        let wait_ms = u128::from(self.place(queue)) * u128::from(elapsed_ms) / u128::from(served);
        u64::try_from(wait_ms.div_ceil(1_000)).ok()
    }
}

/// When to ask again: half-way to the turn, but nobody is to be left standing, or to ask all the time.
pub fn ask_again_after(place: u64, wait_seconds: Option<u64>) -> SignedDuration {
    let seconds = match wait_seconds {
        // Tells how fast the queue moves, which is not known yet.
        None => 1 + i64::from(place > MANY),
        Some(wait) => i64::try_from(wait / 2).unwrap_or(i64::MAX),
    };
    SignedDuration::from_secs(seconds.clamp(MIN_PAUSE_SECONDS, MAX_PAUSE_SECONDS))
}

/// Served within about a second.
const MANY: u64 = 1_000;

const MIN_PAUSE_SECONDS: i64 = 1;

/// A hundred thousand who wait ask ten thousand times a second.
const MAX_PAUSE_SECONDS: i64 = 10;

/// Opaque to the guest. It is no proof: who forges one deceives nobody else.
impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{}.{}.{}", self.number, self.taken, self.drawn_at.as_millisecond());
        f.write_str(&cursor::encode(&text))
    }
}

/// The text is no ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a ticket")]
pub struct InvalidTicket;

impl FromStr for Ticket {
    type Err = InvalidTicket;

    fn from_str(text: &str) -> Result<Self, InvalidTicket> {
        let text = cursor::decode(text).ok_or(InvalidTicket)?;
        let numbers: Vec<i64> =
            text.split('.').map(str::parse).collect::<Result<_, _>>().map_err(|_| InvalidTicket)?;
        let &[number, taken, drawn_at] = numbers.as_slice() else { return Err(InvalidTicket) };
        Ok(Self {
            number: number.try_into().map_err(|_| InvalidTicket)?,
            taken: taken.try_into().map_err(|_| InvalidTicket)?,
            drawn_at: Timestamp::from_millisecond(drawn_at).map_err(|_| InvalidTicket)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const THEN: Timestamp = Timestamp::constant(1_794_326_400, 0);

    fn queue(taken: u64, waiting: u64) -> QueueState {
        QueueState { taken, waiting }
    }

    fn after(seconds: i64) -> Timestamp {
        THEN + SignedDuration::from_secs(seconds)
    }

    #[test]
    fn a_place_is_counted_down_whoever_comes_after() {
        let ticket = Ticket::draw(queue(5_000, 1_200), THEN);
        for (taken, waiting, place) in [
            (5_000, 1_200, 1_200),
            (5_400, 9_000, 800),
            (6_199, 9_000, 1),
            (6_200, 9_000, 0),
            (7_000, 9_000, 0),
        ] {
            assert_eq!(ticket.place(queue(taken, waiting)), place);
        }
        assert_eq!(ticket.place(queue(5_400, 10)), 10, "others were not counted");
    }

    #[test]
    fn a_wait_follows_the_rate_since_the_number_was_drawn() {
        let ticket = Ticket::draw(queue(5_000, 1_200), THEN);
        assert_eq!(ticket.wait_seconds(queue(5_000, 1_200), THEN), None);
        assert_eq!(ticket.wait_seconds(queue(5_000, 1_200), after(9)), None, "it does not move");
        assert_eq!(
            ticket.wait_seconds(queue(5_200, 1_200), after(2)),
            Some(10),
            "1,000 more at 100 a second"
        );
        assert_eq!(ticket.wait_seconds(queue(6_200, 1_200), after(2)), Some(0));
        assert_eq!(ticket.wait_seconds(queue(5_200, 1_200), after(-1)), None, "a clock set back");
    }

    #[test]
    fn guests_ask_again_in_good_time_and_not_all_the_time() {
        let pause = |place, wait| ask_again_after(place, wait).as_secs();
        assert_eq!([pause(0, None), pause(50_000, None)], [1, 2]);
        let pauses = [0, 1, 4, 12, 20, 900, u64::MAX].map(|wait| pause(7, Some(wait)));
        assert_eq!(pauses, [1, 1, 2, 6, 10, 10, 10]);
    }

    proptest! {
        #[test]
        fn a_ticket_is_read_back(taken in 0..1_u64 << 62, waiting in 0..1_u64 << 62, ms in 0_i64..253_402_207_200_000) {
            let ticket = Ticket::draw(queue(taken, waiting), Timestamp::from_millisecond(ms).unwrap());
            prop_assert_eq!(ticket.to_string().parse(), Ok(ticket));
        }

        #[test]
        fn no_ticket_panics(text in ".{0,60}", numbers: [u64; 3], taken: u64, waiting: u64) {
            let forged = cursor::encode(&numbers.map(|number| number.to_string()).join("."));
            for text in [text.clone(), cursor::encode(&text), forged] {
                if let Ok(ticket) = text.parse::<Ticket>() {
                    prop_assert!(ticket.place(queue(taken, waiting)) <= waiting);
                    let wait = ticket.wait_seconds(queue(taken, waiting), THEN);
                    prop_assert!((1..=10).contains(&ask_again_after(waiting, wait).as_secs()));
                }
            }
        }
    }
}
