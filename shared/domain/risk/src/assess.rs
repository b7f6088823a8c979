use jiff::SignedDuration;

use crate::{LimitName, LimitRule, Mode, RiskPolicy, Rule, SubjectHash};

/// What is known of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Who attempts it.
    pub guest: SubjectHash,
    /// From which address; none where it did not come over a network.
    pub ip: Option<SubjectHash>,
    /// From which device, if it says.
    pub device: Option<SubjectHash>,
    /// How old the guest's account is. An unknown age is not held against anybody.
    pub account_age: Option<SignedDuration>,
    /// The limits of [`RiskPolicy::limits_to_check`] that were found exceeded.
    pub exceeded: Vec<LimitName>,
}

/// What is to be done with an attempt, the mildest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Decision {
    /// Let it pass.
    Admit,
    /// Let it pass only with more evidence that a person is behind it.
    Challenge,
    /// Refuse it.
    Block,
}

/// Why an attempt has its score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The guest, the address or the device is on the allow list; nothing else was looked at.
    AllowListed,
    /// The rule was broken, and is only observed.
    Observed(Rule),
    /// The rule was broken, and its weight is in the score.
    Counted(Rule),
}

/// The outcome. The reasons are for operators: told to a caller, they teach it how to get past.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assessment {
    /// The weights of the rules that were broken and are not merely observed.
    pub score: u32,
    /// What is to be done.
    pub decision: Decision,
    /// Why, in the order of the rules.
    pub reasons: Vec<Reason>,
}

impl Facts {
    /// Whom a limit counts. None where that is not known: then there is nothing to count.
    pub fn subject(&self, name: LimitName) -> Option<SubjectHash> {
        match name {
            LimitName::PerUser | LimitName::Velocity => Some(self.guest),
            LimitName::PerIp => self.ip,
            LimitName::PerDevice => self.device,
        }
    }

    fn subjects(&self) -> impl Iterator<Item = SubjectHash> {
        [Some(self.guest), self.ip, self.device].into_iter().flatten()
    }
}

impl Decision {
    /// The name in metrics and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Admit => "admit",
            Self::Challenge => "challenge",
            Self::Block => "block",
        }
    }
}

