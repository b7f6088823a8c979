//! How guests want to be told things, and what that means for one message.

use std::{
    collections::{BTreeMap, BTreeSet},
    str::FromStr,
};

use domain_channel::{Category, Channel, Priority};
use jiff::{
    SignedDuration, Timestamp,
    civil::Time,
    tz::{Offset, TimeZone},
};
use serde::{Deserialize, Serialize};

use crate::{Language, Message};

/// China has had one offset and no summer time since 1991.
pub const SHANGHAI: Offset = Offset::constant(8);

/// Hours in which nobody is called to the phone for marketing, whatever they prefer.
pub const MARKETING_QUIET: QuietHours =
    QuietHours { from: Time::constant(21, 0, 0, 0), to: Time::constant(9, 0, 0, 0) };

/// A daily time of rest, in Asia/Shanghai: from the first to the second, over midnight where the second is earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuietHours {
    /// When it begins.
    #[serde(with = "hour_and_minute")]
    pub from: Time,
    /// When it ends.
    #[serde(with = "hour_and_minute")]
    pub to: Time,
}

impl QuietHours {
    /// When the rest that `now` is in ends; none if it is in none.
    pub fn end(&self, now: Timestamp) -> Option<Timestamp> {
        let local = now.to_zoned(TimeZone::fixed(SHANGHAI));
        let time = local.time();
        let is_in = if self.from <= self.to {
            (self.from..self.to).contains(&time)
        } else {
            time >= self.from || time < self.to
        };
        if !is_in || self.from == self.to {
            return None;
        }
        let day = if time < self.to { local.date() } else { local.date().tomorrow().ok()? };
        Some(day.to_datetime(self.to).to_zoned(TimeZone::fixed(SHANGHAI)).ok()?.timestamp())
    }
}

mod hour_and_minute {
    use jiff::civil::Time;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
    pub(super) fn serialize<S: Serializer>(time: &Time, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:02}:{:02}", time.hour(), time.minute()))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Time, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        super::time_of_day(&text).ok_or_else(|| D::Error::custom("a time of day such as 22:00"))
    }
}

/// `22:00`.
pub(crate) fn time_of_day(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    let two_digits = |part: &str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
    if !two_digits(hour) || !two_digits(minute) {
        return None;
    }
    Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()
}

/// An hour of the day at which a digest is sent, in Asia/Shanghai: 0 to 23.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct DigestHour(u8);

/// There is no such hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be an hour of the day, 0 to 23")]
pub struct InvalidHour;

impl TryFrom<u8> for DigestHour {
    type Error = InvalidHour;

    fn try_from(hour: u8) -> Result<Self, InvalidHour> {
        if hour < 24 { Ok(Self(hour)) } else { Err(InvalidHour) }
    }
}

impl From<DigestHour> for u8 {
    fn from(hour: DigestHour) -> Self {
        hour.0
    }
}

impl FromStr for DigestHour {
    type Err = InvalidHour;

    fn from_str(text: &str) -> Result<Self, InvalidHour> {
        text.parse::<u8>().map_err(|_| InvalidHour)?.try_into()
    }
}

impl DigestHour {
    /// The next time it is this hour, after `now`.
    pub fn next(self, now: Timestamp) -> Timestamp {
        let local = now.to_zoned(TimeZone::fixed(SHANGHAI));
        let hour = Time::new(self.0.cast_signed(), 0, 0, 0).unwrap_or_default();
        let on = |day: jiff::civil::Date| {
            day.to_datetime(hour).to_zoned(TimeZone::fixed(SHANGHAI)).map(|zoned| zoned.timestamp())
        };
        let today = on(local.date()).unwrap_or(now);
        if today > now { today } else { today + SignedDuration::from_hours(24) }
    }
}

/// How a guest wants to be told things. Whatever is not said is wanted, at once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Preferences {
    /// What the guest does not want, by channel and category.
    pub opted_out: BTreeSet<(Channel, Category)>,
    /// When the phone must not ring.
    pub quiet_hours: Option<QuietHours>,
    /// Messages a day and channel, by category; where the platform allows fewer, that counts.
    pub daily_caps: BTreeMap<Category, u16>,
    /// Categories of which the guest wants one message a day, and when.
    pub digests: BTreeMap<Category, DigestHour>,
    /// In which language.
    pub language: Option<Language>,
    /// Changes with every change, from 1; 0 where the guest has never said anything.
    pub revision: u32,
}

/// Whether guests may opt out of a category on a channel. Not of codes and security; not of the record in the app of
/// what became of their orders.
pub fn may_opt_out(channel: Channel, category: Category) -> bool {
    match category {
        Category::Account => false,
        Category::Order => channel != Channel::Internal,
        Category::Reminder | Category::Marketing => true,
    }
}

/// What the preferences mean for one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ruling {
    /// It may go.
    Send,
    /// The guest does not want it.
    OptedOut,
    /// Not now.
    Defer(Timestamp),
    /// Together with others, then.
    Bundle(Timestamp),
}

