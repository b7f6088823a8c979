use std::collections::BTreeSet;

use domain_coupon::{Violation, Violations};
use domain_ids::GuestId;

use crate::limits;

/// Who may claim in a campaign.
///
/// Only what the access token proves can be asked for: who the guest is, and the groups the guest is in. How old an
/// account is or what was bought before is not in the token; a service that knows it puts guests into a group, or
/// grants them their coupons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audience {
    /// Every guest.
    Everyone,
    /// Guests in any of these groups: 1 to [`limits::GROUPS`].
    Groups(BTreeSet<String>),
    /// These guests, for a trial: 1 to [`limits::GUESTS`].
    Guests(BTreeSet<GuestId>),
}

impl Audience {
    /// Whether `guest`, who is in `groups`, may claim.
    pub fn admits(&self, guest: &GuestId, groups: &[String]) -> bool {
        match self {
            Self::Everyone => true,
            Self::Groups(admitted) => groups.iter().any(|group| admitted.contains(group)),
            Self::Guests(admitted) => admitted.contains(guest),
        }
    }

    pub(crate) fn check(&self, wrong: &mut Violations) {
        match self {
            Self::Everyone => {}
            Self::Groups(groups) => {
                let plain = |c: char| !c.is_whitespace() && !c.is_control() && !matches!(c, ',' | '[' | ']');
                let sensible = |name: &String| {
                    (1..=limits::GROUP_CHARS).contains(&name.chars().count()) && name.chars().all(plain)
                };
                wrong.check(
                    (1..=limits::GROUPS).contains(&groups.len()) && groups.iter().all(sensible),
                    Violation::new(
                        "audience/groups",
                        "must be 1 to 10 names of 1 to 128 characters, without space, comma or bracket",
                    ),
                );
            }
            Self::Guests(guests) => wrong.check(
                (1..=limits::GUESTS).contains(&guests.len()),
                Violation::new("audience/guestIds", "must be 1 to 100"),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_audience_is_told_by_the_token_alone() {
        let (ann, bob) = ("ann".parse().unwrap(), "bob".parse().unwrap());
        let vip = Audience::Groups(["vip", "staff"].map(String::from).into());
        let named = Audience::Guests([GuestId::clone(&ann)].into());
        let groups = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert!(Audience::Everyone.admits(&bob, &[]));
        assert!(vip.admits(&bob, &groups(&["guest", "vip"])));
        assert!(!vip.admits(&bob, &groups(&["guest", "vip2"])));
        assert!(!vip.admits(&bob, &[]));
        assert!(named.admits(&ann, &[]));
        assert!(!named.admits(&bob, &groups(&["ann"])));
    }

    #[test]
    fn an_audience_is_bounded() {
        let is_sensible = |audience: Audience| {
            let mut wrong = Violations::default();
            audience.check(&mut wrong);
            wrong.into_result().is_ok()
        };
        let groups = |names: &[&str]| Audience::Groups(names.iter().map(ToString::to_string).collect());
        assert!(is_sensible(groups(&["vip", "新客"])));
        for names in [&[][..], &[""], &["a b"], &["a,b"], &["[a"], &["a\n"], &["x".repeat(129).as_str()]] {
            assert!(!is_sensible(groups(names)), "{names:?}");
        }
        let many = |count: usize| (0..count).map(|n| format!("g{n}"));
        assert!(is_sensible(Audience::Groups(many(10).collect())));
        assert!(!is_sensible(Audience::Groups(many(11).collect())));
        let guests = |count| Audience::Guests(many(count).map(|id| id.parse().unwrap()).collect());
        assert!(is_sensible(guests(100)));
        assert!(!is_sensible(guests(101)));
        assert!(!is_sensible(guests(0)));
    }
}