impl RiskPolicy {
    /// The limits to check before an attempt with these facts is assessed, with the subject that each counts. None that
    /// is off, and none at all where the outcome is certain without them: whoever is on a list costs nothing.
    pub fn limits_to_check<'a>(
        &'a self,
        facts: &'a Facts,
    ) -> impl Iterator<Item = (LimitName, SubjectHash, &'a LimitRule)> {
        let certain = self.is_allow_listed(facts) || self.assess(facts).decision == Decision::Block;
        LimitName::ALL.into_iter().filter(move |_| !certain).filter_map(|name| {
            let rule = self.limit(name).filter(|rule| rule.effect.mode != Mode::Off)?;
            Some((name, facts.subject(name)?, rule))
        })
    }

    /// What to do with an attempt.
    pub fn assess(&self, facts: &Facts) -> Assessment {
        if self.is_allow_listed(facts) {
            return Assessment { score: 0, decision: Decision::Admit, reasons: vec![Reason::AllowListed] };
        }
        let (mut score, mut towards_block, mut reasons) = (0_u32, 0_u32, Vec::new());
        for rule in Rule::ALL {
            let effect = self.effect(rule);
            if effect.mode == Mode::Off || !self.is_broken(rule, facts) {
                continue;
            }
            reasons.push(match effect.mode {
                Mode::Off | Mode::Observe => Reason::Observed(rule),
                Mode::Challenge | Mode::Block => Reason::Counted(rule),
            });
            if effect.mode >= Mode::Challenge {
                score += u32::from(effect.weight);
            }
            if effect.mode == Mode::Block {
                towards_block += u32::from(effect.weight);
            }
        }
        let decision = if towards_block >= self.block_at.into() {
            Decision::Block
        } else if score >= self.challenge_at.into() {
            Decision::Challenge
        } else {
            Decision::Admit
        };
        Assessment { score, decision, reasons }
    }

    fn is_allow_listed(&self, facts: &Facts) -> bool {
        facts.subjects().any(|subject| self.allow_list.contains(&subject))
    }

    fn is_broken(&self, rule: Rule, facts: &Facts) -> bool {
        match rule {
            Rule::Limit(name) => facts.exceeded.contains(&name),
            Rule::NewAccount => facts.account_age.is_some_and(|age| age < self.new_account.0),
            Rule::MissingDevice => facts.device.is_none(),
            Rule::BlockListed => facts.subjects().any(|subject| self.block_list.contains(&subject)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Effect, LimitKind, MAX_WEIGHT, policy::Limits};

    const DAY: SignedDuration = SignedDuration::from_hours(24);

    fn hash(n: u8) -> SubjectHash {
        SubjectHash::from_bytes([n; 16])
    }

    fn modes() -> impl Strategy<Value = Mode> {
        prop::sample::select(vec![Mode::Off, Mode::Observe, Mode::Challenge, Mode::Block])
    }

    fn effects() -> impl Strategy<Value = Effect> {
        (modes(), 0..=MAX_WEIGHT).prop_map(|(mode, weight)| Effect { mode, weight })
    }

    fn policies() -> impl Strategy<Value = RiskPolicy> {
        let lists = || prop::collection::btree_set((0..6_u8).prop_map(hash), 0..3);
        (prop::array::uniform7(effects()), (1..=MAX_WEIGHT), (0..=MAX_WEIGHT), lists(), lists()).prop_map(
            |(effects, challenge_at, above, allow_list, block_list)| {
                let policy = RiskPolicy {
                    challenge_at,
                    block_at: challenge_at.saturating_add(above).min(MAX_WEIGHT),
                    allow_list,
                    block_list,
                    new_account: (DAY, Effect::default()),
                    ..RiskPolicy::default()
                };
                Rule::ALL
                    .into_iter()
                    .zip(effects)
                    .fold(policy, |policy, (rule, effect)| with(policy, rule, effect))
            },
        )
    }

    fn facts() -> impl Strategy<Value = Facts> {
        let subject = || (0..6_u8).prop_map(hash);
        let age = prop::option::of((0..48_i64).prop_map(SignedDuration::from_hours));
        let exceeded = prop::sample::subsequence(LimitName::ALL.to_vec(), 0..=4);
        (subject(), prop::option::of(subject()), prop::option::of(subject()), age, exceeded).prop_map(
            |(guest, ip, device, account_age, exceeded)| Facts { guest, ip, device, account_age, exceeded },
        )
    }

    fn rules() -> impl Strategy<Value = Rule> {
        prop::sample::select(Rule::ALL.to_vec())
    }

    /// The policy with another effect of one rule.
    fn with(mut policy: RiskPolicy, rule: Rule, effect: Effect) -> RiskPolicy {
        let kind = LimitKind::FixedWindow { limit: 1, window_seconds: 1 };
        let limit = Some(LimitRule { kind, effect });
        match rule {
            Rule::Limit(LimitName::PerUser) => policy.limits.per_user = limit,
            Rule::Limit(LimitName::PerIp) => policy.limits.per_ip = limit,
            Rule::Limit(LimitName::PerDevice) => policy.limits.per_device = limit,
            Rule::Limit(LimitName::Velocity) => policy.limits.velocity = limit,
            Rule::NewAccount => policy.new_account.1 = effect,
            Rule::MissingDevice => policy.missing_device = effect,
            Rule::BlockListed => policy.block_listed = effect,
        }
        policy
    }

    fn nobody() -> Facts {
        Facts { guest: hash(1), ip: None, device: Some(hash(2)), account_age: None, exceeded: Vec::new() }
    }

    #[test]
    fn weights_add_up_to_a_decision() {
        let effect = |mode, weight| Effect { mode, weight };
        let mut policy = RiskPolicy { challenge_at: 40, block_at: 80, ..RiskPolicy::default() };
        policy.new_account = (DAY, effect(Mode::Challenge, 30));
        policy = with(policy, Rule::Limit(LimitName::PerIp), effect(Mode::Block, 50));
        policy = with(policy, Rule::Limit(LimitName::PerUser), effect(Mode::Block, 30));

        let young = Facts { account_age: Some(SignedDuration::from_hours(1)), ..nobody() };
        let per_ip = Facts { exceeded: vec![LimitName::PerIp], ..nobody() };
        let both = Facts { exceeded: vec![LimitName::PerIp], ..young.clone() };
        let two_limits = Facts { exceeded: vec![LimitName::PerIp, LimitName::PerUser], ..nobody() };
        for (facts, score, decision) in [
            (&nobody(), 0, Decision::Admit),
            (&young, 30, Decision::Admit),
            (&per_ip, 50, Decision::Challenge),
            (&both, 80, Decision::Challenge),
            (&two_limits, 80, Decision::Block),
        ] {
            let assessment = policy.assess(facts);
            assert_eq!((assessment.score, assessment.decision), (score, decision), "{facts:?}");
        }
        let reasons = [Reason::Counted(Rule::Limit(LimitName::PerIp)), Reason::Counted(Rule::NewAccount)];
        assert_eq!(policy.assess(&both).reasons, reasons);
    }

    #[test]
    fn nothing_is_checked_where_everything_is_off_or_certain() {
        let checked = |policy: &RiskPolicy| policy.limits_to_check(&nobody()).count();
        let off = RiskPolicy::default();
        assert_eq!(checked(&off), 0);
        let observe = Effect { mode: Mode::Observe, weight: 1 };
        let limits = LimitName::ALL.map(Rule::Limit);
        let on = limits.into_iter().fold(off, |policy, rule| with(policy, rule, observe));
        assert_eq!(checked(&on), 3, "there is no address to count");
        assert_eq!(checked(&RiskPolicy { allow_list: [hash(2)].into(), ..on.clone() }), 0);
        assert_eq!(checked(&RiskPolicy { block_list: [hash(1)].into(), ..on.clone() }), 0);
        assert_eq!(checked(&RiskPolicy { limits: Limits::default(), ..on }), 0);
    }

    proptest! {
        #[test]
        fn the_allow_list_wins_over_everything(policy in policies(), facts in facts()) {
            let mut policy = policy;
            policy.allow_list.insert(facts.guest);
            let expected = Assessment { score: 0, decision: Decision::Admit, reasons: vec![Reason::AllowListed] };
            prop_assert_eq!(policy.assess(&facts), expected);
        }

        #[test]
        fn a_heavier_rule_never_helps(policy in policies(), facts in facts(), rule in rules(), more in 0..=MAX_WEIGHT) {
            let effect = policy.effect(rule);
            let heavier = Effect { weight: effect.weight.saturating_add(more).min(MAX_WEIGHT), ..effect };
            let (before, after) = (policy.assess(&facts), with(policy, rule, heavier).assess(&facts));
            prop_assert!(after.score >= before.score && after.decision >= before.decision);
            prop_assert_eq!(after.reasons, before.reasons);
        }

        #[test]
        fn a_sharper_mode_never_helps(policy in policies(), facts in facts(), rule in rules(), mode in modes()) {
            let effect = policy.effect(rule);
            let sharper = Effect { mode: effect.mode.max(mode), ..effect };
            let (before, after) = (policy.assess(&facts), with(policy, rule, sharper).assess(&facts));
            prop_assert!(after.score >= before.score && after.decision >= before.decision);
        }

        #[test]
        fn observing_changes_nothing(policy in policies(), facts in facts(), rule in rules(), weight in 0..=MAX_WEIGHT) {
            let observed = with(policy.clone(), rule, Effect { mode: Mode::Observe, weight }).assess(&facts);
            let off = with(policy, rule, Effect::default()).assess(&facts);
            prop_assert_eq!((observed.score, observed.decision), (off.score, off.decision));
        }

        #[test]
        fn one_more_limit_exceeded_never_helps(policy in policies(), facts in facts(), name in 0..4_usize) {
            let more = Facts { exceeded: [facts.exceeded.clone(), vec![LimitName::ALL[name]]].concat(), ..facts.clone() };
            prop_assert!(policy.assess(&more).decision >= policy.assess(&facts).decision);
        }

        #[test]
        fn a_decision_has_a_reason(policy in policies(), facts in facts()) {
            let assessment = policy.assess(&facts);
            let counted = assessment.reasons.iter().any(|reason| matches!(reason, Reason::Counted(_)));
            prop_assert!(counted || (assessment.score, assessment.decision) == (0, Decision::Admit));
            prop_assert_eq!(policy.assess(&facts), assessment, "and is the same each time");
        }

        #[test]
        fn limits_that_are_not_checked_could_not_have_mattered(policy in policies(), facts in facts()) {
            let unknown = Facts { exceeded: Vec::new(), ..facts.clone() };
            let checked: Vec<LimitName> = policy.limits_to_check(&unknown).map(|(name, ..)| name).collect();
            let seen = Facts { exceeded: facts.exceeded.iter().copied().filter(|name| checked.contains(name)).collect(), ..facts.clone() };
            let known = Facts { exceeded: facts.exceeded.iter().copied().filter(|&name| facts.subject(name).is_some()).collect(), ..facts.clone() };
            prop_assert_eq!(policy.assess(&seen).decision, policy.assess(&known).decision);
        }
    }
}
