//! How notifications go: by which [`Channel`], how soon ([`Priority`]), of what kind ([`Category`]).
//!
//! Their names are what the API, the queues and the tables have; the numbers are those of the roadmap, for systems
//! that keep numbers.

use serde::{Deserialize, Serialize};

/// A name that is none of those there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be one of {known}")]
pub struct UnknownName {
    /// Those there are.
    pub known: &'static str,
}

/// An enumeration whose members have a name and, where the roadmap gives one, a number.
macro_rules! named {
    (
        $(#[$doc:meta])*
        $name:ident, $known:literal { $($(#[$of:meta])* $member:ident = $text:literal),+ $(,)? }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name {
            $($(#[$of])* $member,)+
        }

        impl $name {
            /// Every one of them, in their order.
            pub const ALL: &'static [Self] = &[$(Self::$member),+];

            /// Its name, as everywhere outside of this program.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$member => $text,)+
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())
            }
        }

        impl std::str::FromStr for $name {
            type Err = UnknownName;

            fn from_str(text: &str) -> Result<Self, UnknownName> {
                Self::ALL
                    .iter()
                    .copied()
                    .find(|it| it.name() == text)
                    .ok_or(UnknownName { known: $known })
            }
        }
    };
}

named! {
    /// The way of a notification.
    Channel, "sms, email, wechat, push, internal" {
        /// Text message. 1 in the roadmap.
        Sms = "sms",
        /// Mail. 2 in the roadmap.
        Email = "email",
        /// `WeChat`: template messages of the official account, subscribe messages of the mini program. 3 in the roadmap.
        Wechat = "wechat",
        /// The phone's notifications. 4 in the roadmap.
        Push = "push",
        /// The inbox within the app. 5 in the roadmap.
        Internal = "internal",
    }
}

named! {
    /// How soon a notification is sent where many wait. Later members go before earlier ones.
    #[derive(Default)]
    Priority, "low, normal, high, urgent" {
        /// After all others: marketing. 1 in the roadmap.
        Low = "low",
        /// As usual. 2 in the roadmap.
        #[default]
        Normal = "normal",
        /// Before the usual ones. 3 in the roadmap.
        High = "high",
        /// Before all others: a code that somebody waits for. 4 in the roadmap.
        Urgent = "urgent",
    }
}

named! {
    /// What a notification is about: guests choose, cap and bundle by category.
    Category, "account, order, reminder, marketing" {
        /// Codes and security: nobody can opt out, quiet hours do not hold it back.
        Account = "account",
        /// What became of an order or a payment.
        Order = "order",
        /// Something is coming up.
        Reminder = "reminder",
        /// Offers.
        Marketing = "marketing",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn names_are_the_same_everywhere() {
        fn check<T: Copy + Serialize + std::fmt::Display + std::str::FromStr<Err = UnknownName>>(all: &[T]) {
            let names: Vec<String> = all.iter().map(ToString::to_string).collect();
            assert_eq!(json!(all), json!(names));
            for name in &names {
                assert_eq!(name.parse::<T>().map(|it| it.to_string()), Ok(name.clone()));
            }
            let unknown = "fax".parse::<T>().err().unwrap();
            assert_eq!(unknown.known, names.join(", "));
        }
        check(Channel::ALL);
        check(Priority::ALL);
        check(Category::ALL);
    }

    #[test]
    fn the_order_is_the_roadmap_s() {
        let names = json!([Channel::ALL, Priority::ALL]);
        let roadmap: Value =
            json!([["sms", "email", "wechat", "push", "internal"], ["low", "normal", "high", "urgent"]]);
        assert_eq!(names, roadmap);
        assert!(Priority::Urgent > Priority::High && Priority::default() == Priority::Normal);
    }
}