/// What `preferences` mean for `message` at `now`.
pub fn rule(message: &Message, preferences: &Preferences, can_bundle: bool, now: Timestamp) -> Ruling {
    let Message { channel, category, priority, .. } = *message;
    if may_opt_out(channel, category) && preferences.opted_out.contains(&(channel, category)) {
        return Ruling::OptedOut;
    }
    if category == Category::Account || priority == Priority::Urgent || message.is_digest {
        return Ruling::Send;
    }
    if can_bundle && let Some(hour) = preferences.digests.get(&category) {
        return Ruling::Bundle(hour.next(now));
    }
    let rings = matches!(channel, Channel::Sms | Channel::Wechat | Channel::Push);
    let ends = |hours: QuietHours| hours.end(now).filter(|_| rings);
    let own = preferences.quiet_hours.and_then(ends);
    let everybody = ends(MARKETING_QUIET).filter(|_| category == Category::Marketing);
    own.max(everybody).map_or(Ruling::Send, Ruling::Defer)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fixtures::{at, message};

    fn time(text: &str) -> Timestamp {
        format!("2026-11-24T{text}:00+08:00").parse().unwrap()
    }

    fn quiet(from: &str, to: &str) -> QuietHours {
        QuietHours { from: time_of_day(from).unwrap(), to: time_of_day(to).unwrap() }
    }

    #[test]
    fn a_rest_over_midnight_ends_in_the_morning() {
        let night = quiet("22:00", "08:00");
        assert_eq!(night.end(time("21:59")), None);
        assert_eq!(night.end(time("22:00")), Some("2026-11-25T08:00:00+08:00".parse().unwrap()));
        assert_eq!(night.end(time("07:59")), Some(time("08:00")));
        assert_eq!(night.end(time("08:00")), None);
        let noon = quiet("12:00", "14:00");
        assert_eq!(noon.end(time("13:00")), Some(time("14:00")));
        assert_eq!(noon.end(time("11:59")), None);
        assert_eq!(quiet("08:00", "08:00").end(time("08:00")), None, "no rest at all");
    }

    #[test]
    fn times_of_day_are_written_one_way() {
        let night = quiet("22:00", "08:30");
        let json = serde_json::to_string(&night).unwrap();
        assert_eq!(json, r#"{"from":"22:00","to":"08:30"}"#);
        assert_eq!(serde_json::from_str::<QuietHours>(&json).unwrap(), night);
        for text in ["24:00", "8:00", "08:60", "08:00:00", "+8:00", "noon", ""] {
            assert_eq!(time_of_day(text), None, "{text:?}");
        }
    }

    #[test]
    fn quiet_hours_hold_back_what_rings_and_is_not_urgent() {
        let preferences =
            Preferences { quiet_hours: Some(quiet("22:00", "08:00")), ..Preferences::default() };
        let night = time("23:00");
        let ruling = |change: &dyn Fn(&mut Message)| {
            let mut it = message();
            change(&mut it);
            rule(&it, &preferences, false, night)
        };
        let morning = Ruling::Defer("2026-11-25T08:00:00+08:00".parse().unwrap());
        assert_eq!(ruling(&|_| {}), morning);
        assert_eq!(ruling(&|it| it.channel = Channel::Push), morning);
        assert_eq!(ruling(&|it| it.channel = Channel::Email), Ruling::Send);
        assert_eq!(ruling(&|it| it.channel = Channel::Internal), Ruling::Send);
        assert_eq!(ruling(&|it| it.priority = Priority::Urgent), Ruling::Send);
        assert_eq!(ruling(&|it| it.category = Category::Account), Ruling::Send);
        let nine = Ruling::Defer("2026-11-25T09:00:00+08:00".parse().unwrap());
        assert_eq!(ruling(&|it| it.category = Category::Marketing), nine, "the later of both");
    }

    #[test]
    fn nobody_opts_out_of_security() {
        let all = Channel::ALL.iter().flat_map(|&c| Category::ALL.iter().map(move |&k| (c, k)));
        let preferences = Preferences { opted_out: all.collect(), ..Preferences::default() };
        for &channel in Channel::ALL {
            for &category in Category::ALL {
                let it = Message { channel, category, ..message() };
                let is_out = rule(&it, &preferences, false, at(0)) == Ruling::OptedOut;
                assert_eq!(is_out, may_opt_out(channel, category), "{channel} {category}");
            }
        }
    }

    #[test]
    fn a_digest_takes_what_is_not_urgent() {
        let digests = BTreeMap::from([(Category::Reminder, DigestHour(9))]);
        let preferences = Preferences { digests, ..Preferences::default() };
        let it = Message { category: Category::Reminder, channel: Channel::Email, ..message() };
        let tomorrow = "2026-11-25T09:00:00+08:00".parse().unwrap();
        assert_eq!(rule(&it, &preferences, true, at(0)), Ruling::Bundle(tomorrow));
        assert_eq!(rule(&it, &preferences, false, at(0)), Ruling::Send);
        let urgent = Message { priority: Priority::Urgent, ..it.clone() };
        assert_eq!(rule(&urgent, &preferences, true, at(0)), Ruling::Send);
        let digest = Message { is_digest: true, ..it };
        assert_eq!(rule(&digest, &preferences, true, at(0)), Ruling::Send);
    }

    proptest! {
        #[test]
        fn a_deferred_message_may_go_when_its_time_has_come(
            from in 0..1440_i64, to in 0..1440_i64, now in 0..4_000_000_000_i64, marketing: bool,
        ) {
            let of_day = |minutes: i64| Time::midnight() + SignedDuration::from_mins(minutes);
            let hours = QuietHours { from: of_day(from), to: of_day(to) };
            let preferences = Preferences { quiet_hours: Some(hours), ..Preferences::default() };
            let category = if marketing { Category::Marketing } else { Category::Order };
            let it = Message { category, ..message() };
            let mut now = Timestamp::from_second(now).unwrap();
            for _ in 0..3 {
                match rule(&it, &preferences, false, now) {
                    Ruling::Defer(later) => {
                        prop_assert!(later > now);
                        prop_assert!(later.duration_since(now) <= SignedDuration::from_hours(24));
                        now = later;
                    }
                    other => {
                        prop_assert_eq!(other, Ruling::Send);
                        return Ok(());
                    }
                }
            }
            // Own and everybody's rest may cover the day together: then nothing is ever sent, as the guest wants it.
            prop_assert!(marketing);
        }
    }
}
